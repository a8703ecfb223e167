using Culvert.Core;

namespace Culvert.Testing.Tests;

public sealed class SimulatedNetworkTests
{
    private static readonly LinkConditions Bad = new()
    {
        Loss = 0.2,
        Duplication = 0.1,
        Reordering = 0.1,
        Jitter = TimeSpan.FromMilliseconds(5),
    };

    [Fact]
    public void The_same_seed_gives_the_same_story() => Assert.Equal(Story(7), Story(7));

    [Fact]
    public void Another_seed_gives_another_story() => Assert.NotEqual(Story(7), Story(8));

    [Fact]
    public void Loss_and_duplication_come_in_the_measure_asked_for()
    {
        var network = new SimulatedNetwork(1, Bad);
        for (int i = 0; i < 10_000; i++)
        {
            network.Send(LossyLink.EndpointOf(LossyLink.End.A), LossyLink.EndpointOf(LossyLink.End.B), [1], Timestamp.Zero);
        }

        Assert.InRange(network.Lost, 1_800, 2_200);
        Assert.InRange(network.Duplicated, 700, 900);
        Assert.Equal(network.Sent - network.Lost + network.Duplicated, network.Underway);
    }

    [Fact]
    public void A_perfect_link_keeps_order_and_time()
    {
        var clock = new ManualClock();
        var link = new LossyLink(1);
        link.Send(LossyLink.End.A, [1], clock.Now);
        link.Send(LossyLink.End.A, [2], clock.Now);
        Assert.False(link.TryReceive(clock.Now, out _, out _));
        clock.JumpTo(link.NextDeadline);
        Assert.True(link.TryReceive(clock.Now, out LossyLink.End end, out byte[] first));
        Assert.True(link.TryReceive(clock.Now, out _, out byte[] second));
        Assert.Equal((LossyLink.End.B, 1, 2), (end, first[0], second[0]));
        Assert.Equal(Timestamp.Never, link.NextDeadline);
    }

    private static string Story(ulong seed)
    {
        var link = new LossyLink(seed, Bad);
        for (int i = 0; i < 100; i++)
        {
            link.Send(LossyLink.End.B, [(byte)i], Timestamp.FromMilliseconds(i));
        }

        var story = new List<byte>();
        while (link.TryReceive(Timestamp.FromMilliseconds(1000), out _, out byte[] payload))
        {
            story.Add(payload[0]);
        }

        return Hex.Dump([.. story]);
    }
}
