using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>RFC 2661 sections 7.5.1 and 7.5.2, typed in row by row and held against a live endpoint.</summary>
public sealed class OutgoingCallStateTests
{
    private const string LacTable = """
        idle           | OCRQ ok        | OCRP | wait-cs-answer
        idle           | OCRQ bad       | CDN  | idle
        idle           | OCRP           | CDN  | idle
        idle           | OCCN           | -    | idle
        idle           | CDN            | -    | idle
        wait-cs-answer | bearer answer  | OCCN | established
        wait-cs-answer | bearer failure | CDN  | idle
        wait-cs-answer | OCRQ           | CDN  | idle
        wait-cs-answer | OCRP           | CDN  | idle
        wait-cs-answer | OCCN           | CDN  | idle
        established    | OCRQ           | CDN  | idle
        established    | OCRP           | CDN  | idle
        established    | OCCN           | CDN  | idle
        wait-cs-answer | CDN            | -    | idle
        established    | CDN            | -    | idle
        established    | close          | CDN  | idle
        """;

    private const string LnsTable = """
        idle         | open        | -    | wait-tunnel
        idle         | OCCN        | -    | idle
        idle         | OCRP        | -    | idle
        idle         | CDN         | -    | idle
        wait-tunnel  | tunnel-open | OCRQ | wait-reply
        wait-reply   | OCRP ok     | -    | wait-connect
        wait-reply   | OCRP bad    | CDN  | idle
        wait-reply   | OCCN        | CDN  | idle
        wait-reply   | OCRQ        | CDN  | idle
        wait-connect | OCCN        | -    | established
        wait-connect | OCRQ        | CDN  | idle
        wait-connect | OCRP        | CDN  | idle
        wait-reply   | CDN         | -    | idle
        wait-connect | CDN         | -    | idle
        established  | CDN         | -    | idle
        established  | OCRQ        | CDN  | idle
        established  | OCRP        | CDN  | idle
        established  | OCCN        | CDN  | idle
        wait-reply   | close       | CDN  | idle
        wait-connect | close       | CDN  | idle
        established  | close       | CDN  | idle
        wait-tunnel  | close       | -    | idle
        """;

    private const int PeerSessionId = 501;
    private const int NobodysSession = 999;

    private static readonly Disconnect Hangup = Disconnect.OfSession(CdnResult.Busy);
    private static readonly TunnelSettings Dialling = Bench.Plain with { AcceptOutgoingCalls = true };
    private static readonly OutgoingCall Asked = new() { CalledNumber = "5551000", BearerType = 1, FramingType = 1 };

    public static TheoryData<string, string, string, string> LacRows() => Parse(LacTable);

    public static TheoryData<string, string, string, string> LnsRows() => Parse(LnsTable);

    [Theory]
    [MemberData(nameof(LacRows))]
    public void Live_LAC_follows_the_row(string state, string happening, string action, string next)
    {
        var bench = new Bench(Dialling);
        HandPeer peer = HandPeer.Established(bench);
        Session? session = null;
        if (state != "idle")
        {
            session = Request(peer);
            session.Accept(bench.Now);
            if (state == "established")
            {
                session.Connect(new(64_000), bench.Now);
            }

            bench.Drain();
            peer.Take();
        }

        session = HappenAtLac(peer, session, happening);
        Check(bench, peer, session, state, action, next);
    }

    [Theory]
    [MemberData(nameof(LnsRows))]
    public void Live_LNS_follows_the_row(string state, string happening, string action, string next)
    {
        var bench = new Bench();
        (HandPeer peer, Session? session) = ReachAsLns(bench, state, happening);
        session = HappenAtLns(bench, peer, session, happening);
        Check(bench, peer, session, state, action, next);
    }

    [Fact]
    public void Facts_of_the_request_reach_the_owner_and_those_of_the_line_the_LNS()
    {
        var world = new World(1);
        Node lns = world.Add("192.0.2.10", Bench.Plain);
        Node lac = world.Add("192.0.2.20", Dialling);
        Tunnel tunnel = world.Connect(lns, lac, Bench.Plain);
        var call = new OutgoingCall { CalledNumber = "5551000", SubAddress = "3", MinimumBps = 9600, MaximumBps = 64_000, BearerType = 7, FramingType = 1 };
        Assert.True(tunnel.TryPlaceOutgoingCall(call, world.Now, out Session? asked));
        world.RunUntil(() => asked.State == SessionState.Established);
        Session dialled = lac.Last(L2tpEventKind.SessionEstablished).Session!;
        Assert.Equal(call with { SerialNumber = asked.OutgoingCall!.SerialNumber, BearerType = 3 }, dialled.OutgoingCall);
        Assert.NotEqual(0u, asked.OutgoingCall.SerialNumber);
        Assert.Equal((CallDirection.Outgoing, CallDirection.Outgoing), (asked.Direction, dialled.Direction));
        Assert.Equal((false, true), (asked.IsLac, dialled.IsLac));
        Assert.Equal((64_000u, 32_000u, 9u, 1u), (asked.Call.TxConnectSpeed, asked.Call.RxConnectSpeed, asked.Call.PhysicalChannelId, asked.Call.FramingType));
        Assert.True(asked.Call.SequencingRequired);
        Assert.Equal("5551000", dialled.Call.CalledNumber);
    }

    [Theory]
    [InlineData(null, 3)]
    [InlineData(2, 3)]
    [InlineData(3, 2)]
    public void LAC_that_did_not_advertise_it_is_not_asked(int? bearers, int framings)
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Dialled(bench);
        Session waiting = Place(bench, peer, Asked);
        TestAvp[] start = [TestAvp.MessageType(L2tpBuilder.Sccrp), TestAvp.ProtocolVersion(), TestAvp.FramingCapabilities(framings),
            TestAvp.HostName("lac"), TestAvp.AssignedTunnelId(peer.OwnTunnelId)];
        peer.Send(0, bearers is int bits ? [.. start, TestAvp.BearerCapabilities(bits)] : start);
        Assert.Equal(MessageType.Scccn, Assert.Single(peer.Take()).Type);
        Assert.Equal((int)CdnResult.NoFacilitiesPermanent, bench.Last(L2tpEventKind.SessionClosed).Disconnect!.Result);
        Assert.Equal(SessionState.Idle, waiting.State);
        Assert.Equal(SessionState.Idle, Place(bench, peer, Asked).State);
        Assert.Equal(0, bench.SessionIds.InUse);
    }

    [Theory]
    [InlineData(0, 1, 1, 1, 2, 6)]
    [InlineData(5, 1, 4, 1, 5, 0)]
    [InlineData(5, 1, 1, 4, 5, 0)]
    [InlineData(5, 9, 1, 1, 2, 3)]
    public void Request_that_cannot_be_served_is_refused_with_the_RFC_s_result(
        int sessionId, int minimum, int bearer, int framing, int result, int error)
    {
        var bench = new Bench(Dialling);
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, Ocrq(sessionId, minimum, bearer, framing));
        Assert.Equal((result, error), Assert.Single(peer.Take()).ResultCode());
        Assert.Null(peer.Tunnel.Ended);
        Assert.Equal(0, bench.SessionIds.InUse);
    }

    [Fact]
    public void Call_that_nobody_answers_in_time_is_given_up_with_result_10()
    {
        var bench = new Bench(Dialling);
        HandPeer peer = HandPeer.Established(bench);
        Request(peer).Accept(bench.Now);
        bench.Drain();
        peer.Take();
        peer.Tunnel.NoteDataReceived(bench.Now);
        bench.Pass(61);
        Assert.Equal((10, 0), Assert.Single(peer.Take(MessageType.Cdn)).ResultCode());
        Assert.Equal(0, bench.Endpoint.SessionCount);
    }

    [Theory]
    [InlineData(L2tpBuilder.Ocrq)]
    [InlineData(L2tpBuilder.Ocrp)]
    [InlineData(L2tpBuilder.Occn)]
    public void Message_of_an_outgoing_call_ends_an_incoming_one(int type)
    {
        var bench = new Bench(Dialling);
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.ConnectedCall(PeerSessionId);
        peer.Send(session.LocalSessionId, type switch
        {
            L2tpBuilder.Ocrq => Ocrq(PeerSessionId),
            L2tpBuilder.Ocrp => Ocrp(PeerSessionId),
            _ => Occn(),
        });
        Assert.Equal(MessageType.Cdn, Assert.Single(peer.Take()).Type);
        Assert.Equal(SessionState.Idle, session.State);
    }

    [Fact]
    public void SLI_and_WEN_go_the_way_of_their_roles_and_are_told()
    {
        var world = new World(1);
        Node lns = world.Add("192.0.2.10", Bench.Plain);
        Node lac = world.Add("192.0.2.20", Dialling);
        Tunnel tunnel = world.Connect(lns, lac, Bench.Plain);
        Assert.True(tunnel.TryPlaceOutgoingCall(Asked, world.Now, out Session? atLns));
        Assert.False(atLns.TrySendAccm(new(1, 2), world.Now));
        world.RunUntil(() => atLns.State == SessionState.Established);
        Session atLac = lac.Last(L2tpEventKind.SessionEstablished).Session!;
        var errors = new CallErrors { Crc = 1, Framing = 2, HardwareOverruns = 3, BufferOverruns = 4, Timeouts = 5, Alignment = 6 };
        Assert.False(atLns.TrySendCallErrors(errors, world.Now));
        Assert.False(atLac.TrySendAccm(new(1, 2), world.Now));
        Assert.True(atLns.TrySendAccm(new(0x000A0000, 0xFFFFFFFF), world.Now));
        Assert.True(atLac.TrySendCallErrors(errors, world.Now));
        world.RunUntil(() => lac.Count(L2tpEventKind.LinkInfoChanged) == 1 && lns.Count(L2tpEventKind.CallErrorsReported) == 1);
        Assert.Equal(new Accm(0x000A0000, 0xFFFFFFFF), atLac.Accm);
        Assert.Equal(errors, atLns.CallErrors);
        Assert.Null(atLns.Accm);
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
        Assert.Equal(next == "idle" && state != "idle", bench.Told(L2tpEventKind.SessionClosed) && state != "idle");
        Assert.Equal(next == "idle" ? 0 : 1, bench.SessionIds.InUse);
        Assert.Equal(next == "established", bench.Told(L2tpEventKind.SessionEstablished) && session!.State == SessionState.Established);
        Assert.Null(Assert.Single(bench.Endpoint.Tunnels).Ended); // no session costs the tunnel
    }

    private static string NameOf(SessionState state) => state switch
    {
        SessionState.WaitTunnel => "wait-tunnel",
        SessionState.WaitReply => "wait-reply",
        SessionState.WaitConnect => "wait-connect",
        SessionState.WaitCsAnswer => "wait-cs-answer",
        SessionState.Established => "established",
        _ => "idle",
    };

    private static (HandPeer Peer, Session? Session) ReachAsLns(Bench bench, string state, string happening)
    {
        if (state == "wait-tunnel" || happening == "open")
        {
            HandPeer dialled = HandPeer.Dialled(bench);
            return (dialled, state == "wait-tunnel" ? Place(bench, dialled, Asked) : null);
        }

        HandPeer peer = HandPeer.Dialled(bench);
        peer.SendReply(TestAvp.BearerCapabilities(3));
        peer.Take();
        Session session = Place(bench, peer, Asked);
        peer.Take();
        if (state == "idle")
        {
            // An LNS that has asked for a call before, so that it is known to be one.
            session.Close(Hangup, bench.Now);
            bench.Drain();
            peer.Take();
            bench.Events.Clear();
            return (peer, null);
        }

        if (state is "wait-connect" or "established")
        {
            peer.Send(session.LocalSessionId, Ocrp(PeerSessionId));
        }

        if (state == "established")
        {
            peer.Send(session.LocalSessionId, Occn());
        }

        return (peer, session);
    }

    private static Session? HappenAtLac(HandPeer peer, Session? session, string happening)
    {
        int id = session?.LocalSessionId ?? NobodysSession;
        switch (happening)
        {
            case "OCRQ ok":
                session = Request(peer);
                session.Accept(peer.Bench.Now);
                break;
            case "OCRQ bad":
                session = Request(peer);
                session.Refuse(Hangup, peer.Bench.Now);
                break;
            case "bearer answer":
                session!.Connect(new(64_000), peer.Bench.Now);
                break;
            case "bearer failure" or "close":
                session!.Close(Hangup, peer.Bench.Now);
                break;
            default:
                Send(peer, id, happening);
                break;
        }

        return session;
    }

    private static Session? HappenAtLns(Bench bench, HandPeer peer, Session? session, string happening)
    {
        int id = session?.LocalSessionId ?? NobodysSession;
        switch (happening)
        {
            case "open":
                session = Place(bench, peer, Asked);
                break;
            case "tunnel-open":
                peer.SendReply(TestAvp.BearerCapabilities(3));
                Assert.Equal(MessageType.Scccn, bench.Outbox[1].Type);
                bench.Outbox.RemoveAt(1);
                peer.Nr++;
                peer.Acknowledge();
                break;
            case "close":
                session!.Close(Hangup, bench.Now);
                break;
            case "OCRP bad":
                peer.Send(id, Ocrp(0));
                break;
            default:
                Send(peer, id, happening);
                break;
        }

        return session;
    }

    private static void Send(HandPeer peer, int sessionId, string message) => peer.Send(sessionId, message switch
    {
        "OCRQ" => Ocrq(PeerSessionId),
        "OCRP" or "OCRP ok" => Ocrp(PeerSessionId),
        "OCCN" => Occn(),
        _ => HandPeer.Cdn(PeerSessionId),
    });

    private static Session Request(HandPeer peer)
    {
        peer.Send(0, Ocrq(PeerSessionId));
        return peer.Bench.Last(L2tpEventKind.OutgoingCallRequested).Session!;
    }

    private static Session Place(Bench bench, HandPeer peer, OutgoingCall call)
    {
        Assert.True(peer.Tunnel.TryPlaceOutgoingCall(call, bench.Now, out Session? session));
        bench.Drain();
        return session;
    }

    private static TestAvp[] Ocrq(int ownSessionId, int minimum = 1, int bearer = 1, int framing = 1) =>
    [
        TestAvp.MessageType(L2tpBuilder.Ocrq), TestAvp.AssignedSessionId(ownSessionId), TestAvp.CallSerialNumber(1),
        TestAvp.Of32(16, minimum), TestAvp.Of32(17, 2), TestAvp.BearerType(bearer), TestAvp.FramingType(framing), TestAvp.CalledNumber("1"),
    ];

    private static TestAvp[] Ocrp(int ownSessionId) => [TestAvp.MessageType(L2tpBuilder.Ocrp), TestAvp.AssignedSessionId(ownSessionId)];

    private static TestAvp[] Occn() => [TestAvp.MessageType(L2tpBuilder.Occn), TestAvp.TxConnectSpeed(64_000), TestAvp.FramingType()];

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
