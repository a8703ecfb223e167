using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Puts the sequenced data messages of a shard's sessions into order (RFC 2661 section 5.4). A message that comes too early waits for
/// its turn, until its session's patience, its session's share or the shard's memory is at an end; then what is missing is given up.
/// </summary>
/// <param name="frames">Messages that may wait in all: 2 KiB each.</param>
internal sealed class Reorderer(int frames)
{
    private const int None = SequenceWindow.None;
    private const int LargestDatagram = 65_535;

    private readonly HeldFrames _held = new(frames);
    private readonly DeadlineHeap _deadlines = new();
    private readonly List<SequenceWindow?> _waiting = [];
    private readonly Stack<int> _freePlaces = new();
    private SequenceWindow? _releasing;
    private int _lent = None;

    // A message for which there is no room goes on at once, after all that its session holds and that comes before it.
    private byte[] _extra = [];
    private HeldFrame _extraFacts;
    private bool _hasExtra;

    /// <summary>When the next message has waited long enough.</summary>
    public Timestamp NextDeadline => _releasing is null ? _deadlines.Next : Timestamp.Zero;

    /// <summary>Something may be taken now.</summary>
    public bool IsReleasing => _releasing is not null;

    /// <summary>Messages that wait.</summary>
    public int Count => _held.Count;

    /// <summary>Judges a message and keeps a copy of one that is early. Drain <see cref="TryTake"/> before the next.</summary>
    public SequenceVerdict Receive(
        SequenceWindow window, ushort ns, ReadOnlySpan<byte> datagram, byte trafficClass, Timestamp now)
    {
        int ahead = window.Ahead(ns);
        if (ahead < 0)
        {
            return window.JudgeBehind(ns);
        }

        if (ahead == 0)
        {
            window.Deliver(ns, waited: false);
            _releasing = window.Count > 0 ? window : null;
            return SequenceVerdict.Deliver;
        }

        int before = Predecessor(window, ns, out bool isHeld);
        if (isHeld)
        {
            return window.CountDuplicate();
        }

        var facts = new HeldFrame { Length = datagram.Length, Ns = ns, TrafficClass = trafficClass, Since = now };
        if (ahead <= window.Limits.Frames && datagram.Length <= HeldFrames.FrameSize && _held.TryTake(out int frame))
        {
            datagram.CopyTo(_held.Octets(frame));
            Insert(window, before, frame, facts);
            return SequenceVerdict.Held;
        }

        if (window.Count == 0)
        {
            window.Deliver(ns, waited: false);
            return SequenceVerdict.Deliver;
        }

        KeepExtra(window, datagram, facts);
        return SequenceVerdict.Held;
    }

    /// <summary>The next message whose turn it is, or whose patience is over. It stays where it lies until the next call.</summary>
    public bool TryTake(Timestamp now, out Span<byte> datagram, out byte trafficClass)
    {
        if (_lent != None)
        {
            _held.Free(_lent);
            _lent = None;
        }

        while (_releasing is not null || TryGiveUp(now))
        {
            if (TryRelease(_releasing!, out datagram, out HeldFrame facts))
            {
                trafficClass = facts.TrafficClass;
                return true;
            }

            Rearm(_releasing!);
            _releasing = null;
        }

        datagram = default;
        trafficClass = 0;
        return false;
    }

    private bool TryGiveUp(Timestamp now)
    {
        if (!_deadlines.TryTakeDue(now, out int place))
        {
            return false;
        }

        _releasing = _waiting[place]!;
        _releasing.GiveUpBefore(_held[_releasing.First].Ns);
        return true;
    }

    private bool TryRelease(SequenceWindow window, out Span<byte> datagram, out HeldFrame facts)
    {
        if (_hasExtra && (window.Count == 0 || window.Ahead(_held[window.First].Ns) > window.Ahead(_extraFacts.Ns)))
        {
            _hasExtra = false;
            facts = _extraFacts;
            datagram = _extra.AsSpan(0, facts.Length);
            window.Deliver(facts.Ns, waited: false);
            return true;
        }

        if (window.Count > 0 && (_hasExtra || _held[window.First].Ns == window.Expected))
        {
            _lent = window.First;
            facts = _held[_lent];
            datagram = _held.Octets(_lent)[..facts.Length];
            window.First = facts.Next;
            window.Last = facts.Next == None ? None : window.Last;
            window.Count--;
            window.Deliver(facts.Ns, waited: true);
            return true;
        }

        facts = default;
        datagram = default;
        return false;
    }

    private void KeepExtra(SequenceWindow window, ReadOnlySpan<byte> datagram, in HeldFrame facts)
    {
        if (_extra.Length == 0)
        {
            _extra = new byte[LargestDatagram];
        }

        datagram.CopyTo(_extra);
        _extraFacts = facts;
        _hasExtra = true;
        _releasing = window;
    }

    /// <summary>The waiting message after which <paramref name="ns"/> belongs; as a rule the last one.</summary>
    private int Predecessor(SequenceWindow window, ushort ns, out bool isHeld)
    {
        isHeld = false;
        if (window.Count == 0)
        {
            return None;
        }

        int ahead = window.Ahead(ns);
        int before = None;
        int next = window.Ahead(_held[window.Last].Ns) < ahead ? window.Last : window.First;
        while (next != None && window.Ahead(_held[next].Ns) <= ahead)
        {
            isHeld |= _held[next].Ns == ns;
            before = next;
            next = _held[next].Next;
        }

        return before;
    }

    private void Insert(SequenceWindow window, int before, int frame, in HeldFrame facts)
    {
        ref HeldFrame held = ref _held[frame];
        held = facts;
        held.Next = before == None ? window.First : _held[before].Next;
        if (before == None)
        {
            window.First = frame;
        }
        else
        {
            _held[before].Next = frame;
        }

        window.Last = held.Next == None ? frame : window.Last;
        if (window.Count++ == 0)
        {
            window.Place = TakePlace(window);
            _deadlines.Set(window.Place, facts.Since + window.Limits.Patience);
        }
    }

    /// <summary>After messages have left: until when the one that has waited longest may go on waiting.</summary>
    private void Rearm(SequenceWindow window)
    {
        if (window.Count == 0)
        {
            if (window.Place != None)
            {
                _deadlines.Remove(window.Place);
                _waiting[window.Place] = null;
                _freePlaces.Push(window.Place);
                window.Place = None;
            }

            return;
        }

        Timestamp oldest = Timestamp.Never;
        for (int frame = window.First; frame != None; frame = _held[frame].Next)
        {
            oldest = Timestamp.Min(oldest, _held[frame].Since);
        }

        _deadlines.Set(window.Place, oldest + window.Limits.Patience);
    }

    // No more places than messages that wait.
    private int TakePlace(SequenceWindow window)
    {
        if (!_freePlaces.TryPop(out int place))
        {
            place = _waiting.Count;
            _waiting.Add(null);
        }

        _waiting[place] = window;
        return place;
    }
}
