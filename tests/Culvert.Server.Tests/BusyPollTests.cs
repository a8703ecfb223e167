using Culvert.Core;

namespace Culvert.Server.Tests;

public sealed class BusyPollTests
{
    private static readonly Timestamp Start = Timestamp.Zero + TimeSpan.FromSeconds(1);

    [Fact]
    public void Looks_as_long_as_what_came_took_to_handle()
    {
        var poll = new BusyPoll(patience: null);
        Assert.False(poll.GoOn(packets: 0, Start));
        Timestamp handled = Start + TimeSpan.FromMicroseconds(120);
        Assert.True(poll.GoOn(packets: 90, handled));
        Assert.True(poll.GoOn(packets: 90, handled + TimeSpan.FromMicroseconds(119)));
        Assert.False(poll.GoOn(packets: 90, handled + TimeSpan.FromMicroseconds(120)));
    }

    [Fact]
    public void Never_looks_longer_than_a_wake_up_costs()
    {
        var poll = new BusyPoll(patience: null);
        Assert.False(poll.GoOn(packets: 0, Start));
        Timestamp handled = Start + TimeSpan.FromSeconds(1);
        Assert.True(poll.GoOn(packets: 1, handled));
        Assert.False(poll.GoOn(packets: 1, handled + BusyPoll.MostPatience));
    }

    [Fact]
    public void Sleeps_between_single_packets()
    {
        var poll = new BusyPoll(patience: null);
        Timestamp now = Start;
        Assert.False(poll.GoOn(packets: 0, now));
        for (int packets = 1; packets < 100; packets++)
        {
            now += TimeSpan.FromMicroseconds(20);
            Assert.False(poll.GoOn(packets, now));
        }
    }

    [Fact]
    public void A_single_packet_does_not_end_the_looking_that_a_run_began()
    {
        var poll = new BusyPoll(patience: null);
        Assert.False(poll.GoOn(packets: 0, Start));
        Timestamp handled = Start + TimeSpan.FromMicroseconds(180);
        Assert.True(poll.GoOn(packets: 45, handled));
        Assert.True(poll.GoOn(packets: 46, handled + TimeSpan.FromMicroseconds(10)));
        Assert.True(poll.GoOn(packets: 46, handled + TimeSpan.FromMicroseconds(170)));
        Assert.False(poll.GoOn(packets: 46, handled + TimeSpan.FromMicroseconds(180)));
    }

    [Fact]
    public void A_fixed_patience_begins_with_every_packet()
    {
        var poll = new BusyPoll(TimeSpan.FromMicroseconds(100));
        Assert.True(poll.GoOn(packets: 1, Start));
        Assert.True(poll.GoOn(packets: 2, Start + TimeSpan.FromMicroseconds(90)));
        Assert.True(poll.GoOn(packets: 2, Start + TimeSpan.FromMicroseconds(189)));
        Assert.False(poll.GoOn(packets: 2, Start + TimeSpan.FromMicroseconds(190)));
    }
}
