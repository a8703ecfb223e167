using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Control messages that come before a missing one, in many tunnels at once.</summary>
public sealed class HeldMessageTests
{
    private const int Peers = 40;
    private const int Early = 20;

    private readonly Bench _bench = new(limits: EndpointLimits.Default with { HeldOctets = 20_000 });

    /// <summary>What each tunnel may keep is bounded by its window; 20,000 tunnels that never fill the gap kept gigabytes.</summary>
    [Fact]
    public void All_tunnels_together_keep_no_more_than_the_limit()
    {
        List<HandPeer> peers = Flooded();
        long held = _bench.Endpoint.Counters[L2tpCounter.MessagesHeld];
        Assert.InRange(held, 50, 300); // of 800; 75 octets or so each, and the slots
        Assert.Equal((Peers * Early) - held, _bench.Endpoint.Counters[L2tpCounter.MessagesOutsideWindow]);

        // What was not kept is sent again, and nothing is lost.
        foreach (HandPeer peer in peers)
        {
            SendCalls(peer, from: 0);
        }

        Assert.Equal(Peers * (Early + 1), _bench.Endpoint.SessionCount);
        Assert.Equal(held, _bench.Endpoint.Counters[L2tpCounter.MessagesHeld]);
    }

    [Fact]
    public void What_was_kept_is_given_back_when_the_gap_is_filled()
    {
        List<HandPeer> peers = Flooded();
        peers.ForEach(peer => SendCalls(peer, from: 0));
        ExpectRoom();
    }

    [Fact]
    public void What_was_kept_is_given_back_when_the_tunnels_end()
    {
        _ = Flooded();
        _bench.Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.GeneralRequest), _bench.Now);
        _bench.Pass(300);
        Assert.Empty(_bench.Endpoint.Tunnels);
        ExpectRoom();
    }

    [Fact]
    public void A_higher_limit_is_in_force_at_once()
    {
        _ = Flooded();
        _bench.Endpoint.Apply(_bench.Endpoint.Limits with { HeldOctets = 60_000 });
        ExpectRoom();
    }

    private void ExpectRoom()
    {
        long before = _bench.Endpoint.Counters[L2tpCounter.MessagesHeld];
        HandPeer late = HandPeer.Established(_bench, Bench.PathOf("203.0.113.200"));
        SendCalls(late, from: 1);
        Assert.Equal(Early, _bench.Endpoint.Counters[L2tpCounter.MessagesHeld] - before);
    }

    /// <summary>Many peers, of each of which the first call is missing.</summary>
    private List<HandPeer> Flooded()
    {
        var peers = new List<HandPeer>();
        for (int i = 0; i < Peers; i++)
        {
            peers.Add(HandPeer.Established(_bench, Bench.PathOf($"203.0.113.{i + 1}")));
            SendCalls(peers[i], from: 1);
        }

        return peers;
    }

    private static void SendCalls(HandPeer peer, int from)
    {
        for (int call = from; call <= Early; call++)
        {
            peer.Bench.Receive(peer.Path, L2tpBuilder.Control(peer.TunnelId, 0, peer.Ns + call, peer.Nr, HandPeer.Icrq(call + 1)));
        }
    }
}
