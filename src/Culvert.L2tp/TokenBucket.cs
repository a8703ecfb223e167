using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>How many of something may happen: so many at once, and so many per second in the long run.</summary>
/// <param name="PerSecond">Refilled per second; 0 for no limit.</param>
/// <param name="Burst">At once after a rest; at least 1.</param>
public readonly record struct RateLimit(int PerSecond, int Burst)
{
    /// <summary>No limit.</summary>
    public static RateLimit None => default;

    internal bool IsNone => PerSecond <= 0;

    public override string ToString() => IsNone ? "no limit" : $"{PerSecond}/s (burst {Burst})";
}

/// <summary>
/// A token bucket in 8 octets: the moment at which it would be full again. Full buckets are all alike, so nothing needs to be kept of
/// a peer that has rested.
/// </summary>
internal struct TokenBucket
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

/// <summary>
/// A token bucket for each peer address, in a bounded table. When it is full, those that have rested are dropped; when none has, peers
/// without a place are not held back: a flood from that many addresses is forged, and no reason to shut out an honest newcomer. What it
/// can hold is bounded elsewhere.
/// </summary>
internal sealed class PeerRates(RateLimit limit, int capacity)
{
    private readonly Dictionary<IpAddress, TokenBucket> _buckets = [];
    private Timestamp _sweptAt = Timestamp.Zero;

    /// <summary>From now on; what was taken counts on.</summary>
    public RateLimit Limit { get; set; } = limit;

    public bool TryTake(in IpAddress address, Timestamp now)
    {
        if (Limit.IsNone)
        {
            return true;
        }

        if (_buckets.TryGetValue(address, out TokenBucket bucket))
        {
            bool isTaken = bucket.TryTake(Limit, now);
            _buckets[address] = bucket;
            return isTaken;
        }

        if (_buckets.Count >= capacity && !TryMakeRoom(now))
        {
            return true;
        }

        bool isFirst = bucket.TryTake(Limit, now);
        _buckets[address] = bucket;
        return isFirst;
    }

    // At most once per second, so that a flood does not make every packet walk the table.
    private bool TryMakeRoom(Timestamp now)
    {
        if (now - _sweptAt < TimeSpan.FromSeconds(1))
        {
            return false;
        }

        _sweptAt = now;
        foreach (KeyValuePair<IpAddress, TokenBucket> entry in _buckets)
        {
            if (entry.Value.IsFull(now))
            {
                _buckets.Remove(entry.Key); // allowed while enumerating
            }
        }

        return _buckets.Count < capacity;
    }
}
