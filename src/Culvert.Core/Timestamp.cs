namespace Culvert.Core;

/// <summary>A point on a monotonic clock, in nanoseconds since an arbitrary start. Engines are told the time; they never read a clock.</summary>
public readonly record struct Timestamp(long Nanoseconds) : IComparable<Timestamp>
{
    private const long NanosecondsPerTick = 100;

    /// <summary>Later than every other timestamp: "no deadline".</summary>
    public static Timestamp Never => new(long.MaxValue);

    /// <summary>The clock's start.</summary>
    public static Timestamp Zero => default;

    public static Timestamp FromMilliseconds(long milliseconds) => new(milliseconds * 1_000_000);

    public static Timestamp operator +(Timestamp at, TimeSpan span)
    {
        long sum = at.Nanoseconds + (span.Ticks * NanosecondsPerTick);
        return new(span.Ticks > 0 && sum < at.Nanoseconds ? long.MaxValue : sum);
    }

    public static Timestamp operator -(Timestamp at, TimeSpan span) => new(at.Nanoseconds - (span.Ticks * NanosecondsPerTick));

    public static TimeSpan operator -(Timestamp later, Timestamp earlier) =>
        TimeSpan.FromTicks((later.Nanoseconds - earlier.Nanoseconds) / NanosecondsPerTick);

    public static bool operator <(Timestamp a, Timestamp b) => a.Nanoseconds < b.Nanoseconds;

    public static bool operator >(Timestamp a, Timestamp b) => a.Nanoseconds > b.Nanoseconds;

    public static bool operator <=(Timestamp a, Timestamp b) => a.Nanoseconds <= b.Nanoseconds;

    public static bool operator >=(Timestamp a, Timestamp b) => a.Nanoseconds >= b.Nanoseconds;

    public static Timestamp Min(Timestamp a, Timestamp b) => a < b ? a : b;

    public static Timestamp Max(Timestamp a, Timestamp b) => a > b ? a : b;

    public int CompareTo(Timestamp other) => Nanoseconds.CompareTo(other.Nanoseconds);

    public override string ToString() => this == Never ? "never" : $"{Nanoseconds / 1e9:F6}s";
}
