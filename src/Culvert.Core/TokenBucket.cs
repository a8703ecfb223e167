namespace Culvert.Core;

/// <summary>How many of something may happen: so many at once, and so many per second in the long run.</summary>
/// <param name="PerSecond">Refilled per second; 0 for no limit.</param>
/// <param name="Burst">At once after a rest; at least 1.</param>
public readonly record struct RateLimit(int PerSecond, int Burst)
{
    /// <summary>No limit.</summary>
    public static RateLimit None => default;

    /// <summary>Whether everything is let through.</summary>
    public bool IsNone => PerSecond <= 0;

    public override string ToString() => IsNone ? "no limit" : $"{PerSecond}/s (burst {Burst})";
}

/// <summary>
/// A token bucket in 8 octets: the moment at which it would be full again. Full buckets are all alike, so nothing needs to be kept of
/// one that has rested. The limit is told each time, because it may change; the clock's start counts as a rest.
/// </summary>
public struct TokenBucket
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private long _fullAt;

    public readonly bool IsFull(Timestamp now) => _fullAt <= now.Nanoseconds;

    /// <summary>Takes one; false, and nothing taken, when there is none.</summary>
    public bool TryTake(in RateLimit limit, Timestamp now)
    {
        if (limit.IsNone)
        {
            return true;
        }

        long each = NanosecondsPerSecond / limit.PerSecond;
        long fullAt = Math.Max(_fullAt, now.Nanoseconds) + each;
        if (fullAt - now.Nanoseconds > each * Math.Max(1, limit.Burst))
        {
            return false;
        }

        _fullAt = fullAt;
        return true;
    }
}
