using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp.Tests;

/// <summary>
/// A client that an access concentrator has brought as far as its answer to authentication, and what the concentrator can tell of it.
/// Everything happens at one moment.
/// </summary>
internal sealed class ProxiedUser
{
    public ProxiedUser(PppLinkSettings concentrator, PppLinkSettings? client = null)
    {
        Lac = new LinkEnd("lac", concentrator, Links.ServerIpcp, 21) { IsAutomatic = false };
        Client = Links.Client(client);
        Lac.Link.Open(Now);
        Client.Link.Open(Now);
        for (int round = 0; round < 20; round++)
        {
            Pass(Lac, Client);
            Pass(Client, Lac);
        }

        Request = Lac.Events.FirstOrDefault(e => e.Kind == PppLinkEventKind.AuthenticationRequested).Request;
    }

    public static Timestamp Now { get; } = Timestamp.FromMilliseconds(1000);

    public LinkEnd Lac { get; }

    public LinkEnd Client { get; }

    /// <summary>Options of the LAC's Configure-Request that the client acknowledged.</summary>
    public byte[] Sent { get; private set; } = [];

    /// <summary>Options of the client's Configure-Request that the LAC acknowledged.</summary>
    public byte[] Received { get; private set; } = [];

    /// <summary>The client's answer, on which the LAC gives no verdict.</summary>
    public AuthenticationRequest? Request { get; }

    public ProxiedNegotiation Facts(string? refusedBecause = null, bool hasAnswer = true) => new()
    {
        LastSent = Sent,
        LastReceived = Received,
        RefusedBecause = refusedBecause,
        Answer = Request is { } request && hasAnswer ? new ProxiedAnswer
        {
            IsPap = request.Method == AuthenticationMethod.Pap,
            Identifier = request.Identifier,
            Name = request.NameOctets.ToArray(),
            Challenge = request.Challenge,
            Response = request.Response.ToArray(),
        } : null,
    };

    /// <summary>The client at its new server. Frames are counted from here on.</summary>
    public (LinkPair Pair, FrameCount Frames) MoveTo(LinkEnd server, ProxiedNegotiation facts)
    {
        var pair = new LinkPair(server, Client);
        var frames = new FrameCount();
        pair.Filter = (from, frame) =>
        {
            frames.Add(from == server, frame);
            return true;
        };
        server.Link.Open(facts, pair.Now);
        return (pair, frames);
    }

    private void Pass(LinkEnd from, LinkEnd to)
    {
        foreach (byte[] frame in from.Pull(Now))
        {
            if (frame is [0xFF, 0x03, 0xC0, 0x21, (byte)ControlCode.ConfigureAck, ..])
            {
                (Sent, Received) = from == Client ? (frame[8..], Received) : (Sent, frame[8..]);
            }

            to.Link.Receive(frame, Now);
        }
    }
}

/// <summary>Frames by side, protocol and code.</summary>
internal sealed class FrameCount
{
    private readonly List<(bool IsServer, ushort Protocol, byte Code, byte Identifier)> _seen = [];

    public void Add(bool isServer, byte[] frame)
    {
        int start = frame is [0xFF, 0x03, ..] ? 2 : 0;
        _seen.Add((isServer, (ushort)((frame[start] << 8) | frame[start + 1]), frame[start + 2], frame[start + 3]));
    }

    public int Of(bool isServer, PppProtocol protocol, byte code) =>
        _seen.Count(f => f.IsServer == isServer && f.Protocol == (ushort)protocol && f.Code == code);

    /// <summary>LCP Configure-Requests of either side.</summary>
    public int LcpRequests => Of(true, PppProtocol.Lcp, 1) + Of(false, PppProtocol.Lcp, 1);

    /// <summary>Challenges of the server, and answers or PAP requests of the client.</summary>
    public int Questions => Of(true, PppProtocol.Chap, 1) + Of(false, PppProtocol.Chap, 2) + Of(false, PppProtocol.Pap, 1);

    /// <summary>Identifiers of a side's packets of one code.</summary>
    public byte[] Identifiers(bool isServer, PppProtocol protocol, byte code) =>
        [.. _seen.Where(f => f.IsServer == isServer && f.Protocol == (ushort)protocol && f.Code == code).Select(f => f.Identifier)];
}
