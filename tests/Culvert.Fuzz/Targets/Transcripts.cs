using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Testing;

namespace Culvert.Fuzz.Targets;

/// <summary>What honest pairs of engines say to each other: seeds, and material to be mixed into other conversations.</summary>
internal static class Transcripts
{
    public const string Secret = "tunnel-secret";
    public const string Password = "correct-horse";

    private static readonly PeerEndpoint Lac = new(IpAddress.Parse("198.51.100.1"), 1701);
    private static readonly PeerEndpoint Lns = new(IpAddress.Parse("192.0.2.1"), 1701);

    /// <summary>A call of which everything is known.</summary>
    public static IncomingCall RichCall { get; } = new()
    {
        CalledNumber = "5550100",
        CallingNumber = "5550199",
        SubAddress = "7",
        BearerType = 1,
        RxConnectSpeed = 128_000,
        PhysicalChannelId = 3,
        PrivateGroupId = "customer",
        SendsSpeedUpdates = true,
        AccessLine = AccessLine.Of((AccessLineAvpType.AgentCircuitId, "eth 1/2"u8.ToArray()), (AccessLineAvpType.AgentRemoteId, "line 7"u8.ToArray())),
        Atm = new AtmCall { ServiceName = "gold", VpiVci = 0x0008_0023, IsRealTime = true },
        ProxyLcp = new ProxyLcp(Hex.Parse("0506ded0d615"), Hex.Parse("0104057803 05c22305 0506aabbccdd"), Hex.Parse("0104057805060102 0304")),
        ProxyAuthentication = new ProxyAuthentication
        {
            Type = ProxyAuthenType.Chap,
            Name = "alice"u8.ToArray(),
            Challenge = new byte[16],
            Id = 9,
            Response = new byte[16],
        },
    };

    /// <summary>Control messages of all kinds, in both directions, hidden and not.</summary>
    public static IReadOnlyList<byte[]> ControlMessages { get; } = RecordControl();

    /// <summary>PPP frames of links with each method, in both directions.</summary>
    public static IReadOnlyList<byte[]> PppFrames { get; } = RecordPpp();

    /// <summary>The control messages, and some of the frames as data messages with all kinds of headers.</summary>
    public static IReadOnlyList<byte[]> Datagrams { get; } =
    [
        .. ControlMessages,
        .. PppFrames.Select((frame, i) => L2tpBuilder.Data(7, 1 + (i % 5), frame)),
        .. PppFrames.Take(8).Select((frame, i) => DataWith((L2tpHeaderFlags)((i & 1) * 0x4000 | (i & 2) * 0x400 | (i & 4) * 0x80), frame)),
    ];

    /// <summary>IP packets as subscribers send them.</summary>
    public static IReadOnlyList<byte[]> IpPackets { get; } = MakeIpPackets();

    public static PppLinkSettings ServerSettings(AuthenticationMethod method) => new()
    {
        AuthenticatePeer = [method],
        RequestAcfc = true,
        RequestPfc = true,
        Authentication = new AuthenticationSettings { RechallengeInterval = TimeSpan.FromSeconds(40) },
    };

    public static PppLinkSettings ClientSettings() => new() { Credentials = new AuthenticationCredentials("alice", Password) };

    private static byte[] DataWith(L2tpHeaderFlags flags, byte[] frame)
    {
        byte[] datagram = new byte[32 + frame.Length];
        L2tpHeader header = L2tpHeader.ForData(7, 2, frame.Length, flags, ns: 5, offsetSize: 3);
        header.TryWrite(datagram, out int start);
        frame.CopyTo(datagram, start);
        return datagram[..(start + frame.Length)];
    }

    private static List<byte[]> RecordControl()
    {
        var messages = new List<byte[]>();
        for (int variant = 0; variant < 6; variant++)
        {
            byte[]? secret = variant % 3 == 0 ? null : Encoding.ASCII.GetBytes(Secret);
            var settings = new TunnelSettings
            {
                HostName = "lac",
                Secret = secret,
                HideAvps = variant % 3 == 2,
                AcceptOutgoingCalls = true,
                SendTieBreaker = variant > 2,
                EcnCapable = true,
                ModemOnHoldCapable = true,
                ControlPhb = variant > 2 ? (ushort)0xB800 : null,
                SessionPhb = 0x2E00,
                Channel = ControlChannelSettings.Default with { HelloInterval = TimeSpan.FromSeconds(5) },
            };
            RecordControl(messages, new EndpointSide(settings, EndpointLimits.Default, 5), new EndpointSide(settings with { HostName = "lns" }, EndpointLimits.Default, 6));
        }

        return [.. messages.DistinctBy(Convert.ToHexString)];
    }

    private static void RecordControl(List<byte[]> messages, EndpointSide lac, EndpointSide lns)
    {
        Timestamp now = Timestamp.FromMilliseconds(1000);
        if (!lac.Endpoint.TryConnect(new UdpPath(Lac.Address, Lns), lac.Settings, now, out Tunnel? tunnel))
        {
            throw new FuzzFailedException("no tunnel can be opened");
        }

        Talk(messages, lac, lns, now);
        _ = tunnel.TryPlaceIncomingCall(RichCall, now, out Session? session);
        Talk(messages, lac, lns, now);
        Tunnel other = lns.Endpoint.Tunnels.First();
        _ = other.TryPlaceOutgoingCall(new OutgoingCall { CalledNumber = "5550100", SubAddress = "3", RxMinimumBps = 1, RxMaximumBps = 9 }, now, out Session? outgoing);
        Talk(messages, lac, lns, now);
        _ = session?.TrySendCallErrors(new CallErrors { Crc = 3 }, now);
        _ = session?.TrySendConnectSpeed(1000, 2000, now);
        _ = session?.TrySendModemStatus(0x8001, now);
        foreach (Session served in other.Sessions)
        {
            _ = served.TrySendAccm(new Accm(0, 0xFFFF), now);
            _ = served.TryRequestConnectSpeed(now);
        }

        Talk(messages, lac, lns, now);
        now += TimeSpan.FromSeconds(6);
        lac.Endpoint.Advance(now); // HELLO
        Talk(messages, lac, lns, now);
        session?.Close(Disconnect.OfSession(CdnResult.LostCarrier, "gone") with { PppCause = null }, now);
        outgoing?.Close(Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, "no more"), now);
        Talk(messages, lac, lns, now);
        other.Close(Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "maintenance"), now);
        Talk(messages, lac, lns, now);
    }

    private static void Talk(List<byte[]> messages, EndpointSide lac, EndpointSide lns, Timestamp now)
    {
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        for (bool isBusy = true; isBusy;)
        {
            isBusy = Say(messages, buffer, lac, lns, new UdpPath(Lns.Address, Lac), now) | Say(messages, buffer, lns, lac, new UdpPath(Lac.Address, Lns), now);
        }
    }

    private static bool Say(List<byte[]> messages, byte[] buffer, EndpointSide from, EndpointSide to, in UdpPath path, Timestamp now)
    {
        bool isBusy = false;
        while (from.TakeEvent(now, out _))
        {
            isBusy = true;
        }

        while (from.Endpoint.TryTransmit(buffer, out int length, out _))
        {
            isBusy = true;
            messages.Add(buffer[..length]);
            to.Endpoint.Receive(path, buffer.AsSpan(0, length), now);
        }

        return isBusy;
    }

    private static List<byte[]> RecordPpp()
    {
        var frames = new List<byte[]>();
        foreach (AuthenticationMethod method in Enum.GetValues<AuthenticationMethod>())
        {
            var server = new LinkSide(ServerSettings(method), isServer: true, 3);
            var client = new LinkSide(ClientSettings(), isServer: false, 4);
            Timestamp now = Timestamp.FromMilliseconds(1000);
            server.Link.Open(now);
            client.Link.Open(now);
            Talk(frames, server, client, now);
            for (int i = 0; i < 3; i++)
            {
                now += TimeSpan.FromSeconds(31); // echoes, and a second challenge
                server.Link.Advance(now);
                client.Link.Advance(now);
                Talk(frames, server, client, now);
            }

            client.Link.Close(LinkCloseReason.Administrative, "bye", now);
            Talk(frames, server, client, now);
        }

        return [.. frames.DistinctBy(Convert.ToHexString)];
    }

    private static void Talk(List<byte[]> frames, LinkSide server, LinkSide client, Timestamp now)
    {
        for (bool isBusy = true; isBusy;)
        {
            isBusy = Say(frames, server, client, now) | Say(frames, client, server, now);
        }
    }

    private static bool Say(List<byte[]> frames, LinkSide from, LinkSide to, Timestamp now)
    {
        bool isBusy = false;
        Span<byte> buffer = stackalloc byte[2048];
        while (from.TakeEvent(now, out _))
        {
            isBusy = true;
        }

        while (from.Link.TryTransmit(buffer, out int length))
        {
            isBusy = true;
            frames.Add(buffer[..length].ToArray());
            to.Link.Receive(buffer[..length], now);
        }

        return isBusy;
    }

    private static List<byte[]> MakeIpPackets()
    {
        IpAddress a = IpAddress.Parse("100.64.0.1");
        IpAddress b = IpAddress.Parse("192.0.2.9");
        IpAddress c = IpAddress.Parse("2001:db8:1::1");
        IpAddress d = IpAddress.Parse("2001:db8:2::1");
        return
        [
            IpBuilder.Echo(a, b, 1, 1, new byte[64]),
            IpBuilder.Echo(b, a, 1, 1, new byte[1472], dontFragment: true),
            IpBuilder.UdpPacket(b, 53, a, 5000, new byte[1900]),
            IpBuilder.UdpPacket(c, 53, d, 5000, new byte[200]),
            IpBuilder.UdpPacket(d, 53, c, 5000, new byte[1600]),
            IpBuilder.TcpPacket(a, 1000, b, 80, IpBuilder.Syn, [], 1460),
            IpBuilder.TcpPacket(b, 80, a, 1000, IpBuilder.Syn | IpBuilder.Ack, [], 1460, [1, 1, 3, 3, 7, 1]),
            IpBuilder.TcpPacket(b, 80, a, 1000, IpBuilder.Syn | IpBuilder.Ack, [], null, [1, 2, 4, 5, 180, 1, 1, 1]),
            IpBuilder.TcpPacket(c, 1000, d, 80, IpBuilder.Syn, [], 1440),
            IpBuilder.TcpPacket(d, 80, c, 1000, IpBuilder.Syn, [], 1440, [4, 2, 1, 1]),
            IpBuilder.Packet(b, a, IpBuilder.Udp, new byte[1800], fragment: 8189),
        ];
    }
}
