namespace Culvert.L2tp;

/// <summary>
/// Fast retransmit and fast recovery (RFC 5681 section 3.2, RFC 6582), counted in messages. A ZLB that acknowledges nothing new while
/// messages are under way says that a later one has arrived and an earlier one has not. Only ZLBs count: a message with an old Nr may
/// just have been sent before ours arrived. A peer that gives no such ZLBs leaves everything to the timer.
/// </summary>
internal struct LossRecovery
{
    /// <summary>RFC 5681: fewer may be mere reordering.</summary>
    private const int Threshold = 3;

    /// <summary>
    /// With so few messages under way that three cannot come (after RFC 5827). Not one: a repetition that was not needed is itself answered
    /// by one ZLB, and peers are known that send one too many.
    /// </summary>
    private const int ThresholdOfFew = 2;

    /// <summary>Quarters of a round trip that a message may be late on a path that reorders, at first and at most (after RFC 8985).</summary>
    private const int LeastPatience = 1;
    private const int MostPatience = 4;

    // Ns after the last message that was sent when the loss was noticed.
    private ushort _recover;
    private bool _isAfterTimeout;
    private bool _isSuspected;
    private bool _hadPartial;
    private int _patience;

    /// <summary>
    /// Messages behind the missing one that have left the network, each of which makes room for another (limited transmit, RFC 3042).
    /// </summary>
    public int Duplicates { get; private set; }

    public bool IsRecovering { get; private set; }

    /// <summary>A ZLB acknowledged nothing new. True when by now the oldest message seems to be missing.</summary>
    public bool NoteDuplicate(int inFlight)
    {
        // RFC 6582 section 3.2 step 1: after a timeout, what comes are mostly answers to repetitions.
        if (inFlight < 2 || _isAfterTimeout)
        {
            return false;
        }

        // No more can have left than lie behind the missing one, whatever the peer says.
        Duplicates = Math.Min(Duplicates + 1, inFlight - 1);
        bool isNew = !IsRecovering && !_isSuspected && Duplicates >= (inFlight <= Threshold ? ThresholdOfFew : Threshold);
        _isSuspected |= isNew;
        return isNew;
    }

    /// <summary>
    /// How long to wait for a message that seems to be missing: not at all, until the path has been seen to reorder.
    /// </summary>
    public readonly TimeSpan PatienceOf(TimeSpan roundTrip) => _patience * roundTrip / MostPatience;

    /// <summary>The oldest message is missing: recovery lasts until everything before <paramref name="nextNs"/> is acknowledged.</summary>
    public void Begin(ushort nextNs) => (IsRecovering, _isSuspected, _hadPartial, _recover) = (true, false, false, nextNs);

    /// <summary>
    /// <paramref name="count"/> messages before <paramref name="oldestNs"/> are newly acknowledged. True when that shows another one
    /// missing; <paramref name="restartsTimer"/> is false for every such one after the first (the impatient variant of RFC 6582 section 4),
    /// so that a peer that throws early messages away is soon served by the timer.
    /// </summary>
    public bool NoteAcknowledged(ushort oldestNs, int count, out bool restartsTimer)
    {
        int beyond = (short)(oldestNs - _recover);
        restartsTimer = true;
        _isAfterTimeout &= beyond <= 0;
        _isSuspected = false;
        if (!IsRecovering)
        {
            // What seemed to be missing came by itself: it was only late.
            _patience = Duplicates > 0 ? Math.Max(_patience, LeastPatience) : _patience;
            Duplicates = 0;
            return false;
        }

        if (beyond >= 0)
        {
            IsRecovering = false;
            Duplicates = 0;
            return false;
        }

        // The first was the missing one, the others had been counted as arrived.
        Duplicates = Math.Max(0, Duplicates - (count - 1));
        restartsTimer = !_hadPartial;
        _hadPartial = true;
        return true;
    }

    /// <summary>The message that was sent again had only been late.</summary>
    public void NoteNeedless() =>
        (IsRecovering, Duplicates, _patience) = (false, 0, Math.Clamp(2 * _patience, LeastPatience, MostPatience));

    /// <summary>The timer went off: everything before <paramref name="nextNs"/> counts as lost.</summary>
    public void NoteTimeout(ushort nextNs) =>
        (IsRecovering, _isSuspected, Duplicates, _isAfterTimeout, _recover) = (false, false, 0, true, nextNs);

    /// <summary>Nothing is under way any more.</summary>
    public void Reset() => this = default;
}
