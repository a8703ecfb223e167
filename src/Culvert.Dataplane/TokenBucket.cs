using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>Lets through so many per second in the long run and so many at once. Time is told, not read.</summary>
public struct TokenBucket
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly long _interval;
    private readonly long _full;
    private long _credit;
    private Timestamp _last;

    /// <param name="perSecond">At least 1.</param>
    /// <param name="burst">At least 1.</param>
    public TokenBucket(int perSecond, int burst)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(perSecond);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(burst);
        _interval = NanosecondsPerSecond / perSecond;
        _full = _interval * burst;
        _credit = _full;
        _last = new Timestamp(long.MinValue);
    }

    public bool TryTake(Timestamp now)
    {
        if (now > _last)
        {
            // Compared before it is added: a clock may stand anywhere on its 64 bits.
            ulong passed = (ulong)now.Nanoseconds - (ulong)_last.Nanoseconds;
            _credit = passed >= (ulong)(_full - _credit) ? _full : _credit + (long)passed;
            _last = now;
        }

        if (_credit < _interval)
        {
            return false;
        }

        _credit -= _interval;
        return true;
    }
}
