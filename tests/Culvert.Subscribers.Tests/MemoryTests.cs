using System.Runtime.CompilerServices;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

[CollectionDefinition(nameof(MemoryTests), DisableParallelization = true)]
public sealed class AloneInTheProcess;

/// <summary>What a session costs. Measured over the whole heap, so nothing else may run beside it.</summary>
[Collection(nameof(MemoryTests))]
public sealed class MemoryTests(ITestOutputHelper output)
{
    private const int Count = 10_000;

    /// <summary>60,000 sessions are to fit in 400 MB with everything else, which leaves a little over 6 kB for each.</summary>
    private const int MostOctetsPerSession = 6_000;

    [Fact]
    public void A_session_costs_less_than_6_kB_with_link_tunnel_share_and_data_plane()
    {
        NodeSettings settings = NodePair.LnsSettings([.. Enumerable.Range(0, Count).Select(i => NodePair.UserOf($"user{i}"))]);
        settings = settings with { Pools = [NodePair.PoolOf("pool", "100.64.0.0/16", "100.64.0.1")], Limits = new NodeLimits { HalfOpenSessions = Count } };
        long before = GC.GetTotalMemory(forceFullCollection: true);
        AccessEnd lns = Fill(settings);
        long after = GC.GetTotalMemory(forceFullCollection: true);

        long each = (after - before) / Count;
        output.WriteLine($"{each} octets per session ({Count} sessions, {(after - before) / 1_000_000.0:F1} MB)");
        TestContext.Current.SendDiagnosticMessage($"{each} octets per session");
        Assert.Equal(Count, lns.Access.SessionCount);
        Assert.InRange(each, 1, MostOctetsPerSession);
    }

    // Apart, so that nothing of the LAC and the network is still referred to.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AccessEnd Fill(NodeSettings settings)
    {
        var world = new SimulatedWorld(1);
        var lns = world.Add(new AccessEnd("lns", NodePair.LnsAt, settings, 1) { IsRecording = false, WatchesWindows = false });
        var lac = world.Add(new LacEnd("lac", NodePair.ClientAt, NodePair.LnsAt, 2) { WatchesWindows = false });
        for (int i = 0; i < Count; i++)
        {
            lac.PlaceCall($"user{i}", NodePair.Password);
        }

        Assert.True(world.RunUntil(() => lac.UpCount == Count, 300), lac.DescribeWhatIsHeld());
        world.Pass(120);
        Assert.Equal(Count, lns.Subscribers.Count(s => s.IsUp));
        return lns;
    }
}
