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

    // Ns after the last message that was sent when the loss was noticed.
    private ushort _recover;
    private bool _isAfterTimeout;
    private bool _hadPartial;

    /// <summary>
    /// Messages behind the missing one that have left the network, each of which makes room for another (limited transmit, RFC 3042).
    /// </summary>
    public int Duplicates { get; private set; }

    public bool IsRecovering { get; private set; }

    /// <summary>A ZLB acknowledged nothing new. True when the oldest message is to be sent again now.</summary>
    public bool NoteDuplicate(int inFlight, ushort nextNs)
    {
        // RFC 6582 section 3.2 step 1: after a timeout, what comes are mostly answers to repetitions.
        if (inFlight < 2 || _isAfterTimeout)
        {
            return false;
        }

        // No more can have left than lie behind the missing one, whatever the peer says.
        Duplicates = Math.Min(Duplicates + 1, inFlight - 1);
        if (IsRecovering || Duplicates < (inFlight <= Threshold ? ThresholdOfFew : Threshold))
        {
            return false;
        }

        (IsRecovering, _hadPartial, _recover) = (true, false, nextNs);
        return true;
    }

    /// <summary>
    /// <paramref name="count"/> messages before <paramref name="oldestNs"/> are newly acknowledged. True when that shows another one
    /// missing, to be sent again now; <paramref name="restartsTimer"/> is false for every such one after the first (the impatient variant of
    /// RFC 6582 section 4), so that a peer that throws early messages away is soon served by the timer.
    /// </summary>
    public bool NoteAcknowledged(ushort oldestNs, int count, out bool restartsTimer)
    {
        int beyond = (short)(oldestNs - _recover);
        restartsTimer = true;
        _isAfterTimeout &= beyond <= 0;
        if (!IsRecovering || beyond >= 0)
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

    /// <summary>The timer went off: everything before <paramref name="nextNs"/> counts as lost.</summary>
    public void NoteTimeout(ushort nextNs) => (IsRecovering, Duplicates, _isAfterTimeout, _recover) = (false, 0, true, nextNs);

    /// <summary>Nothing is under way any more.</summary>
    public void Reset() => this = default;
}
