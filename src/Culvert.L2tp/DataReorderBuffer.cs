using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What a sequenced data message is.</summary>
public enum DataVerdict : byte
{
    /// <summary>The next one: forward it now, then ask <see cref="DataReorderBuffer.TryTake"/> for more.</summary>
    Deliver,

    /// <summary>Ahead of a missing one: kept.</summary>
    Held,

    /// <summary>Its turn is over, or it came before: dropped (section 5.4).</summary>
    Late,
}

/// <summary>Counts of one session's sequenced data.</summary>
public readonly record struct DataSequenceCounters(long Lost, long Late, long Reordered);

/// <summary>
/// Puts the sequenced data messages of one session into order (RFC 2661 section 5.4): waits a little
/// for what is missing, in time and in number, and then counts it as lost. Holds storage only while something is missing.
/// </summary>
/// <param name="depth">Messages that may wait, 0 to 1024. With 0 nothing is kept: late ones are dropped, gaps are counted.</param>
/// <param name="patience">How long the first that waits may wait.</param>
public sealed class DataReorderBuffer(int depth, TimeSpan patience)
{
    private readonly int _depth = Math.Clamp(depth, 0, 1024);
    private byte[]?[] _slots = [];
    private int _head;
    private int _count;
    private ushort _expected;
    private bool _isStarted;
    private byte[]? _beyond;
    private ushort _beyondNs;
    private long _lost;
    private long _late;
    private long _reordered;

    /// <summary>When <see cref="Advance"/> gives up on what is missing.</summary>
    public Timestamp NextDeadline { get; private set; } = Timestamp.Never;

    /// <summary>Messages that wait.</summary>
    public int Count => _count + (_beyond is null ? 0 : 1);

    public DataSequenceCounters Counters => new(_lost, _late, _reordered);

    /// <summary>Judges a message by its Ns; keeps a copy when it is early. Drain <see cref="TryTake"/> after every call.</summary>
    public DataVerdict Receive(ushort ns, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (!_isStarted)
        {
            _isStarted = true;
            _expected = ns;
        }

        // Section 5.4: modulo 65536; half of the numbers are ahead, half behind.
        int ahead = (short)(ns - _expected);
        if (ahead < 0)
        {
            _late++;
            return DataVerdict.Late;
        }

        if (ahead == 0)
        {
            StepForward(now);
            return DataVerdict.Deliver;
        }

        return ahead <= _depth ? Hold(ahead, frame, now) : Jump(ns, ahead, frame);
    }

    /// <summary>The next message in order among those that waited, if it is its turn. The caller owns it.</summary>
    public bool TryTake(Timestamp now, out byte[] frame)
    {
        // One that came from beyond the window ends the waiting: everything before it goes first.
        while (_count > 0 && (_beyond is not null || _slots[_head] is not null))
        {
            byte[]? first = _slots[_head];
            _slots[_head] = null;
            _count -= first is null ? 0 : 1;
            StepForward(now);
            if (first is not null)
            {
                _reordered++;
                frame = first;
                return true;
            }

            _lost++;
        }

        frame = _beyond ?? [];
        if (_beyond is null)
        {
            return false;
        }

        _lost += (ushort)(_beyondNs - _expected);
        _expected = (ushort)(_beyondNs + 1);
        _beyond = null;
        return true;
    }

    /// <summary>Gives up on what is missing when its time is over: the next that waits is then delivered by <see cref="TryTake"/>.</summary>
    public void Advance(Timestamp now)
    {
        if (_count == 0 || now < NextDeadline)
        {
            return;
        }

        while (_slots[_head] is null)
        {
            _lost++;
            Shift();
        }

        NextDeadline = now + patience;
    }

    private DataVerdict Hold(int ahead, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (_slots.Length == 0)
        {
            _slots = new byte[]?[_depth + 1];
            _head = 0;
        }

        ref byte[]? slot = ref _slots[(_head + ahead) % _slots.Length];
        if (slot is not null)
        {
            _late++;
            return DataVerdict.Late;
        }

        slot = frame.ToArray();
        if (_count++ == 0)
        {
            NextDeadline = now + patience;
        }

        return DataVerdict.Held;
    }

    // Further ahead than anything may wait: what is missing before it is lost.
    private DataVerdict Jump(ushort ns, int ahead, ReadOnlySpan<byte> frame)
    {
        if (_count == 0)
        {
            _lost += ahead;
            _expected = (ushort)(ns + 1);
            return DataVerdict.Deliver;
        }

        _beyond = frame.ToArray();
        _beyondNs = ns;
        return DataVerdict.Held;
    }

    private void StepForward(Timestamp now)
    {
        Shift();
        NextDeadline = _count > 0 ? now + patience : Timestamp.Never;
    }

    private void Shift()
    {
        _expected++;
        if (_slots.Length > 0)
        {
            _head = (_head + 1) % _slots.Length;
        }

        if (_count == 0)
        {
            _slots = [];
        }
    }
}
