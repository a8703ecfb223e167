namespace Culvert.Subscribers.Tests;

public sealed class RedialTests
{
    [Fact]
    public void Candidates_are_tried_in_turn()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect(NodePair.DialOf() with { Lns = ["192.0.2.99", "192.0.2.1:9999", "192.0.2.1"] }, seconds: 120);
        Assert.Equal(NodePair.LnsAt, dial.Subscriber!.Tunnel.Path.Peer);
        Assert.Equal(3, pair.Client.Told(NodeEventKind.Detail).Count(e => e.Text.StartsWith("connecting to", StringComparison.Ordinal)));
        Assert.Equal(2, pair.Client.Told(NodeEventKind.TunnelDown).Count());
    }

    [Fact]
    public void Waits_grow_up_to_a_minute_and_start_again_after_success()
    {
        var pair = new NodePair();
        pair.Lns.IsOff = true;
        Dial dial = pair.Dial(NodePair.DialOf() with { Redial = true });
        var waits = new List<double>();
        for (int round = 0; round < 9; round++)
        {
            Assert.True(pair.World.RunUntil(() => dial.State == DialState.Waiting, 100));
            waits.Add((dial.NextAttempt - pair.Now).TotalSeconds);
            Assert.True(pair.World.RunUntil(() => dial.State == DialState.Connecting, 100));
        }

        double[] least = [0.75, 1.5, 3, 6, 12, 24, 45, 45, 45];
        double[] most = [1.25, 2.5, 5, 10, 20, 40, 75, 75, 75];
        for (int i = 0; i < waits.Count; i++)
        {
            Assert.InRange(waits[i], least[i] - 0.001, most[i] + 0.001);
        }

        pair.Lns.IsOff = false;
        Assert.True(pair.World.RunUntil(() => pair.IsUp(dial), 200));
        pair.Lns.Access.CloseSession(pair.AtLns(dial)!.Key, "again", pair.Now);
        pair.World.Settle(pair.Lns);
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Waiting, 20));
        Assert.InRange((dial.NextAttempt - pair.Now).TotalSeconds, 0.7, 1.3);
        Assert.True(pair.World.RunUntil(() => pair.IsUp(dial), 20));
    }

    [Fact]
    public void Names_are_looked_up_again_for_every_round()
    {
        var pair = new NodePair();
        int asked = 0;
        pair.Client.Resolve = _ => ++asked < 4 ? [] : [NodePair.LnsAt];
        Dial dial = pair.Connect(NodePair.DialOf() with { Redial = true });
        Assert.Equal(4, asked);
        Assert.Equal(3, pair.Client.Told(NodeEventKind.DialFailed).Count(e => e.Text.StartsWith("no address", StringComparison.Ordinal)));
        Assert.Equal(DialState.Up, dial.State);
    }

    [Fact]
    public void A_dial_stopped_at_any_moment_leaves_nothing()
    {
        for (int milliseconds = 0; milliseconds < 400; milliseconds += 7)
        {
            var pair = new NodePair(seed: (ulong)milliseconds + 1);
            Dial dial = pair.Dial(NodePair.DialOf() with { Redial = true });
            pair.World.Pass(milliseconds / 1000.0);
            pair.Stop(pair.Client, dial, "stopped");
            Assert.Equal(DialState.Ended, dial.State);
            pair.ExpectEverythingFreed(200);
        }
    }

    [Fact]
    public void Many_dials_come_and_go_without_growing_anything()
    {
        var pair = new NodePair();
        for (int i = 0; i < 50; i++)
        {
            Dial dial = pair.Connect(NodePair.DialOf() with { Name = $"dial{i}" });
            pair.Stop(pair.Client, dial, "next");
            pair.World.Pass(1);
        }

        Assert.Empty(pair.Client.Access.Dials);
        pair.ExpectEverythingFreed();
    }
}
