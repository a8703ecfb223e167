using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class PollerTests
{
    [Fact]
    public void A_wake_up_from_another_thread_ends_the_wait()
    {
        using var poller = new Poller();
        using var wake = new WakeEvent();
        poller.Add(wake.Descriptor, 42);
        Assert.Equal(0, poller.Wait(Timestamp.Zero));

        var other = new Thread(wake.Set);
        other.Start();
        Assert.Equal(1, poller.Wait(MonotonicClock.Now + TimeSpan.FromSeconds(20)));
        other.Join();
        Assert.Equal(new Readiness(42, PollEvents.Readable), poller.Ready(0));
        Assert.True(poller.Ready(0).IsReadable);
        Assert.False(poller.Ready(0).HasError);

        wake.Set();
        wake.Clear();
        Assert.Equal(0, poller.Wait(Timestamp.Zero));
        wake.Clear();
        Assert.Throws<ArgumentOutOfRangeException>(() => poller.Ready(0));
    }

    [Fact]
    public void A_deadline_is_never_early_and_finer_than_a_millisecond()
    {
        using var poller = new Poller();
        var best = TimeSpan.MaxValue;
        for (int i = 0; i < 100; i++)
        {
            Timestamp deadline = MonotonicClock.Now + TimeSpan.FromMicroseconds(200);
            Assert.Equal(0, poller.Wait(deadline));
            TimeSpan late = MonotonicClock.Now - deadline;
            Assert.InRange(late, TimeSpan.Zero, TimeSpan.FromSeconds(2));
            best = late < best ? late : best;
        }

        Assert.InRange(best, TimeSpan.Zero, TimeSpan.FromMicroseconds(600));
    }

    [Fact]
    public void A_deadline_in_the_past_only_looks_and_no_deadline_waits()
    {
        using var poller = new Poller();
        using var wake = new WakeEvent();
        poller.Add(wake.Descriptor, 1);
        Assert.Equal(0, poller.Wait(MonotonicClock.Now - TimeSpan.FromSeconds(5)));
        wake.Set();
        Assert.Equal(1, poller.Wait(Timestamp.Never));
    }

    [Fact]
    public void Several_descriptors_keep_their_tokens()
    {
        using var poller = new Poller(capacity: 2);
        WakeEvent[] events = [new(), new(), new()];
        for (int i = 0; i < events.Length; i++)
        {
            poller.Add(events[i].Descriptor, -i);
        }

        events[0].Set();
        events[2].Set();
        Assert.Equal(2, poller.Wait(Timestamp.Zero));
        Assert.Equal([-2, 0], new[] { poller.Ready(0).Token, poller.Ready(1).Token }.Order());

        poller.Remove(events[0].Descriptor);
        Assert.Equal(1, poller.Wait(Timestamp.Zero));
        poller.Change(events[2].Descriptor, 9, PollEvents.Writable);
        Assert.Equal(1, poller.Wait(Timestamp.Zero));
        Assert.Equal(new Readiness(9, PollEvents.Writable), poller.Ready(0));
        Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => poller.Add(events[2].Descriptor, 1)).Error);
        Array.ForEach(events, wake => wake.Dispose());
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(100)]
    public void Any_number_of_descriptors_is_watched_in_the_same_way(int capacity)
    {
        using var poller = new Poller(capacity);
        WakeEvent[] events = [.. Enumerable.Range(0, 40).Select(_ => new WakeEvent())];
        for (int i = 0; i < events.Length; i++)
        {
            poller.Add(events[i].Descriptor, i);
            Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => poller.Add(events[i].Descriptor, i)).Error);
        }

        for (int i = 0; i < events.Length; i++)
        {
            events[i].Set();
            Assert.Equal(1, poller.Wait(Timestamp.Never));
            Assert.Equal(new Readiness(i, PollEvents.Readable), poller.Ready(0));
            events[i].Clear();
        }

        // All at once, and each that was reported is dealt with: none is forgotten.
        Array.ForEach(events, wake => wake.Set());
        var seen = new HashSet<int>();
        while (seen.Count < events.Length)
        {
            int ready = poller.Wait(Timestamp.Zero);
            Assert.InRange(ready, 1, capacity);
            for (int i = 0; i < ready; i++)
            {
                Assert.True(seen.Add(poller.Ready(i).Token));
                events[poller.Ready(i).Token].Clear();
            }
        }

        for (int i = 0; i < events.Length; i++)
        {
            poller.Change(events[i].Descriptor, 100 + i, PollEvents.Writable);
            poller.Remove(events[i].Descriptor);
            Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => poller.Remove(events[i].Descriptor)).Error);
            Assert.Equal(0, poller.Wait(Timestamp.Zero));
            poller.Add(events[i].Descriptor, i);
        }

        Assert.Equal(0, poller.Wait(Timestamp.Zero));
        Array.ForEach(events, wake => wake.Dispose());
    }

    [Fact]
    public void What_cannot_be_watched_is_said()
    {
        using var poller = new Poller();
        using var wake = new WakeEvent();
        Assert.Equal(Errno.EBADF, Assert.Throws<LinuxException>(() => poller.Add(int.MaxValue, 1)).Error);
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => poller.Change(wake.Descriptor, 1, PollEvents.Writable)).Error);
        Assert.Equal(0, poller.Wait(Timestamp.Zero));
    }

    [Fact]
    public void Waking_after_the_end_does_nothing()
    {
        var wake = new WakeEvent();
        wake.Set();
        wake.Dispose();
        wake.Set();
        Assert.True(true, "no exception");
    }

    [Fact]
    public void A_wait_allocates_nothing()
    {
        using var poller = new Poller();
        using var wake = new WakeEvent();
        poller.Add(wake.Descriptor, 1);
        int ready = 0;
        Assert.Equal(0, Allocation.Of(() => ready = Spin(poller, wake, 10_000)));
        Assert.Equal(10_000, ready);
    }

    private static int Spin(Poller poller, WakeEvent wake, int count)
    {
        int ready = 0;
        for (int i = 0; i < count; i++)
        {
            wake.Set();
            ready += poller.Wait(MonotonicClock.Now + TimeSpan.FromSeconds(1));
            ready -= poller.Ready(0).IsReadable ? 0 : 1;
            wake.Clear();
        }

        return ready;
    }
}
