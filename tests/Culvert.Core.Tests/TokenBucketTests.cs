namespace Culvert.Core.Tests;

public class TokenBucketTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(long.MaxValue - 2_000_000_000)]
    public void A_bucket_keeps_its_rate_at_any_place_on_the_clock(long start)
    {
        TokenBucket bucket = default;
        var limit = new RateLimit(PerSecond: 100, Burst: 10);
        var now = new Timestamp(start);
        int taken = 0;
        for (int millisecond = 0; millisecond < 1000; millisecond++)
        {
            taken += bucket.TryTake(limit, now) ? 1 : 0;
            taken += bucket.TryTake(limit, now) ? 1 : 0;
            now += TimeSpan.FromMilliseconds(1);
        }

        Assert.Equal(10 + 99, taken);
    }

    [Fact]
    public void What_was_taken_counts_when_the_limit_changes()
    {
        TokenBucket bucket = default;
        Assert.True(bucket.TryTake(new RateLimit(1, 2), Timestamp.Zero));
        Assert.True(bucket.TryTake(new RateLimit(1, 2), Timestamp.Zero));
        Assert.False(bucket.TryTake(new RateLimit(1, 2), Timestamp.Zero));
        Assert.True(bucket.TryTake(new RateLimit(1, 3), Timestamp.Zero));
        Assert.True(bucket.TryTake(RateLimit.None, Timestamp.Zero));
        Assert.False(bucket.IsFull(Timestamp.FromMilliseconds(2_999)));
        Assert.True(bucket.IsFull(Timestamp.FromMilliseconds(3_000)));
    }
}
