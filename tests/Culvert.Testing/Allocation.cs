namespace Culvert.Testing;

/// <summary>What code that is warm allocates.</summary>
public static class Allocation
{
    private const int Passes = 4;

    /// <summary>
    /// Octets that <paramref name="pass"/> allocates on this thread: the least of up to four passes, and no more of them after one that
    /// allocated nothing. What code allocates for each packet is in every pass; what the runtime allocates itself (for statics, handles, a
    /// method that is compiled again) falls once on whatever thread comes first, warmed up or not.
    /// </summary>
    public static long Of(Action pass)
    {
        long least = long.MaxValue;
        for (int i = 0; i < Passes && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            pass();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
