namespace Culvert.Dataplane;

/// <summary>What a session may hold back to put its sequenced data messages into order (RFC 2661 section 5.4).</summary>
public sealed record ReorderLimits
{
    /// <summary>More would hold back a tenth of a second of a fast link for the sake of one lost packet.</summary>
    public const int MostFrames = 256;

    /// <summary>For sessions that say nothing else.</summary>
    public static readonly ReorderLimits Default = new();

    /// <summary>
    /// Messages that may wait for one that is missing, 0 to <see cref="MostFrames"/>. With 0 nothing waits: gaps are counted, and what
    /// comes after its successor is dropped. 32 outlast what parallel links and queues shuffle.
    /// </summary>
    public int Frames
    {
        get;
        init => field = Math.Clamp(value, 0, MostFrames);
    }

    = 32;

    /// <summary>How long a message may wait. Longer than packets overtake each other on real paths, shorter than TCP's patience.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMilliseconds(50);
}

/// <summary>What became of a session's sequenced data messages, since its ID was reserved.</summary>
/// <param name="Lost">Numbers that were given up: their messages had not come when their time was over.</param>
/// <param name="Late">Messages that came after their number had been given up; dropped.</param>
/// <param name="Duplicates">Messages whose number had come before; dropped.</param>
/// <param name="Reordered">Messages that waited for an earlier one.</param>
public readonly record struct SequenceCounters(long Lost, long Late, long Duplicates, long Reordered);
