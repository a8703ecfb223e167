using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>The node's clock: nanoseconds since the machine started, never set back (CLOCK_MONOTONIC).</summary>
public static unsafe class MonotonicClock
{
    public static Timestamp Now
    {
        get
        {
            TimeSpec time;
            // It cannot fail: the clock exists on every kernel and the pointer is ours.
            _ = Libc.ClockGetTime(Constants.ClockMonotonic, &time);
            return new Timestamp((time.Seconds * TimeSpec.NanosecondsPerSecond) + time.Nanoseconds);
        }
    }
}
