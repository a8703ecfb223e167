using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// One call in a tunnel (RFC 2661 sections 7.4 and 7.5), incoming or outgoing: placed from here, or offered by the peer and accepted by
/// its owner here.
/// </summary>
public sealed class Session
{
    /// <summary>Least time between two WENs (section 6.13).</summary>
    public static readonly TimeSpan CallErrorsInterval = TimeSpan.FromSeconds(60);

    private HistoryRing _history;
    private Timestamp _callErrorsSentAt;

    internal Session(Tunnel tunnel, ushort localSessionId, ushort peerSessionId, bool isPlacedHere, IncomingCall call, SessionState state)
    {
        Tunnel = tunnel;
        LocalSessionId = localSessionId;
        PeerSessionId = peerSessionId;
        IsPlacedHere = isPlacedHere;
        Call = call;
        State = state;
        _history = new(tunnel.StartedAt);
    }

    public Tunnel Tunnel { get; }

    /// <summary>The ID that the peer puts into headers; never 0. Free for others once the session has closed.</summary>
    public ushort LocalSessionId { get; }

    /// <summary>The ID that we put into headers; 0 until the peer has assigned it.</summary>
    public ushort PeerSessionId { get; internal set; }

    public SessionState State { get; internal set; }

    /// <summary>True when we sent the request: an ICRQ as LAC or an OCRQ as LNS.</summary>
    public bool IsPlacedHere { get; }

    public CallDirection Direction => OutgoingCall is null ? CallDirection.Incoming : CallDirection.Outgoing;

    /// <summary>True when the call's line ends at this node.</summary>
    public bool IsLac => IsPlacedHere == (OutgoingCall is null);

    /// <summary>What the LNS asked for; null for an incoming call.</summary>
    public OutgoingCall? OutgoingCall { get; internal init; }

    /// <summary>LAC role: what the LNS last said in an SLI; null when it said nothing.</summary>
    public Accm? Accm { get; internal set; }

    /// <summary>LNS role: what the LAC last said in a WEN; null when it said nothing.</summary>
    public CallErrors? CallErrors { get; internal set; }

    /// <summary>LNS role: the Modem On-Hold Status that the LAC last told (RFC 3573 section 4): 0 online, bit 15 on hold.</summary>
    public ushort ModemStatus { get; internal set; }

    /// <summary>The per-hop behaviour that both ends use for this session's data (RFC 3308); null when none was agreed.</summary>
    public ushort? Phb { get; internal set; }

    /// <summary>True when our data messages must carry sequence numbers, and the peer's do (section 5.4).</summary>
    public bool SequencesData => Call.SequencingRequired || Tunnel.Settings.Sequencing == SequencingPolicy.Required;

    /// <summary>What is known about the call; an LNS learns the rest with SessionEstablished.</summary>
    public IncomingCall Call { get; internal set; }

    /// <summary>When data could flow first; <see cref="Timestamp.Never"/> before that.</summary>
    public Timestamp EstablishedAt { get; internal set; } = Timestamp.Never;

    /// <summary>Why the session has ended; null while it has not.</summary>
    public Disconnect? Ended { get; internal set; }

    /// <summary>The last control messages and states of this session.</summary>
    public History History => new(_history, isSession: true);

    /// <summary>A place for the owner's own state.</summary>
    public object? Owner { get; set; }

    internal Timestamp SetUpDeadline { get; set; }

    internal bool IsBeingSetUp => State is not (SessionState.Idle or SessionState.Established);

    internal StateTable<SessionState, SessionInput, SessionAction> Table => Direction == CallDirection.Incoming
        ? (IsLac ? IncomingCallTables.Lac : IncomingCallTables.Lns)
        : (IsLac ? OutgoingCallTables.Lac : OutgoingCallTables.Lns);

    /// <summary>
    /// Accepts an offered call: sends the ICRP; or, of a call that we are to dial, the OCRP. Without effect when the call is not
    /// offered any more.
    /// </summary>
    /// <param name="physicalChannelId">LAC role: the channel, for the logs of both ends (section 4.4.4).</param>
    public void Accept(Timestamp now, uint? physicalChannelId = null)
    {
        if (State == SessionState.Offered)
        {
            Call = physicalChannelId is null ? Call : Call with { PhysicalChannelId = physicalChannelId };
            Tunnel.Apply(this, Offer(SessionInput.IcrqAcceptable, SessionInput.OcrqAcceptable), null, now);
        }
    }

    /// <summary>
    /// LAC role, an outgoing call: the called party answered. Sends the OCCN; the session is then established. Without effect in
    /// another state.
    /// </summary>
    public void Connect(BearerConnection connection, Timestamp now)
    {
        if (State == SessionState.WaitCsAnswer)
        {
            Call = Call with
            {
                TxConnectSpeed = connection.TxConnectSpeed,
                RxConnectSpeed = connection.RxConnectSpeed,
                FramingType = connection.FramingType,
                SequencingRequired = connection.SequencingRequired,
            };
            Tunnel.Apply(this, SessionInput.BearerAnswer, null, now);
        }
    }

    /// <summary>LNS role: tells the LAC the ACCM that was negotiated, in an SLI. False unless established in that role.</summary>
    public bool TrySendAccm(Accm accm, Timestamp now)
    {
        if (State != SessionState.Established || IsLac)
        {
            return false;
        }

        Tunnel.SendStatus(this, Tunnel.ComposeSli(this, accm), now);
        return true;
    }

    /// <summary>
    /// LAC role: tells the LNS the line's errors since the call began, in a WEN. False unless established in that role; and false within
    /// <see cref="CallErrorsInterval"/> of the last one, after which the owner tries again: the counters are cumulative, so nothing is lost.
    /// </summary>
    public bool TrySendCallErrors(CallErrors errors, Timestamp now)
    {
        bool isTooSoon = _callErrorsSentAt != Timestamp.Zero && now - _callErrorsSentAt < CallErrorsInterval;
        if (State != SessionState.Established || !IsLac || isTooSoon)
        {
            return false;
        }

        _callErrorsSentAt = now;

        Tunnel.SendStatus(this, Tunnel.ComposeWen(this, errors), now);
        return true;
    }

    /// <summary>Refuses an offered call with a CDN. Without effect when the call is not offered any more.</summary>
    public void Refuse(Disconnect why, Timestamp now)
    {
        if (State == SessionState.Offered)
        {
            Tunnel.Apply(this, Offer(SessionInput.IcrqNotAcceptable, SessionInput.OcrqNotAcceptable), why, now);
        }
    }

    /// <summary>LAC role: tells the LNS that the modem went on hold (RFC 3573). False unless established, and the peer knows it.</summary>
    public bool TrySendModemStatus(ushort status, Timestamp now) =>
        State == SessionState.Established && IsLac && Tunnel.TrySendModemStatus(this, status, now);

    /// <summary>
    /// LAC role: tells the LNS other connect speeds, bits per second (CSUN, RFC 5515). False unless established, and announced by
    /// <see cref="IncomingCall.SendsSpeedUpdates"/>.
    /// </summary>
    public bool TrySendConnectSpeed(uint tx, uint rx, Timestamp now)
    {
        if (State != SessionState.Established || !IsLac || !Call.SendsSpeedUpdates)
        {
            return false;
        }

        Call = Call with { TxConnectSpeed = tx, RxConnectSpeed = rx };
        Tunnel.SendSpeeds(MessageType.Csun, [this], now);
        return true;
    }

    /// <summary>LNS role: asks the LAC for the connect speeds (CSURQ, RFC 5515). False unless established and announced.</summary>
    public bool TryRequestConnectSpeed(Timestamp now)
    {
        if (State != SessionState.Established || IsLac || !Call.SendsSpeedUpdates)
        {
            return false;
        }

        Tunnel.SendSpeeds(MessageType.Csurq, [this], now);
        return true;
    }

    /// <summary>Forgets what the LAC negotiated with the user, the password in it too. For an owner that has used it.</summary>
    public void ForgetProxy()
    {
        if (Call.ProxyLcp is not null || Call.ProxyAuthentication is not null)
        {
            Call = Call with { ProxyLcp = null, ProxyAuthentication = null };
        }
    }

    /// <summary>Ends the session with a CDN. Without effect once it has ended.</summary>
    public void Close(Disconnect why, Timestamp now)
    {
        if (State != SessionState.Idle)
        {
            Tunnel.Apply(this, SessionInput.LocalClose, why, now);
        }
    }

    internal void Record(in HistoryEntry entry) => _history.Add(entry, HistoryRing.SessionCapacity);

    internal void RecordState(Timestamp now) =>
        _history.NoteState((byte)State, LocalSessionId, now, HistoryRing.SessionCapacity);

    private SessionInput Offer(SessionInput incoming, SessionInput outgoing) =>
        Direction == CallDirection.Incoming ? incoming : outgoing;

    public override string ToString() => $"{Tunnel} session {LocalSessionId}/{PeerSessionId}";
}
