namespace Culvert.L2tp.Tests.Engine;

/// <summary>Tests that measure the heap of the whole process run with no other beside them.</summary>
[CollectionDefinition(nameof(MeasuredAlone), DisableParallelization = true)]
public sealed class MeasuredAlone;

/// <summary>What an idle tunnel and an idle session cost: 60,000 sessions must fit in a small node.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class MemoryTests
{
    private const int Tunnels = 200;
    private const int SessionsEach = 50;

    [Fact]
    public void Idle_session_costs_less_than_640_octets_at_each_end()
    {
        var world = new World(1);
        Node lac = world.Add("192.0.2.10", Bench.Plain);
        Node lns = world.Add("192.0.2.20", Bench.Plain);
        for (int i = 0; i < Tunnels; i++)
        {
            world.Connect(lac, lns, Bench.Plain);
        }

        world.RunUntil(() => lns.Count(L2tpEventKind.TunnelEstablished) == Tunnels);
        long empty = Measure(world, lac, lns);
        foreach (Tunnel tunnel in lac.Endpoint.Tunnels)
        {
            for (int i = 0; i < SessionsEach; i++)
            {
                Assert.True(tunnel.TryPlaceIncomingCall(IncomingCall.Default, world.Now, out Session? _));
            }
        }

        world.RunUntil(() => lns.Endpoint.SessionCount == Tunnels * SessionsEach && lns.Endpoint.SessionsBeingSetUp == 0);
        long full = Measure(world, lac, lns);
        Assert.InRange((full - empty) / (Tunnels * SessionsEach), 0, 2 * 640);
    }

    private static long Measure(World world, Node lac, Node lns)
    {
        world.Pass(1);
        lac.Events.Clear();
        lac.Events.TrimExcess();
        lns.Events.Clear();
        lns.Events.TrimExcess();
        long octets = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive(world);
        return octets;
    }
}
