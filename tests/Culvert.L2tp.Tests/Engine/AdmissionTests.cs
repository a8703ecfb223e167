using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>How fast peers may begin tunnels and calls.</summary>
public sealed class AdmissionTests
{
    [Fact]
    public void Starts_of_one_address_are_limited_and_others_are_not()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRatePerPeer = new(2, 5) });
        Start(bench, "198.51.100.7", 20);
        Start(bench, "198.51.100.8", 5);
        Assert.Equal(10, bench.Endpoint.HalfOpenCount);
        Assert.Equal(15, bench.Endpoint.Counters[L2tpCounter.StartRateExceeded]);
        bench.Pass(1);
        Start(bench, "198.51.100.7", 20, first: 100);
        Assert.Equal(12, bench.Endpoint.HalfOpenCount); // two per second
    }

    /// <summary>A reload: what bounds the future changes, what tables were made by does not, and nothing that is there is closed.</summary>
    [Fact]
    public void Other_limits_hold_from_now_on()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRatePerPeer = new(1, 5), MaxHalfOpenTunnelsPerPeer = 64 });
        Start(bench, "198.51.100.7", 20);
        Assert.Equal(5, bench.Endpoint.HalfOpenCount);
        EndpointLimits before = bench.Endpoint.Limits;
        bench.Endpoint.Apply(before with { StartRatePerPeer = RateLimit.None, MaxHalfOpenTunnelsPerPeer = 8, MaxTunnels = 1, MaxSessions = 1, PendingStarts = 1 });
        Start(bench, "198.51.100.7", 20, first: 100);
        Assert.Equal(8, bench.Endpoint.HalfOpenCount);
        bench.Endpoint.Apply(before with { StartRatePerPeer = RateLimit.None, MaxHalfOpenTunnelsPerPeer = 3 });
        Assert.Equal(8, bench.Endpoint.HalfOpenCount);
        Start(bench, "198.51.100.8", 20);
        Assert.Equal(11, bench.Endpoint.HalfOpenCount);
        Assert.Equal((before.MaxTunnels, before.MaxSessions, before.PendingStarts), (bench.Endpoint.Limits.MaxTunnels, bench.Endpoint.Limits.MaxSessions, bench.Endpoint.Limits.PendingStarts));
    }

    [Fact]
    public void Repeated_SCCRQ_of_a_known_start_costs_nothing()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRatePerPeer = new(1, 1) });
        for (int i = 0; i < 5; i++)
        {
            bench.Receive(Bench.PathOf(), L2tpBuilder.StartControlConnectionRequest(77));
        }

        Assert.Equal(0, bench.Endpoint.Counters[L2tpCounter.StartRateExceeded]);
    }

    [Fact]
    public void Starts_are_limited_in_all()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRate = new(10, 10) });
        for (int i = 0; i < 30; i++)
        {
            Start(bench, $"198.51.100.{i + 1}", 1);
        }

        Assert.Equal(10, bench.Endpoint.HalfOpenCount);
        Assert.Equal(20, bench.Endpoint.Counters[L2tpCounter.StartRateExceeded]);
    }

    [Fact]
    public void Table_of_peers_is_bounded_and_makes_room_for_new_ones_from_those_that_rested()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRatePerPeer = new(10, 2), RatedPeers = 10 });
        for (int i = 1; i <= 50; i++)
        {
            Start(bench, $"198.51.100.{i}", 1);
        }

        Assert.Equal(50, bench.Endpoint.HalfOpenCount); // those without a place are not held back
        Start(bench, "198.51.100.1", 3, first: 9);
        Assert.Equal(51, bench.Endpoint.HalfOpenCount); // those with one are
        Start(bench, "198.51.100.50", 3, first: 9);
        Assert.Equal(54, bench.Endpoint.HalfOpenCount);
        bench.Pass(2);
        Start(bench, "198.51.100.50", 3, first: 20);
        Assert.Equal(56, bench.Endpoint.HalfOpenCount); // now it has a place
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Calls_that_come_too_fast_are_told_to_try_again_later(bool perTunnel)
    {
        var limit = new RateLimit(5, 10);
        var bench = new Bench(
            Bench.Plain with { CallRate = perTunnel ? limit : RateLimit.None },
            EndpointLimits.Default with { CallRate = perTunnel ? RateLimit.None : limit });
        HandPeer first = HandPeer.Established(bench, ownTunnelId: 1);
        HandPeer second = HandPeer.Established(bench, Bench.PathOf("198.51.100.8"), 2);
        int refused = Call(first, 15);
        Assert.Equal(5, refused);
        Assert.Equal(perTunnel ? 0 : 5, Call(second, 5));
        Assert.Equal(perTunnel ? 5 : 10, bench.Endpoint.Counters[L2tpCounter.CallRateExceeded]);
        bench.Pass(2);
        Assert.Equal(0, Call(first, 10));
    }

    [Fact]
    public void Calls_are_deferred_while_the_owner_says_so_and_those_offered_before_go_on()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session before = peer.Call(5);
        bench.Endpoint.DefersCalls = true;
        Assert.Equal(3, Call(peer, 3));
        peer.Send(before.LocalSessionId, HandPeer.Iccn());
        Assert.Equal(SessionState.Established, before.State);
        Assert.Equal(3, bench.Endpoint.Counters[L2tpCounter.CallsDeferred]);
        Assert.True(bench.Endpoint.TryNextReport(bench.Now, out AdmissionReport report));
        Assert.Equal(L2tpCounter.CallsDeferred, report.Reason);
        bench.Endpoint.DefersCalls = false;
        Assert.Equal(0, Call(peer, 3));
    }

    private static int Call(HandPeer peer, int count)
    {
        int before = peer.Bench.SessionIds.InUse;
        for (int i = 0; i < count; i++)
        {
            peer.Send(0, HandPeer.Icrq(1000 + peer.Ns));
        }

        List<Sent> refusals = peer.Take(MessageType.Cdn);
        Assert.All(refusals, cdn => Assert.Equal((4, 0), cdn.ResultCode()));
        Assert.Equal(count - refusals.Count, peer.Bench.SessionIds.InUse - before);
        return refusals.Count;
    }

    private static void Start(Bench bench, string address, int count, int first = 1)
    {
        for (int i = 0; i < count; i++)
        {
            bench.Receive(Bench.PathOf(address), L2tpBuilder.StartControlConnectionRequest(first + i));
        }
    }
}
