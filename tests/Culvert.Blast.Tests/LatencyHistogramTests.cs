using FsCheck;
using FsCheck.Fluent;

namespace Culvert.Blast.Tests;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Nothing_recorded_is_zero()
    {
        var histogram = new LatencyHistogram();
        Assert.Equal(TimeSpan.Zero, histogram.Percentile(0.99));
        Assert.Equal(0, histogram.Count);
        Assert.Equal("-", histogram.ToPercentiles().ToString());
    }

    [Fact]
    public void One_to_a_thousand_milliseconds()
    {
        var histogram = new LatencyHistogram();
        for (int i = 1; i <= 1000; i++)
        {
            histogram.Record(i * 1_000_000L);
        }

        Percentiles result = histogram.ToPercentiles();
        Assert.Equal(1000, result.Count);
        Assert.InRange(result.P50, 500, 500 * 1.032);
        Assert.InRange(result.P90, 900, 900 * 1.032);
        Assert.InRange(result.P99, 990, 1000);
        Assert.Equal(1000, result.Max);
    }

    /// <summary>Against the definition, over a sorted list: never below, at most one class (1/32) above.</summary>
    [Fact]
    public void A_percentile_is_at_most_one_class_too_high() => Prop.ForAll(
        ArbMap.Default.ArbFor<(NonEmptyArray<uint> Values, byte Share)>(),
        t =>
        {
            var histogram = new LatencyHistogram();
            long[] sorted = [.. t.Values.Get.Select(v => (long)v * 100).Order()];
            Array.ForEach(sorted, histogram.Record);
            double share = t.Share / 255.0;
            long exact = sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
            long found = histogram.Percentile(share).Ticks * 100;
            return found >= exact - 100 && found <= exact + (exact / 32) + 100;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(-5, 0)]
    [InlineData(long.MaxValue, (1L << 40) - 1)]
    public void What_is_out_of_range_counts_as_the_nearest(long value, long counted)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(value);
        Assert.Equal(TimeSpan.FromTicks(counted / 100), histogram.Max);
        Assert.Equal(histogram.Max, histogram.Percentile(1));
        histogram.Clear();
        Assert.Equal(0, histogram.Count);
    }
}
