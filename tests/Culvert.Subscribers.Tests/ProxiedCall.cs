using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

/// <summary>A call whose user has negotiated LCP with the LAC and given its answer to authentication, and what the LAC says of it.</summary>
internal sealed class ProxiedCall
{
    private readonly byte[] _buffer = new byte[2048];
    private byte[] _sent = [];
    private byte[] _received = [];
    private byte[]? _initial;

    public ProxiedCall(AuthenticationMethod method, Timestamp now, string user = "alice", string password = NodePair.Password, ushort lacMru = 1500)
    {
        var random = new SeededRandom(99);
        var lac = new PppLink(new PppLinkSettings { AuthenticatePeer = [method], Mru = lacMru }, random);
        User = new PppLink(new PppLinkSettings { Credentials = new AuthenticationCredentials(user, password), Mru = 1492 }, random);
        lac.Open(now);
        User.Open(now);
        for (int round = 0; round < 20; round++)
        {
            Pass(lac, User, now);
            Pass(User, lac, now);
        }

        Assert.True(lac.TryNextEvent(out PppLinkEvent asked) && asked.Kind == PppLinkEventKind.AuthenticationRequested, $"{lac} / {User}");
        Request = asked.Request!;
        Call = new IncomingCall
        {
            CallingNumber = "5550100",
            ProxyLcp = new(_initial, _sent, _received),
            ProxyAuthentication = new()
            {
                Type = method switch
                {
                    AuthenticationMethod.Pap => ProxyAuthenType.Pap,
                    AuthenticationMethod.ChapMd5 => ProxyAuthenType.Chap,
                    _ => ProxyAuthenType.MsChapV1,
                },
                Id = Request.Identifier,
                Name = Request.NameOctets.ToArray(),
                Challenge = Request.Challenge,
                Response = Request.Response.ToArray(),
            },
        };
    }

    /// <summary>The user's end, which waits for a verdict.</summary>
    public PppLink User { get; }

    public AuthenticationRequest Request { get; }

    /// <summary>What ICRQ and ICCN say.</summary>
    public IncomingCall Call { get; }

    private void Pass(PppLink from, PppLink to, Timestamp now)
    {
        while (from.TryTransmit(_buffer, out int length))
        {
            byte[] frame = _buffer[..length];
            switch (frame)
            {
                case [0xFF, 0x03, 0xC0, 0x21, 1, ..] when from == User:
                    _initial ??= frame[8..];
                    break;
                case [0xFF, 0x03, 0xC0, 0x21, 2, ..] when from == User:
                    _sent = frame[8..];
                    break;
                case [0xFF, 0x03, 0xC0, 0x21, 2, ..]:
                    _received = frame[8..];
                    break;
            }

            to.Receive(frame, now);
        }
    }
}

/// <summary>PPP frames between LNS and LAC, by protocol and code.</summary>
internal sealed class PppFrameCount
{
    private readonly List<(bool IsLns, ushort Protocol, byte Code)> _frames = [];

    public PppFrameCount(LacWorld world) => world.World.Filter = packet =>
    {
        Note(packet);
        return true;
    };

    /// <summary>LCP Configure-Requests of either side.</summary>
    public int LcpRequests => _frames.Count(f => f is { Protocol: 0xC021, Code: 1 });

    /// <summary>CHAP Challenges and Responses, and PAP Authenticate-Requests.</summary>
    public int Questions => _frames.Count(f => f is { Protocol: 0xC223, Code: 1 or 2 } or { Protocol: 0xC023, Code: 1 });

    /// <summary>CHAP Successes and PAP Acks.</summary>
    public int Verdicts(bool good) => _frames.Count(f => (f.Protocol == 0xC223 && f.Code == (good ? 3 : 4)) || (f.Protocol == 0xC023 && f.Code == (good ? 2 : 3)));

    private void Note(Delivery packet)
    {
        ReadOnlySpan<byte> octets = packet.Payload.Span;
        if (!Culvert.L2tp.Wire.L2tpHeader.TryRead(octets, out Culvert.L2tp.Wire.L2tpHeader header) || header.IsControl)
        {
            return;
        }

        ReadOnlySpan<byte> frame = octets[header.PayloadStart..header.PayloadEnd];
        frame = frame is [0xFF, 0x03, ..] ? frame[2..] : frame;
        if (frame.Length > 2)
        {
            _frames.Add((packet.Source == NodePair.LnsAt, (ushort)((frame[0] << 8) | frame[1]), frame[2]));
        }
    }
}
