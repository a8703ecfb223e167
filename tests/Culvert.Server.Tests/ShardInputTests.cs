using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server.Tests;

/// <summary>What other threads and the network tell a shard, as much as they like: it handles a little at a time, and goes on forwarding.</summary>
public class ShardInputTests
{
    private static readonly IpAddress First = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress Second = IpAddress.Parse("192.0.2.2");

    [Fact]
    public void Work_that_begets_work_leaves_room_for_packets()
    {
        using var wake = new WakeEvent();
        var mailbox = new Mailbox(wake);
        int done = 0;
        void Again()
        {
            done++;
            Assert.True(mailbox.TryPost(Again));
        }

        Assert.True(mailbox.TryPost(Again));
        Assert.True(mailbox.TryPost(Again));
        for (int turn = 1; turn <= 10; turn++)
        {
            mailbox.Drain();
            Assert.Equal(2 * turn, done);
        }
    }

    [Fact]
    public void A_full_mailbox_is_emptied_and_signals_are_not_lost()
    {
        using var wake = new WakeEvent();
        using var poller = new Poller();
        poller.Add(wake.Descriptor, 1);
        var mailbox = new Mailbox(wake);
        int posted = 0;
        int done = 0;
        while (mailbox.TryPost(() => done++))
        {
            posted++;
        }

        Assert.InRange(posted, 100, 10_000);
        Assert.Equal(1, poller.Wait(Timestamp.Zero));
        mailbox.Drain();
        Assert.Equal(posted, done);
        Assert.Equal(0, poller.Wait(Timestamp.Zero));
        Assert.True(mailbox.TryPost(() => mailbox.TryPost(() => done = -1)));
        mailbox.Drain();
        Assert.Equal(1, poller.Wait(Timestamp.Zero));
        mailbox.Drain();
        Assert.Equal(-1, done);
    }

    [Fact]
    public void Reports_beyond_the_limit_are_told_of()
    {
        var reports = new PathReports();
        Assert.False(reports.TryTake(out _, out _));
        for (int i = 0; i < PathReports.Capacity; i++)
        {
            reports.Add(First);
        }

        Assert.True(reports.TryTake(out IpAddress peer, out bool hasLost));
        Assert.Equal((First, false), (peer, hasLost));
        reports.Add(Second);
        reports.Add(Second);
        int left = 0;
        int told = 0;
        while (reports.TryTake(out _, out hasLost))
        {
            left++;
            told += hasLost ? 1 : 0;
        }

        Assert.Equal((PathReports.Capacity, 1), (left, told));
        reports.Add(Second);
        Assert.True(reports.TryTake(out peer, out hasLost));
        Assert.Equal((Second, false), (peer, hasLost));
    }

    [Fact]
    public void Changed_paths_are_looked_into_one_after_another_and_none_is_forgotten()
    {
        var changes = new PathChanges();
        Timestamp now = Timestamp.FromMilliseconds(1000);
        Assert.Equal(Timestamp.Never, changes.NextDeadline);
        for (int i = 0; i < 100; i++)
        {
            changes.Add(First);
            changes.Add(Second);
        }

        Assert.True(changes.TryTake(now, out IpAddress peer));
        Assert.Equal(First, peer);
        Assert.False(changes.TryTake(now, out _));
        Assert.Equal(now + PathChanges.Pace, changes.NextDeadline);
        changes.Add(First);
        Assert.True(changes.TryTake(now + PathChanges.Pace, out peer));
        Assert.Equal(Second, peer);
        Assert.True(changes.TryTake(now + (PathChanges.Pace * 2), out peer));
        Assert.Equal(First, peer);
        Assert.True(changes.IsEmpty);
        Assert.False(changes.TryTake(now + (PathChanges.Pace * 3), out _));
    }

    [Fact]
    public void A_thread_that_does_not_sleep_listens_all_the_same()
    {
        var poll = new BusyPoll(TimeSpan.FromSeconds(1));
        poll.Woke();
        Timestamp woke = MonotonicClock.Now;
        Assert.False(poll.MustListen(woke));
        Assert.True(poll.MustListen(woke + BusyPoll.LongestDeafness));
        Assert.True(poll.GoOn(1, woke));
        Assert.True(poll.MustListen(woke + BusyPoll.LongestDeafness));
    }
}
