using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>RFC 2661 section 7.2.1, typed in row by row and held against a live endpoint.</summary>
public sealed class ControlConnectionStateTests
{
    // State | Event | Action | New State. "|" is the RFC's column; commas within the RFC's cells are one row each.
    private const string Table = """
        idle           | open                | SCCRQ   | wait-ctl-reply
        idle           | SCCRQ ok            | SCCRP   | wait-ctl-conn
        idle           | SCCRQ bad           | StopCCN | idle
        idle           | SCCRP               | StopCCN | idle
        idle           | SCCCN               | -       | idle
        wait-ctl-reply | SCCRP ok            | SCCCN   | established
        wait-ctl-reply | SCCRP bad           | StopCCN | idle
        wait-ctl-reply | SCCRQ loses tie     | -       | idle
        wait-ctl-reply | SCCCN               | StopCCN | idle
        wait-ctl-conn  | SCCCN ok            | -       | established
        wait-ctl-conn  | SCCCN bad           | StopCCN | idle
        wait-ctl-conn  | SCCRP               | StopCCN | idle
        wait-ctl-conn  | SCCRQ               | StopCCN | idle
        established    | open                | -       | established
        established    | close               | StopCCN | idle
        established    | SCCRQ               | StopCCN | idle
        established    | SCCRP               | StopCCN | idle
        established    | SCCCN               | StopCCN | idle
        idle           | StopCCN             | -       | idle
        wait-ctl-reply | StopCCN             | -       | idle
        wait-ctl-conn  | StopCCN             | -       | idle
        established    | StopCCN             | -       | idle
        """;

    private const string Secret = "tunnel-secret";

    private static readonly TunnelSettings Settings = Bench.Plain with { Secret = System.Text.Encoding.UTF8.GetBytes(Secret) };

    public static TheoryData<string, string, string, string> Rows()
    {
        var rows = new TheoryData<string, string, string, string>();
        foreach (string line in Table.Split('\n'))
        {
            string[] cells = [.. line.Split('|').Select(cell => cell.Trim())];
            rows.Add(cells[0], cells[1], cells[2], cells[3]);
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Live_engine_follows_the_row(string state, string happening, string action, string next)
    {
        var bench = new Bench(Settings);
        (HandPeer peer, byte[] challenge) = Reach(bench, state);
        Tunnel? tunnel = bench.Endpoint.TryFind(peer.TunnelId, out Tunnel? found) ? found : null;

        tunnel = Happen(bench, peer, tunnel, happening, challenge);

        List<Sent> sent = peer.Take();
        if (action == "-")
        {
            Assert.Empty(sent);
        }
        else
        {
            Assert.Equal(action, Assert.Single(sent).Type.Name());
        }

        Assert.Equal(next, NameOf(tunnel?.State ?? TunnelState.Idle));
        Assert.Equal(next == "idle" && state is not "idle", tunnel?.Ended is not null);
    }

    private static string NameOf(TunnelState state) => state switch
    {
        TunnelState.WaitCtlReply => "wait-ctl-reply",
        TunnelState.WaitCtlConn => "wait-ctl-conn",
        TunnelState.Established => "established",
        _ => "idle",
    };

    private static (HandPeer Peer, byte[] Challenge) Reach(Bench bench, string state)
    {
        if (state == "wait-ctl-reply")
        {
            HandPeer dialled = HandPeer.Dialled(bench, Settings);
            Assert.True(bench.Outbox[0].Read().TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> sent));
            return (dialled, sent.ToArray());
        }

        var peer = new HandPeer(bench, Bench.PathOf());
        if (state == "idle")
        {
            return (peer, []);
        }

        peer.SendStart();
        Assert.True(peer.TakeReply().Read().TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> value));
        byte[] challenge = value.ToArray();
        if (state == "established")
        {
            peer.Send(0, Scccn(challenge, Secret));
            Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        }

        return (peer, challenge);
    }

    private static Tunnel? Happen(Bench bench, HandPeer peer, Tunnel? tunnel, string happening, byte[] challenge)
    {
        switch (happening)
        {
            case "open" when tunnel is null:
                Assert.True(bench.Endpoint.TryConnect(peer.Path, Settings, bench.Now, out tunnel));
                bench.Drain();
                break;
            case "open":
                // "Send tunnel-open event to waiting sessions": a call is placed at once.
                Assert.True(tunnel.TryPlaceIncomingCall(IncomingCall.Default, bench.Now, out Session? session));
                Assert.Equal(SessionState.WaitReply, session.State);
                bench.Drain();
                Assert.Equal(MessageType.Icrq, Assert.Single(peer.Take()).Type);
                break;
            case "close":
                tunnel!.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest), bench.Now);
                bench.Drain();
                break;
            case "SCCRQ ok":
                peer.SendStart();
                tunnel = Assert.Single(bench.Endpoint.Tunnels);
                break;
            case "SCCRQ bad":
                peer.SendStart("lac", TestAvp.ReceiveWindowSize(0));
                break;
            case "SCCRQ loses tie":
                peer.Ns = 0;
                bench.Receive(peer.Path, L2tpBuilder.StartControlConnectionRequest(55, "peer", TestAvp.TieBreaker(1)));
                Assert.Equal(55, bench.Outbox[^1].Header.TunnelId); // the winner's SCCRQ was answered
                bench.Outbox.RemoveAt(bench.Outbox.Count - 1);
                break;
            case "SCCRQ":
                peer.Send(0, [.. Facts(L2tpBuilder.Sccrq, peer)]);
                break;
            case "SCCRP ok":
                peer.SendReply(TestAvp.ChallengeResponse(L2tpBuilder.Sccrp, Secret, challenge));
                break;
            case "SCCRP bad":
                peer.SendReply(TestAvp.ChallengeResponse(L2tpBuilder.Sccrp, "another secret", challenge));
                break;
            case "SCCRP" when tunnel is null:
                peer.TunnelId = 4242;
                peer.Nr = 1;
                peer.Send(0, [.. Facts(L2tpBuilder.Sccrp, peer)]);
                peer.TunnelId = 0;
                break;
            case "SCCRP":
                peer.Send(0, [.. Facts(L2tpBuilder.Sccrp, peer)]);
                break;
            case "SCCCN ok":
                peer.Send(0, Scccn(challenge, Secret));
                break;
            case "SCCCN bad":
                peer.Send(0, Scccn(challenge, "another secret"));
                break;
            case "SCCCN" or "StopCCN" when tunnel is null:
                peer.TunnelId = 4242;
                peer.Send(0, happening == "SCCCN" ? Scccn(challenge, Secret) : peer.StopCcn());
                peer.TunnelId = 0;
                break;
            case "SCCCN":
                peer.Send(0, Scccn(challenge, Secret));
                break;
            case "StopCCN":
                peer.Send(0, peer.StopCcn());
                break;
            default:
                throw new ArgumentException(happening, nameof(happening));
        }

        return tunnel;
    }

    private static TestAvp[] Facts(int type, HandPeer peer) =>
        [TestAvp.MessageType(type), TestAvp.ProtocolVersion(), TestAvp.FramingCapabilities(), TestAvp.HostName("peer"),
            TestAvp.AssignedTunnelId(peer.OwnTunnelId)];

    private static TestAvp[] Scccn(byte[] challenge, string secret) =>
        [TestAvp.MessageType(L2tpBuilder.Scccn), TestAvp.ChallengeResponse(L2tpBuilder.Scccn, secret, challenge)];
}
