using System.Numerics;

namespace Culvert.Blast;

/// <summary>
/// Durations counted in classes whose width grows with their size (32 to each power of two, so a percentile is at most 3.2 % too
/// high). Recording costs nanoseconds and allocates nothing; the size is fixed, whatever is recorded.
/// </summary>
public sealed class LatencyHistogram
{
    private const int SubBits = 5;
    private const int SubCount = 1 << SubBits;

    /// <summary>Longer than 18 minutes counts as 18 minutes.</summary>
    private const int MostBits = 40;

    private readonly long[] _counts = new long[(MostBits - SubBits + 1) * SubCount];

    public long Count { get; private set; }

    /// <summary>The largest value recorded, exactly.</summary>
    public TimeSpan Max => TimeSpan.FromTicks(_max / 100);

    private long _max;

    /// <summary>Counts a duration in nanoseconds; a negative one (a clock that was set back) as 0.</summary>
    public void Record(long nanoseconds)
    {
        long value = Math.Clamp(nanoseconds, 0, (1L << MostBits) - 1);
        _max = Math.Max(_max, value);
        _counts[ClassOf(value)]++;
        Count++;
    }

    /// <summary>The duration that <paramref name="share"/> (0 to 1) of all values do not exceed; zero when nothing was recorded.</summary>
    public TimeSpan Percentile(double share)
    {
        long wanted = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (int i = 0; i < _counts.Length && Count > 0; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
            {
                return TimeSpan.FromTicks(Math.Min(UpperBound(i), _max) / 100);
            }
        }

        return TimeSpan.Zero;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
        _max = 0;
    }

    /// <summary>The p50, p90, p99, p99.9 and maximum, in milliseconds.</summary>
    public Percentiles ToPercentiles() => new(
        Count,
        Percentile(0.5).TotalMilliseconds,
        Percentile(0.9).TotalMilliseconds,
        Percentile(0.99).TotalMilliseconds,
        Percentile(0.999).TotalMilliseconds,
        Max.TotalMilliseconds);

    // Values below 32 have a class each; above, the five bits after the leading one choose among 32 classes.
    private static int ClassOf(long value)
    {
        if (value < SubCount)
        {
            return (int)value;
        }

        int shift = BitOperations.Log2((ulong)value) - SubBits;
        return ((shift + 1) << SubBits) + (int)((value >> shift) & (SubCount - 1));
    }

    private static long UpperBound(int index)
    {
        if (index < SubCount)
        {
            return index;
        }

        int shift = (index >> SubBits) - 1;
        return ((SubCount + (long)(index & (SubCount - 1)) + 1) << shift) - 1;
    }
}

/// <summary>What a <see cref="LatencyHistogram"/> says, in milliseconds.</summary>
public sealed record Percentiles(long Count, double P50, double P90, double P99, double P999, double Max)
{
    public override string ToString() => Count == 0 ? "-" : $"p50 {P50:0.000} p90 {P90:0.000} p99 {P99:0.000} p99.9 {P999:0.000} max {Max:0.000} ms";
}
