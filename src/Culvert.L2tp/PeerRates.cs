using Culvert.Core;

namespace Culvert.L2tp;

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
