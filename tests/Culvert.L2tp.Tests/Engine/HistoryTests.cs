using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Each tunnel and session says what became of it.</summary>
public sealed class HistoryTests
{
    [Fact]
    public void Session_tells_its_messages_and_states_and_is_remembered_after_its_end()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        bench.Pass(1);
        Session session = peer.Offer(501);
        bench.Pass(2);
        session.Accept(bench.Now);
        bench.Drain();
        peer.Take();
        peer.Send(session.LocalSessionId, HandPeer.Iccn());
        bench.Pass(3);
        peer.Send(session.LocalSessionId, HandPeer.Cdn(501));
        bench.Pass(4);
        string[] lines = [.. session.History.Lines(bench.Now)];
        Assert.Equal(
            [
                "      9.0 s ago  received ICRQ, Ns 2, Nr 1, 38 octets -> Offered",
                "      7.0 s ago  sent ICRP, Ns 1, Nr 3, 28 octets -> WaitConnect",
                "      7.0 s ago  received ICCN, Ns 3, Nr 2, 40 octets -> Established",
                "      4.0 s ago  received CDN, Ns 4, Nr 2, 38 octets, result 3 administrative reasons -> Idle",
            ],
            lines);
        EndedRecord record = Assert.Single(bench.Endpoint.EndedSessions);
        Assert.Equal((session.LocalSessionId, 501), (record.LocalSessionId, record.PeerSessionId));
        string[] told = [.. record.Lines(bench.Now)];
        Assert.Equal("ended 4.0 s ago, established for 3.0 s", told[1]);
        Assert.Equal("closed by the peer: administrative reasons (CDN 3)", told[2]);
        Assert.Equal(lines, told[3..]);
        Assert.Same(session.Ended, record.Why);
    }

    [Fact]
    public void Tunnel_tells_its_own_messages_those_of_its_sessions_and_what_came_again()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Tunnel tunnel = peer.Tunnel;
        Session session = peer.ConnectedCall(501);
        bench.Receive(peer.Path, L2tpBuilder.Control(peer.TunnelId, session.LocalSessionId, peer.Ns - 1, peer.Nr, HandPeer.Iccn()));
        tunnel.Close(Disconnect.OfTunnel(StopCcnResult.ShuttingDown), bench.Now);
        var kinds = new List<string>();
        foreach (HistoryEntry entry in tunnel.History)
        {
            kinds.Add($"{entry.Kind} {entry.Message} {entry.LocalSessionId != 0} {(TunnelState)entry.State}");
        }

        Assert.Equal(
            [
                "Sent Sccrp False WaitCtlConn", "Received Scccn False Established", "Received Icrq False Established",
                "Sent Icrp True Established", "Received Iccn True Established", "Repeated Iccn True Established",
                "State 0 False Idle", "Sent StopCcn False Idle",
            ],
            kinds);
        Assert.Contains("result 6 requester is being shut down", tunnel.History.Lines(bench.Now).Last(), StringComparison.Ordinal);
        bench.Pass(60);
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Same(tunnel.Ended, Assert.Single(bench.Endpoint.EndedTunnels).Why);
    }

    [Fact]
    public void History_is_bounded_and_says_what_it_has_forgotten()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { EndedSessionsKept = 3 });
        HandPeer peer = HandPeer.Established(bench);
        for (int i = 1; i <= 20; i++)
        {
            Session session = peer.ConnectedCall(i);
            session.Close(Disconnect.OfSession(CdnResult.LostCarrier), bench.Now);
            bench.Drain();
            peer.Take();
        }

        Assert.Equal(32, peer.Tunnel.History.Count);
        Assert.StartsWith("(50 earlier ones are forgotten)", peer.Tunnel.History.Lines(bench.Now).First(), StringComparison.Ordinal);
        Assert.Equal([20, 19, 18], bench.Endpoint.EndedSessions.Select(record => (int)record.PeerSessionId));
    }

    [Fact]
    public void Peer_that_falls_silent_is_described_with_its_data()
    {
        var bench = new Bench(Bench.Plain with { Channel = new() { HelloInterval = TimeSpan.Zero } });
        HandPeer peer = HandPeer.Established(bench);
        Tunnel tunnel = peer.Tunnel;
        peer.Offer(501).Accept(bench.Now);
        bench.Drain();
        bench.Pass(29);
        tunnel.NoteDataReceived(bench.Now);
        bench.Pass(3);
        Assert.Equal(
            "peer 198.51.100.7 acknowledged nothing for 31 s (9 tries); last heard Ns 2, 31 s ago; data still arrived until 2 s ago",
            tunnel.Ended!.Message);
    }

    [Theory]
    [InlineData(1, L2tpCounter.VersionL2f)]
    [InlineData(3, L2tpCounter.VersionL2tpV3)]
    [InlineData(4, L2tpCounter.BadHeader)]
    public void Other_protocols_on_the_port_are_told_apart(int version, L2tpCounter counter)
    {
        var bench = new Bench();
        byte[] start = L2tpBuilder.StartControlConnectionRequest(1);
        start[1] = (byte)((start[1] & 0xF0) | version);
        bench.Receive(Bench.PathOf(), start);
        Assert.Equal(1, bench.Endpoint.Counters[counter]);
        Assert.Empty(bench.Outbox);
    }
}
