using Culvert.Core;

namespace Culvert.Testing;

/// <summary>A clock that moves only when a test moves it. Starts away from zero, so that "never set" shows.</summary>
public sealed class ManualClock
{
    public ManualClock()
        : this(Timestamp.FromMilliseconds(1_000_000))
    {
    }

    public ManualClock(Timestamp start) => Now = start;

    public Timestamp Now { get; private set; }

    /// <summary>Moves forward by <paramref name="span"/> (not negative) and returns the new time.</summary>
    public Timestamp Advance(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(span, TimeSpan.Zero);
        return Now += span;
    }

    public Timestamp AdvanceSeconds(double seconds) => Advance(TimeSpan.FromSeconds(seconds));

    public Timestamp AdvanceMilliseconds(double milliseconds) => Advance(TimeSpan.FromMilliseconds(milliseconds));

    /// <summary>Moves to <paramref name="at"/>. An earlier time is a no-op (deadlines in the past are due now); "never" is a mistake.</summary>
    public Timestamp JumpTo(Timestamp at)
    {
        if (at == Timestamp.Never)
        {
            throw new ArgumentException("Nothing is due: there is no time to jump to.", nameof(at));
        }

        return Now = Timestamp.Max(Now, at);
    }
}
