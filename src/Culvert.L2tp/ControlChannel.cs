using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// The reliable control channel of one tunnel (RFC 2661 section 5.8 and Appendix A): takes whole control messages, numbers them,
/// sends them within the peer's window and the congestion window, repeats them until acknowledged, and delivers the peer's
/// messages once and in order. It knows nothing of what messages say.
/// </summary>
public sealed class ControlChannel
{
    /// <summary>
    /// Longest message that is kept when it comes too early, octets. Real ones are far shorter; longer ones are sent again.
    /// </summary>
    public const int HeldMessageLimit = 2048;

    /// <summary>
    /// Most ZLBs at once that say that a message is missing. Three make a peer repeat it; a few more let it send what it has in the meantime.
    /// </summary>
    private const int DuplicatesOwedLimit = 8;

    /// <summary>Numbers are compared modulo 65536 with half of them ahead (section 5.8), so no more may be under way at once.</summary>
    private const int SendWindowLimit = 32_767;

    private readonly ControlChannelSettings _settings;
    private readonly SendQueue _queue;
    private readonly ReorderBuffer _reorder;
    private CongestionWindow _congestion;
    private LossRecovery _recovery;
    private RoundTripTimer _timer;
    private ushort _oldestNs;
    private int _next;
    private int _everSent;
    private int _retransmits;
    private int _duplicatesOwed;
    private bool _resendsOldest;
    private bool _acknowledgementOwed;
    private bool _everReceived;
    private Timestamp _firstSent;
    private Timestamp _retransmitAt = Timestamp.Never;
    private Timestamp _resendAt = Timestamp.Never;
    private Timestamp _resentAt;
    private ushort _resentNs;
    private bool _hasResent;
    private Timestamp _helloAt;
    private Timestamp _probeAt = Timestamp.Never;

    public ControlChannel(ControlChannelSettings settings, Timestamp now)
        : this(settings, now, held: null)
    {
    }

    /// <param name="settings">Timers and windows.</param>
    /// <param name="now">The time.</param>
    /// <param name="held">What early messages are charged to; null for a channel that stands alone.</param>
    internal ControlChannel(ControlChannelSettings settings, Timestamp now, HeldBudget? held)
    {
        _settings = settings;
        _queue = new(settings.QueueLimit);
        _reorder = new(settings.ReceiveWindow, held);
        _timer = new(settings);
        _congestion = new(ControlChannelSettings.DefaultPeerWindow);
        PeerWindow = ControlChannelSettings.DefaultPeerWindow;
        MaxRetransmits = settings.MaxRetransmits;
        LastControl = now;
        RestartHelloTimer(now);
    }

    /// <summary>Written into every header sent; 0 until the peer has assigned one.</summary>
    public ushort PeerTunnelId { get; set; }

    /// <summary>The peer's Receive Window Size.</summary>
    public int PeerWindow { get; private set; }

    /// <summary>Retransmissions before giving up; an owner may grant an unverified peer fewer.</summary>
    public int MaxRetransmits { get; set; }

    /// <summary>Early messages kept at once, at most the receive window; an owner may grant an unverified peer fewer.</summary>
    public int HeldLimit { get; set; } = int.MaxValue;

    /// <summary>HELLOs are due only while this is set: on an established tunnel.</summary>
    public bool HellosEnabled { get; set; }

    /// <summary>Messages not yet acknowledged, sent or not.</summary>
    public int Unacknowledged => _queue.Count;

    /// <summary>Sent messages that the peer may be handling now.</summary>
    public int InFlight => _next;

    /// <summary>Ns of the next new message.</summary>
    public ushort NextNs => (ushort)(_oldestNs + _queue.Count);

    /// <summary>Ns expected from the peer next: the Nr that we send.</summary>
    public ushort Nr { get; private set; }

    /// <summary>The congestion window in messages (Appendix A).</summary>
    public int CongestionWindow => _congestion.Size;

    /// <summary>Times that the timer went off since the last acknowledgement.</summary>
    public int Retransmits => _retransmits;

    /// <summary>Messages sent again, by the timer or because the peer said that one is missing.</summary>
    public long Retransmitted { get; private set; }

    /// <summary>Of those, how many because the peer said so.</summary>
    public long FastRetransmitted { get; private set; }

    /// <summary>How often the peer acknowledged what was never sent.</summary>
    public long UnsentAcknowledged { get; private set; }

    /// <summary>How often giving up was put off because the peer ignores a HELLO but sends data.</summary>
    public long HellosIgnored { get; private set; }

    /// <summary>How long an acknowledgement is waited for now.</summary>
    public TimeSpan RetransmitInterval => _timer.Interval;

    /// <summary>When anything at all last came from the peer; at first, when the channel was made.</summary>
    public Timestamp LastHeard => Timestamp.Max(LastControl, LastData);

    /// <summary>When a control message last came.</summary>
    public Timestamp LastControl { get; private set; }

    /// <summary>When the owner last noted data; <see cref="Timestamp.Zero"/> before.</summary>
    public Timestamp LastData { get; private set; }

    public ChannelFailure? Failure { get; private set; }

    public Timestamp NextDeadline => Failure is not null ? Timestamp.Never
        : Timestamp.Min(
            Timestamp.Min(_retransmitAt, _resendAt), HelloPossible ? Timestamp.Min(_helloAt, _probeAt) : Timestamp.Never);

    /// <summary>True when <see cref="TryTransmit"/> has something.</summary>
    public bool WantsToTransmit => CanSendMessage || _acknowledgementOwed || _duplicatesOwed > 0 || _resendsOldest;

    // A HELLO behind other unacknowledged messages would prove nothing that they do not prove themselves.
    private bool HelloPossible => HellosEnabled && _queue.Count == 0;

    private bool CanSendMessage =>
        Failure is null && _next < _queue.Count && _next < Math.Min(_congestion.Size + _recovery.Duplicates, PeerWindow);

    /// <summary>Starts numbering elsewhere than at 0, to test the wrap-around. Only before the first message.</summary>
    public void StartAt(ushort ns, ushort nr)
    {
        _oldestNs = ns;
        Nr = nr;
    }

    /// <summary>Takes over the Receive Window Size that the peer advertised; 1 or more.</summary>
    public void SetPeerWindow(int window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        PeerWindow = Math.Min(window, SendWindowLimit);
        _congestion.SetLimit(PeerWindow);
    }

    /// <summary>
    /// Queues a whole control message; tunnel ID, Ns and Nr are filled in when it is sent. False when the queue is full: then the
    /// tunnel cannot keep its promises and should be closed. <paramref name="isHello"/> marks a keepalive.
    /// </summary>
    public bool TrySend(byte[] message, bool isHello = false) => Failure is null && _queue.TryEnqueue(new(message, isHello));

    /// <summary>
    /// Takes a message from the peer: handles its Nr, and judges its Ns. On <see cref="ChannelVerdict.Deliver"/> the message counts as
    /// received, so the caller must handle it.
    /// </summary>
    /// <param name="header">Its header.</param>
    /// <param name="message">The whole message.</param>
    /// <param name="now">The time.</param>
    public ChannelVerdict Receive(in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        LastControl = now;
        _probeAt = Timestamp.Never;
        RestartHelloTimer(now);
        HandleAcknowledgement(header.Nr, header.IsZeroLengthBody, now);
        if (header.IsZeroLengthBody)
        {
            return ChannelVerdict.Acknowledgement;
        }

        // Section 5.8: modulo 65536, the expected number's 32767 predecessors and more are what we have already.
        int ahead = (short)(header.Ns - Nr);
        if (ahead > 0)
        {
            // At once and not on some message, so that the peer can tell what is missing (RFC 5681 section 4.2).
            _duplicatesOwed = Math.Min(_duplicatesOwed + 1, DuplicatesOwedLimit);
            return message.Length <= HeldMessageLimit && _reorder.Count < HeldLimit && _reorder.TryHold(ahead, message)
                ? ChannelVerdict.Held : ChannelVerdict.Dropped;
        }

        _acknowledgementOwed = true;
        if (ahead < 0)
        {
            return ChannelVerdict.Duplicate;
        }

        StepForward();
        return ChannelVerdict.Deliver;
    }

    /// <summary>True for a message that comes next in order and acknowledges something under way, or everything.</summary>
    public bool Continues(in L2tpHeader header) =>
        header.Ns == Nr && (short)(header.Nr - _oldestNs) >= 0 && (short)(header.Nr - _oldestNs) <= _everSent;

    /// <summary>The next message in order among those that came early, if it is there.</summary>
    public bool TryTakeHeld(out byte[] message)
    {
        if (!_reorder.TryTakeFirst(out message))
        {
            return false;
        }

        _acknowledgementOwed = true;
        StepForward();
        return true;
    }

    /// <summary>Lets go of what came early, for a channel that receives nothing more.</summary>
    internal void DropHeld() => _reorder.Clear();

    /// <summary>Data came from the peer: it lives (section 5.5 counts data and control alike).</summary>
    public void NoteHeard(Timestamp now)
    {
        LastData = now;
        RestartHelloTimer(now);
    }

    /// <summary>
    /// Asks for a HELLO unless a control message comes within <paramref name="patience"/>. Data is no answer: the owner notes it late, and
    /// what arrived before the peer restarted would vouch for the peer after it.
    /// </summary>
    public void ProbeAfter(TimeSpan patience, Timestamp now) => _probeAt = Timestamp.Min(_probeAt, now + patience);

    public ChannelAlarm Advance(Timestamp now)
    {
        if (Failure is null && _retransmitAt <= now)
        {
            return HandleTimeout(now);
        }

        if (Failure is null && _resendAt <= now)
        {
            ResendOldest(now);
        }

        if (HelloPossible && Timestamp.Min(_helloAt, _probeAt) <= now)
        {
            _probeAt = Timestamp.Never;
            RestartHelloTimer(now);
            return ChannelAlarm.HelloDue;
        }

        return ChannelAlarm.None;
    }

    /// <summary>
    /// Writes the next datagram: a message whose turn it is, else the acknowledgement that is owed. Called after everything received
    /// has been handled, so that acknowledgements ride on answers where there are any.
    /// </summary>
    public bool TryTransmit(Span<byte> buffer, Timestamp now, out int length)
    {
        if (_resendsOldest)
        {
            length = SendOldestAgain(buffer, now);
            return true;
        }

        if (CanSendMessage)
        {
            length = SendNext(buffer, now);
            return true;
        }

        if (!_acknowledgementOwed && _duplicatesOwed == 0)
        {
            length = 0;
            return false;
        }

        // A ZLB carries the Ns of the next new message and does not use it up.
        _duplicatesOwed -= _acknowledgementOwed ? 0 : 1;
        _acknowledgementOwed = false;
        return L2tpHeader.ForControl(PeerTunnelId, 0, (ushort)(_oldestNs + _everSent), Nr, 0).TryWrite(buffer, out length);
    }

    /// <summary>Forgets everything queued; what was received stays acknowledged.</summary>
    public void DropQueue()
    {
        _oldestNs = (ushort)(_oldestNs + _everSent);
        _queue.Clear();
        _next = 0;
        _everSent = 0;
        _retransmitAt = Timestamp.Never;
        ForgetResend();
        _recovery.Reset();
        _timer.Cancel();
    }

    /// <summary>Forgets queued messages that were never sent, so that what is queued next goes out soon.</summary>
    public void DropUnsent() => _queue.Truncate(_everSent);

    private int SendNext(Span<byte> buffer, Timestamp now)
    {
        bool isRepetition = _next < _everSent;
        int length = Write(buffer, _next, isRepetition);
        if (!isRepetition)
        {
            _timer.NoteSent((ushort)(_oldestNs + _next), now);
            _everSent++;
        }

        if (_next++ == 0)
        {
            _firstSent = _retransmits == 0 ? now : _firstSent;
            RestartRetransmitTimer(now);
        }

        return length;
    }

    private int SendOldestAgain(Span<byte> buffer, Timestamp now)
    {
        _resendsOldest = false;
        (_hasResent, _resentNs, _resentAt) = (true, _oldestNs, now);
        FastRetransmitted++;
        return Write(buffer, 0, isRepetition: true);
    }

    private int Write(Span<byte> buffer, int position, bool isRepetition)
    {
        byte[] message = _queue[position].Message;
        message.CopyTo(buffer);
        L2tpHeader.Patch(buffer, PeerTunnelId, (ushort)(_oldestNs + position), Nr);
        _acknowledgementOwed = false;
        if (isRepetition)
        {
            Retransmitted++;
            _timer.Cancel();
        }

        return message.Length;
    }

    private void HandleAcknowledgement(ushort nr, bool isZeroLengthBody, Timestamp now)
    {
        int count = (short)(nr - _oldestNs);
        if (count > _everSent)
        {
            UnsentAcknowledged++;
        }
        else if (count > 0)
        {
            RemoveAcknowledged(nr, count, now);
        }
        else if (count == 0 && isZeroLengthBody && _recovery.NoteDuplicate(_next))
        {
            ResendOldestSoon(now);
        }
    }

    private void RemoveAcknowledged(ushort nr, int count, Timestamp now)
    {
        UndoNeedlessResend(nr, now);
        bool wasRecovering = _recovery.IsRecovering;
        _queue.RemoveFirst(count);
        _oldestNs = nr;
        _everSent -= count;
        _next = Math.Max(0, _next - count);
        _retransmits = 0;
        _firstSent = now;
        _timer.NoteAcknowledged(nr, now);
        ForgetResend();
        bool isAnotherMissing = _recovery.NoteAcknowledged(nr, count, out bool restartsTimer);
        if (!wasRecovering)
        {
            _congestion.NoteAcknowledgement();
        }

        if (_next == 0)
        {
            _retransmitAt = Timestamp.Never;
        }
        else if (restartsTimer)
        {
            RestartRetransmitTimer(now);
        }

        if (isAnotherMissing && _next > 0)
        {
            ResendOldestSoon(now);
        }
    }

    private void ResendOldestSoon(Timestamp now)
    {
        TimeSpan patience = _recovery.PatienceOf(_timer.RoundTrip);
        if (patience > TimeSpan.Zero)
        {
            _resendAt = now + patience;
        }
        else
        {
            ResendOldest(now);
        }
    }

    private void ResendOldest(Timestamp now)
    {
        _resendAt = Timestamp.Never;
        _resendsOldest = true;
        _timer.Cancel();
        if (!_recovery.IsRecovering)
        {
            _recovery.Begin((ushort)(_oldestNs + _everSent));
            _congestion.NoteLoss();
            RestartRetransmitTimer(now);
        }
    }

    private void ForgetResend() => (_resendAt, _resendsOldest) = (Timestamp.Never, false);

    // An acknowledgement that comes well within a round trip of the repetition is of the first copy (after RFC 3522): the message was late
    // and not lost, so nothing was amiss with the path.
    private void UndoNeedlessResend(ushort nr, Timestamp now)
    {
        if (!_hasResent || (short)(nr - _resentNs) <= 0)
        {
            return;
        }

        _hasResent = false;
        if (_recovery.IsRecovering && now - _resentAt < _timer.RoundTrip / 2)
        {
            _recovery.NoteNeedless();
            _congestion.Undo();
        }
    }

    private ChannelAlarm HandleTimeout(Timestamp now)
    {
        bool isExhausted = _retransmits >= MaxRetransmits && now - _firstSent >= _settings.CycleOf(MaxRetransmits);
        if (isExhausted && IsIgnoredHello(now))
        {
            HellosIgnored++;
        }
        else if (isExhausted)
        {
            ushort? lastNs = _everReceived ? (ushort)(Nr - 1) : null;
            Failure = new(_retransmits + 1, _firstSent, LastControl, LastData, lastNs, now);
            _retransmitAt = Timestamp.Never;
            ForgetResend();
            return ChannelAlarm.Exhausted;
        }

        // Appendix A: back to a window of one. Whatever was under way counts as lost until acknowledged, so it is all sent again
        // as the window opens; a peer that kept early messages acknowledges them in one go.
        _congestion.NoteTimeout(isRepeated: _retransmits > 0);
        _recovery.NoteTimeout((ushort)(_oldestNs + _everSent));
        _timer.BackOff();
        _retransmits++;
        _next = 0;
        _hasResent = false;
        ForgetResend();
        _retransmitAt = Timestamp.Never;
        return ChannelAlarm.None;
    }

    // A quick timer makes more tries, not an earlier end: a path that is away for half a minute keeps its tunnels (section 5.8).
    private void RestartRetransmitTimer(Timestamp now)
    {
        _retransmitAt = now + _timer.Interval;
        Timestamp end = _firstSent + _settings.CycleOf(MaxRetransmits);
        if (_retransmits >= MaxRetransmits && end > now)
        {
            _retransmitAt = Timestamp.Min(_retransmitAt, end);
        }
    }

    // Some peers never acknowledge a HELLO. While their data arrives they are alive all the same. But once something waits behind
    // the HELLO it can never be sent: then the two ends have lost count of each other, and only a new tunnel helps.
    private bool IsIgnoredHello(Timestamp now) => _queue.Count == 1 && _queue[0].IsHello && now - LastHeard < _settings.FullCycle;

    private void StepForward()
    {
        _everReceived = true;
        _duplicatesOwed = 0;
        Nr++;
        _reorder.Shift();
    }

    private void RestartHelloTimer(Timestamp now) =>
        _helloAt = _settings.HelloInterval > TimeSpan.Zero ? now + _settings.HelloInterval : Timestamp.Never;
}
