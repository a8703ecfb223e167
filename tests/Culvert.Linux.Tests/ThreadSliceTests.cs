namespace Culvert.Linux.Tests;

public sealed class ThreadSliceTests
{
    [Fact]
    public void A_thread_gets_the_slice_it_asks_for_and_others_keep_theirs()
    {
        TimeSpan before = ThreadSlice.Current;
        Assert.SkipWhen(before == TimeSpan.Zero, "this kernel does not let threads choose their slice (Linux 6.12 does)");
        TimeSpan there = default;
        bool isSet = false;
        var thread = new Thread(() =>
        {
            isSet = ThreadSlice.TrySet(ThreadSlice.Shortest);
            there = ThreadSlice.Current;
        });
        thread.Start();
        thread.Join();
        Assert.True(isSet);
        Assert.Equal(ThreadSlice.Shortest, there);
        Assert.Equal(before, ThreadSlice.Current);
    }
}
