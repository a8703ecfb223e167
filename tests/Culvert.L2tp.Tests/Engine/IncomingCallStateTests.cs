using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>RFC 2661 sections 7.4.1 and 7.4.2, typed in row by row and held against a live endpoint.</summary>
public sealed class IncomingCallStateTests
{
    private const string LacTable = """
        idle        | ring, no tunnel | -    | wait-tunnel
        idle        | ICCN            | -    | idle
        idle        | ICRP            | -    | idle
        idle        | CDN             | -    | idle
        wait-tunnel | close           | -    | idle
        wait-tunnel | tunnel-open     | ICRQ | wait-reply
        wait-reply  | ICRP ok         | ICCN | established
        wait-reply  | ICRP bad        | CDN  | idle
        wait-reply  | ICRQ            | CDN  | idle
        wait-reply  | CDN             | -    | idle
        wait-reply  | ICCN            | -    | idle
        wait-reply  | close           | CDN  | idle
        established | CDN             | -    | idle
        established | ICRQ            | CDN  | idle
        established | ICRP            | CDN  | idle
        established | ICCN            | CDN  | idle
        established | close           | CDN  | idle
        """;

    private const string LnsTable = """
        idle         | ICRQ ok  | ICRP | wait-connect
        idle         | ICRQ bad | CDN  | idle
        idle         | ICRP     | CDN  | idle
        idle         | ICCN     | -    | idle
        wait-connect | ICCN ok  | -    | established
        wait-connect | ICCN bad | CDN  | idle
        wait-connect | ICRQ     | CDN  | idle
        wait-connect | ICRP     | CDN  | idle
        idle         | CDN      | -    | idle
        wait-connect | CDN      | -    | idle
        established  | CDN      | -    | idle
        wait-connect | close    | CDN  | idle
        established  | close    | CDN  | idle
        established  | ICRQ     | CDN  | idle
        established  | ICRP     | CDN  | idle
        established  | ICCN     | CDN  | idle
        """;

    private const string Ring = "ring, no tunnel";
    private const int PeerSessionId = 501;
    private const int NobodysSession = 999;

    private static readonly Disconnect Hangup = Disconnect.OfSession(CdnResult.LostCarrier);

    public static TheoryData<string, string, string, string> LacRows() => Parse(LacTable);

    public static TheoryData<string, string, string, string> LnsRows() => Parse(LnsTable);

    [Theory]
    [MemberData(nameof(LacRows))]
    public void Live_LAC_follows_the_row(string state, string happening, string action, string next)
    {
        var bench = new Bench();
        (HandPeer peer, Session? session) = ReachAsLac(bench, state, happening);
        session = HappenAtLac(bench, peer, session, happening);
        Check(bench, peer, session, state, action, next);
    }

    [Theory]
    [MemberData(nameof(LnsRows))]
    public void Live_LNS_follows_the_row(string state, string happening, string action, string next)
    {
        var bench = new Bench(Bench.Plain with { FramingCapabilities = 1 });
        HandPeer peer = HandPeer.Established(bench);
        Session? session = state switch
        {
            "wait-connect" => peer.Call(PeerSessionId),
            "established" => peer.ConnectedCall(PeerSessionId),
            _ => null,
        };
        session = HappenAtLns(bench, peer, session, happening);
        Check(bench, peer, session, state, action, next);
    }

    private static void Check(Bench bench, HandPeer peer, Session? session, string state, string action, string next)
    {
        bench.Drain();
        List<Sent> sent = peer.Take();
        if (action == "-")
        {
            Assert.Empty(sent);
        }
        else
        {
            Assert.Equal(action, Assert.Single(sent).Type.Name());
        }

        Assert.Equal(next, NameOf(session?.State ?? SessionState.Idle));
        bool isOver = next == "idle" && state != "idle";
        Assert.Equal(isOver, bench.Told(L2tpEventKind.SessionClosed) && state != "idle");
        Assert.Equal(next == "idle" ? 0 : 1, bench.SessionIds.InUse);
        Assert.Equal(next == "idle" ? 0 : 1, bench.Endpoint.SessionCount);
        Assert.Null(Assert.Single(bench.Endpoint.Tunnels).Ended); // no session costs the tunnel
    }

    private static string NameOf(SessionState state) => state switch
    {
        SessionState.WaitTunnel => "wait-tunnel",
        SessionState.WaitReply => "wait-reply",
        SessionState.WaitConnect => "wait-connect",
        SessionState.Established => "established",
        _ => "idle",
    };

    private static (HandPeer Peer, Session? Session) ReachAsLac(Bench bench, string state, string happening)
    {
        if (state == "wait-tunnel" || happening == Ring)
        {
            HandPeer dialled = HandPeer.Dialled(bench);
            return (dialled, state == "wait-tunnel" ? Place(bench, dialled) : null);
        }

        HandPeer peer = HandPeer.Called(bench);
        if (state == "idle")
        {
            // A LAC that has placed a call before, so that it is known to be one.
            Place(bench, peer).Close(Hangup, bench.Now);
            bench.Drain();
            peer.Take();
            bench.Events.Clear();
            return (peer, null);
        }

        Session session = Place(bench, peer);
        Assert.Equal(MessageType.Icrq, Assert.Single(peer.Take()).Type);
        if (state == "established")
        {
            peer.Send(session.LocalSessionId, HandPeer.Icrp(PeerSessionId));
            Assert.Equal(MessageType.Iccn, Assert.Single(peer.Take()).Type);
        }

        return (peer, session);
    }

    private static Session? HappenAtLac(Bench bench, HandPeer peer, Session? session, string happening)
    {
        int id = session?.LocalSessionId ?? NobodysSession;
        switch (happening)
        {
            case Ring:
                session = Place(bench, peer);
                break;
            case "tunnel-open":
                peer.SendReply();
                Assert.Equal(MessageType.Scccn, bench.Outbox[1].Type);
                bench.Outbox.RemoveAt(1);
                peer.Nr++;
                peer.Acknowledge();
                break;
            case "close":
                session!.Close(Hangup, bench.Now);
                break;
            case "ICRP ok" or "ICRP":
                peer.Send(id, HandPeer.Icrp(PeerSessionId));
                break;
            case "ICRP bad":
                peer.Send(id, HandPeer.Icrp(0));
                break;
            case "ICRQ":
                peer.Send(id, HandPeer.Icrq(PeerSessionId));
                break;
            case "ICCN":
                peer.Send(id, HandPeer.Iccn());
                break;
            default:
                peer.Send(id, HandPeer.Cdn(PeerSessionId));
                break;
        }

        return session;
    }

    private static Session? HappenAtLns(Bench bench, HandPeer peer, Session? session, string happening)
    {
        int id = session?.LocalSessionId ?? NobodysSession;
        switch (happening)
        {
            case "ICRQ ok":
                session = peer.Offer(PeerSessionId);
                session.Accept(bench.Now);
                break;
            case "ICRQ bad":
                session = peer.Offer(PeerSessionId);
                session.Refuse(Disconnect.OfSession(CdnResult.InvalidDestination), bench.Now);
                break;
            case "ICRQ":
                peer.Send(0, HandPeer.Icrq(PeerSessionId));
                break;
            case "ICRP":
                peer.Send(id, HandPeer.Icrp(PeerSessionId));
                break;
            case "ICCN ok" or "ICCN":
                peer.Send(id, HandPeer.Iccn());
                break;
            case "ICCN bad":
                peer.Send(id, TestAvp.MessageType(L2tpBuilder.Iccn), TestAvp.TxConnectSpeed(1), TestAvp.FramingType(2));
                break;
            case "close":
                session!.Close(Hangup, bench.Now);
                break;
            default:
                peer.Send(id, HandPeer.Cdn(PeerSessionId));
                break;
        }

        return session;
    }

    private static Session Place(Bench bench, HandPeer peer)
    {
        Assert.True(peer.Tunnel.TryPlaceIncomingCall(IncomingCall.Default, bench.Now, out Session? session));
        bench.Drain();
        return session;
    }

    private static TheoryData<string, string, string, string> Parse(string table)
    {
        var rows = new TheoryData<string, string, string, string>();
        foreach (string line in table.Split('\n'))
        {
            string[] cells = [.. line.Split('|').Select(cell => cell.Trim())];
            rows.Add(cells[0], cells[1], cells[2], cells[3]);
        }

        return rows;
    }
}
