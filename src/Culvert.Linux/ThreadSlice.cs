using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// How long a thread may run before another one that waits gets the processor, and how soon it gets it itself. A forwarding thread that
/// was woken waits until the slice of whoever runs is over; with a short slice of its own it comes first, and still gets no more than
/// its share (EEVDF, Linux 6.12; older kernels take the wish and ignore it).
/// </summary>
public static unsafe class ThreadSlice
{
    /// <summary>The shortest that the kernel gives.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMicroseconds(100);

    /// <summary>Asks for a slice for the thread that calls. False when the kernel refuses, as a sandbox may: nothing has changed then.</summary>
    public static bool TrySet(TimeSpan slice)
    {
        if (!TryRead(out SchedulingAttributes attributes) || attributes.Policy != Constants.SchedulingOther)
        {
            // Whoever gave it another policy knows better.
            return false;
        }

        attributes.Size = (uint)sizeof(SchedulingAttributes);
        attributes.Runtime = (ulong)slice.Ticks * TimeSpan.NanosecondsPerTick;
        return Libc.SetScheduling(Libc.SetSchedulingNumber, 0, &attributes, 0) == 0;
    }

    /// <summary>The slice of the thread that calls; zero when it has no say in it.</summary>
    public static TimeSpan Current => TryRead(out SchedulingAttributes attributes)
        ? TimeSpan.FromTicks((long)(attributes.Runtime / TimeSpan.NanosecondsPerTick))
        : TimeSpan.Zero;

    private static bool TryRead(out SchedulingAttributes attributes)
    {
        fixed (SchedulingAttributes* target = &attributes)
        {
            *target = default;
            return Libc.GetScheduling(Libc.GetSchedulingNumber, 0, target, sizeof(SchedulingAttributes), 0) == 0;
        }
    }
}
