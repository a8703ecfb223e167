namespace Culvert.Dataplane;

/// <summary>What a sequenced data message is to its session.</summary>
internal enum SequenceVerdict : byte
{
    /// <summary>The next one: forward it now.</summary>
    Deliver,

    /// <summary>Ahead of a missing one: kept.</summary>
    Held,

    /// <summary>Its number was given up before.</summary>
    Late,

    /// <summary>Its number came before.</summary>
    Duplicate,
}

/// <summary>
/// Which number comes next in one session (RFC 2661 section 5.4), and which of its messages wait. Made when a session begins to
/// sequence; only the shard that serves the session touches it. The counters may be read by anybody.
/// </summary>
internal sealed class SequenceWindow(SessionKey key, ReorderLimits limits, ushort expected)
{
    /// <summary>No frame, no place.</summary>
    public const int None = -1;

    // A peer that starts again from another number is followed after this many that seem late; no network delays so many in a row.
    private const int LateUntilRestart = 32;

    private const int HistoryBits = 64;

    // Bit i: number Expected - 1 - i came.
    private ulong _history;
    private int _lateInRow;
    private long _lost;
    private long _late;
    private long _duplicates;
    private long _reordered;

    public SessionKey Key { get; } = key;

    public ReorderLimits Limits { get; set; } = limits;

    /// <summary>The number that is delivered next.</summary>
    public ushort Expected { get; private set; } = expected;

    /// <summary>Messages that wait: a list in <see cref="HeldFrames"/>, by number.</summary>
    public int First { get; set; } = None;

    public int Last { get; set; } = None;

    public int Count { get; set; }

    /// <summary>The place among the windows in which something waits.</summary>
    public int Place { get; set; } = None;

    public SequenceCounters Counters => new(
        Volatile.Read(in _lost), Volatile.Read(in _late), Volatile.Read(in _duplicates), Volatile.Read(in _reordered));

    /// <summary>Modulo 65536: half of the numbers are ahead, half behind (section 5.8).</summary>
    public int Ahead(ushort ns) => (short)(ns - Expected);

    /// <summary>Delivers <paramref name="ns"/>; numbers before it that have not come are lost.</summary>
    public void Deliver(ushort ns, bool waited)
    {
        GiveUpBefore(ns);
        Expected = (ushort)(ns + 1);
        _history = (_history << 1) | 1;
        _lateInRow = 0;
        if (waited)
        {
            Volatile.Write(ref _reordered, _reordered + 1);
        }
    }

    /// <summary>Counts the numbers before <paramref name="ns"/> that have not come as lost.</summary>
    public void GiveUpBefore(ushort ns)
    {
        int gap = (ushort)(ns - Expected);
        if (gap > 0)
        {
            Volatile.Write(ref _lost, _lost + gap);
            _history = gap < HistoryBits ? _history << gap : 0;
            Expected = ns;
        }
    }

    /// <summary>A message whose turn is over. After many in a row the peer is taken to have started anew.</summary>
    public SequenceVerdict JudgeBehind(ushort ns)
    {
        int behind = (ushort)(Expected - ns);
        ulong bit = behind <= HistoryBits ? 1UL << (behind - 1) : 0;
        if ((_history & bit) != 0)
        {
            return CountDuplicate();
        }

        if (++_lateInRow >= LateUntilRestart && Count == 0)
        {
            _lateInRow = 0;
            _history = 1;
            Expected = (ushort)(ns + 1);
            return SequenceVerdict.Deliver;
        }

        _history |= bit;
        Volatile.Write(ref _late, _late + 1);
        return SequenceVerdict.Late;
    }

    public SequenceVerdict CountDuplicate()
    {
        Volatile.Write(ref _duplicates, _duplicates + 1);
        return SequenceVerdict.Duplicate;
    }
}
