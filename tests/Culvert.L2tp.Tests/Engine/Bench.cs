using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>A policy of one setting for all, except for host names that it refuses.</summary>
internal sealed class OnePolicy(TunnelSettings settings) : IPeerPolicy
{
    public static Disconnect Refusal { get; } = Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "not one of ours");

    public TunnelSettings Settings { get; set; } = settings;

    public string? RefusedName { get; set; }

    public string LastVendorName { get; private set; } = string.Empty;

    public bool TryAccept(
        in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
    {
        LastVendorName = System.Text.Encoding.UTF8.GetString(request.VendorName);
        bool isRefused = RefusedName is not null && request.HostNameText == RefusedName;
        settings = isRefused ? null : Settings;
        refusal = isRefused ? Refusal : null;
        return !isRefused;
    }
}

/// <summary>Session IDs that notice when one is given away twice or returned twice.</summary>
internal sealed class CheckedSessionIds(ulong seed) : ISessionIds
{
    private readonly SeededRandom _random = new(seed);
    private readonly HashSet<(ushort Tunnel, ushort Session)> _used = [];

    public int Limit { get; set; } = int.MaxValue;

    public int InUse => _used.Count;

    public bool TryReserve(ushort localTunnelId, out ushort localSessionId)
    {
        localSessionId = 0;
        if (_used.Count >= Limit)
        {
            return false;
        }

        while (localSessionId == 0 || !_used.Add((localTunnelId, localSessionId)))
        {
            localSessionId = _random.NextUInt16();
        }

        return true;
    }

    public void Release(ushort localTunnelId, ushort localSessionId) =>
        Assert.True(_used.Remove((localTunnelId, localSessionId)), "a session ID was released that was not in use");
}

/// <summary>A datagram that the engine sent.</summary>
internal sealed record Sent(UdpPath Path, byte[] Octets)
{
    public L2tpHeader Header => L2tpHeader.TryRead(Octets, out L2tpHeader header) ? header
        : throw new InvalidOperationException("The engine sent a header that cannot be read.");

    public bool IsZlb => Header.IsZeroLengthBody;

    public MessageType Type => Read().Type;

    public ControlMessage Read(byte[]? secret = null)
    {
        bool isRead = ControlMessage.TryRead(
            Octets.AsSpan(Header.PayloadStart, Header.PayloadLength), secret, new byte[Octets.Length], out ControlMessage message);
        Assert.True(isRead || message.Fault == ControlMessageFault.UnreadableHiddenAvp, $"the engine sent {message.Fault}");
        return message;
    }

    public (int Result, int Error) ResultCode()
    {
        Assert.True(Read().TryGetResultCode(out ResultCodeValue code));
        return (code.Result, (int)code.Error);
    }

    public ushort Number(AvpType type, byte[]? secret = null)
    {
        Assert.True(Read(secret).TryGetUInt16(type, out ushort value), $"no {type}");
        return value;
    }
}

/// <summary>One live endpoint on a manual clock, spoken to by hand.</summary>
internal sealed class Bench
{
    private static readonly IpAddress LocalAddress = IpAddress.Parse("192.0.2.1");

    private readonly byte[] _buffer = new byte[L2tpEndpoint.MaximumMessageSize];

    public Bench(TunnelSettings? settings = null, EndpointLimits? limits = null, ulong seed = 1)
    {
        Policy = new(settings ?? Plain);
        SessionIds = new(seed);
        Endpoint = new(limits ?? EndpointLimits.Default, Policy, SessionIds, new SeededRandom(seed));
    }

    public static TunnelSettings Plain { get; } = new() { HostName = "lns" };

    public ManualClock Clock { get; } = new();

    public OnePolicy Policy { get; }

    public CheckedSessionIds SessionIds { get; }

    public L2tpEndpoint Endpoint { get; }

    public List<L2tpEvent> Events { get; } = [];

    public List<Sent> Outbox { get; } = [];

    public Timestamp Now => Clock.Now;

    public static UdpPath PathOf(string address = "198.51.100.7", int port = 1701) =>
        new(LocalAddress, new(IpAddress.Parse(address), (ushort)port));

    public void Receive(UdpPath path, byte[] datagram)
    {
        Endpoint.Receive(path, datagram, Now);
        Drain();
    }

    /// <summary>Lets time pass deadline by deadline, as a node would.</summary>
    public void Pass(double seconds)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        Drain();
        while (Endpoint.NextDeadline <= end)
        {
            Clock.JumpTo(Endpoint.NextDeadline);
            Endpoint.Advance(Now);
            Drain();
        }

        Clock.JumpTo(end);
        Endpoint.Advance(Now);
        Drain();
    }

    public void Drain()
    {
        while (Endpoint.TryNextEvent(out L2tpEvent e))
        {
            Events.Add(e);
        }

        while (Endpoint.TryTransmit(_buffer, out int length, out UdpPath path))
        {
            Outbox.Add(new(path, _buffer[..length]));
        }
    }

    public bool Told(L2tpEventKind kind) => Events.Exists(e => e.Kind == kind);

    public bool Noticed(L2tpNotice notice) => Events.Exists(e => e.Kind == L2tpEventKind.Notice && e.Notice == notice);

    public L2tpEvent Last(L2tpEventKind kind) => Events.FindLast(e => e.Kind == kind);
}

/// <summary>A peer played by hand: numbers its messages and keeps account of the engine's.</summary>
internal sealed class HandPeer(Bench bench, UdpPath path, ushort ownTunnelId = 77)
{
    private int _seen = bench.Outbox.Count;

    public Bench Bench { get; } = bench;

    public UdpPath Path { get; set; } = path;

    public ushort OwnTunnelId { get; } = ownTunnelId;

    /// <summary>The engine's ID.</summary>
    public ushort TunnelId { get; set; }

    public ushort Ns { get; set; }

    public ushort Nr { get; set; }

    public Tunnel Tunnel => Bench.Endpoint.TryFind(TunnelId, out Tunnel? tunnel) ? tunnel
        : throw new InvalidOperationException("no tunnel");

    public static HandPeer Established(Bench bench, UdpPath? path = null, ushort ownTunnelId = 77, string hostName = "lac")
    {
        var peer = new HandPeer(bench, path ?? Bench.PathOf(), ownTunnelId);
        peer.SendStart(hostName);
        peer.TakeReply();
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        return peer;
    }

    /// <summary>A peer to which the engine opened the tunnel.</summary>
    public static HandPeer Called(Bench bench, TunnelSettings? settings = null)
    {
        HandPeer peer = Dialled(bench, settings);
        peer.SendReply();
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        peer.Take();
        return peer;
    }

    /// <summary>A peer that has the engine's SCCRQ before it.</summary>
    public static HandPeer Dialled(Bench bench, TunnelSettings? settings = null, ushort ownTunnelId = 88)
    {
        var peer = new HandPeer(bench, Bench.PathOf(), ownTunnelId);
        Assert.True(bench.Endpoint.TryConnect(peer.Path, settings ?? Bench.Plain, bench.Now, out Tunnel? tunnel));
        bench.Drain();
        peer.TunnelId = tunnel.LocalTunnelId;
        Assert.Equal(MessageType.Sccrq, Assert.Single(peer.Take()).Type);
        return peer;
    }

    public void SendStart(string hostName = "lac", params TestAvp[] more)
    {
        Bench.Receive(Path, L2tpBuilder.StartControlConnectionRequest(OwnTunnelId, hostName, more));
        Ns++;
    }

    /// <summary>Takes the SCCRP that must have come.</summary>
    public Sent TakeReply(byte[]? secret = null)
    {
        Sent reply = Assert.Single(Take());
        Assert.Equal(MessageType.Sccrp, reply.Type);
        Assert.Equal(OwnTunnelId, reply.Header.TunnelId);
        TunnelId = reply.Number(AvpType.AssignedTunnelId, secret);
        return reply;
    }

    public void SendReply(params TestAvp[] more)
    {
        Bench.Receive(Path, L2tpBuilder.StartControlConnectionReply(TunnelId, OwnTunnelId, Ns, Nr, "peer", more));
        Ns++;
    }

    /// <summary>Sends a message with the next Ns.</summary>
    public void Send(int sessionId, params TestAvp[] avps)
    {
        Bench.Receive(Path, L2tpBuilder.Control(TunnelId, sessionId, Ns, Nr, avps));
        Ns++;
    }

    public void Acknowledge() => Bench.Receive(Path, L2tpBuilder.Zlb(TunnelId, Ns, Nr));

    /// <summary>Messages of the engine to this peer since the last call, without ZLBs and repetitions; they are acknowledged.</summary>
    public List<Sent> Take()
    {
        var taken = new List<Sent>();
        for (int acknowledged = -1; acknowledged != Nr;)
        {
            acknowledged = Nr;
            for (; _seen < Bench.Outbox.Count; _seen++)
            {
                Sent sent = Bench.Outbox[_seen];
                bool isForMe = sent.Path.Peer == Path.Peer && (sent.Header.TunnelId == 0 || sent.Header.TunnelId == OwnTunnelId);
                if (isForMe && !sent.IsZlb && sent.Header.Ns == Nr)
                {
                    taken.Add(sent);
                    Nr++;
                }
            }

            if (TunnelId != 0 && taken.Count > 0)
            {
                Acknowledge();
            }
        }

        return taken;
    }

    public List<Sent> Take(MessageType type) => Take().FindAll(sent => sent.Type == type);

    /// <summary>The bench's outbox was emptied.</summary>
    public void ForgetSeen() => _seen = 0;

    /// <summary>Places a call up to the offer and returns the engine's session.</summary>
    public Session Offer(int ownSessionId, int serial = 1)
    {
        Send(0, Icrq(ownSessionId, serial));
        L2tpEvent offer = Bench.Last(L2tpEventKind.CallOffered);
        return offer.Session ?? throw new InvalidOperationException("no call was offered");
    }

    /// <summary>Places a call that the engine's owner accepts, up to the ICRP.</summary>
    public Session Call(int ownSessionId)
    {
        Session session = Offer(ownSessionId);
        session.Accept(Bench.Now);
        Bench.Drain();
        Sent icrp = Assert.Single(Take());
        Assert.Equal(MessageType.Icrp, icrp.Type);
        Assert.Equal(ownSessionId, icrp.Header.SessionId);
        Assert.Equal(session.LocalSessionId, icrp.Number(AvpType.AssignedSessionId));
        return session;
    }

    /// <summary>The same after something that must come first.</summary>
    public Session ConnectedCallAfter(Action first, int ownSessionId)
    {
        first();
        return ConnectedCall(ownSessionId);
    }

    public Session ConnectedCall(int ownSessionId)
    {
        Session session = Call(ownSessionId);
        Send(session.LocalSessionId, Iccn());
        Assert.Equal(SessionState.Established, session.State);
        return session;
    }

    public static TestAvp[] Icrq(int ownSessionId, int serial = 1) =>
        [TestAvp.MessageType(L2tpBuilder.Icrq), TestAvp.AssignedSessionId(ownSessionId), TestAvp.CallSerialNumber(serial)];

    public static TestAvp[] Icrp(int ownSessionId) => [TestAvp.MessageType(L2tpBuilder.Icrp), TestAvp.AssignedSessionId(ownSessionId)];

    public static TestAvp[] Iccn() => [TestAvp.MessageType(L2tpBuilder.Iccn), TestAvp.TxConnectSpeed(1_000_000), TestAvp.FramingType()];

    public static TestAvp[] Cdn(int ownSessionId, int result = 3) =>
        [TestAvp.MessageType(L2tpBuilder.Cdn), TestAvp.ResultCode(result, 0), TestAvp.AssignedSessionId(ownSessionId)];

    public TestAvp[] StopCcn(int result = 1) =>
        [TestAvp.MessageType(L2tpBuilder.StopCcn), TestAvp.AssignedTunnelId(OwnTunnelId), TestAvp.ResultCode(result, 0)];
}
