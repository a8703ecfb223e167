namespace Culvert.L2tp;

public enum L2tpEventKind : byte
{
    /// <summary>The tunnel can carry sessions.</summary>
    TunnelEstablished,

    /// <summary>
    /// The tunnel has ended, and with it every session in it; <see cref="L2tpEvent.Disconnect"/> says why. The last event of a tunnel.
    /// </summary>
    TunnelClosed,

    /// <summary>A LAC offers a call: answer with <see cref="Session.Accept"/> or <see cref="Session.Refuse"/>.</summary>
    CallOffered,

    /// <summary>
    /// An LNS asks us to dial (<see cref="Session.OutgoingCall"/>): answer with <see cref="Session.Accept"/> once a line is there, then
    /// <see cref="Session.Connect"/> when the called party answers; or <see cref="Session.Refuse"/>, later <see cref="Session.Close"/>.
    /// </summary>
    OutgoingCallRequested,

    /// <summary>The session carries data.</summary>
    SessionEstablished,

    /// <summary>The session has ended; <see cref="L2tpEvent.Disconnect"/> says why. The last event of a session.</summary>
    SessionClosed,

    /// <summary>LAC role: the LNS told the ACCM (SLI); see <see cref="Session.Accm"/>.</summary>
    LinkInfoChanged,

    /// <summary>LNS role: the LAC told its line's errors (WEN); see <see cref="Session.CallErrors"/>.</summary>
    CallErrorsReported,

    /// <summary>LNS role: the LAC told other connect speeds (CSUN, RFC 5515); they are in <see cref="Session.Call"/>.</summary>
    ConnectSpeedChanged,

    /// <summary>LNS role: the user's modem went on hold or came back (MDMST, RFC 3573); see <see cref="Session.ModemStatus"/>.</summary>
    ModemStatusChanged,

    /// <summary>The peer did something worth a line in a log; told once per tunnel and notice.</summary>
    Notice,
}

/// <summary>Things that peers do and that are put up with.</summary>
public enum L2tpNotice : byte
{
    None = 0,

    /// <summary>A Result Code AVP without Error Code (older Android, MikroTik). Legal, but worth knowing.</summary>
    ShortResultCode,

    /// <summary>Result and Error Code in little-endian order (Apple).</summary>
    SwappedResultCode,

    /// <summary>Tunnel ID 0 after set-up (D-Link DIR-300).</summary>
    TunnelIdZero,

    /// <summary>A CDN with Session ID 0 although ours was known to the peer.</summary>
    SessionIdZero,

    /// <summary>Control messages from another address or port, dropped.</summary>
    ForeignPath,

    /// <summary>The tunnel's address or port changed and was followed.</summary>
    PathFollowed,

    /// <summary>SCCRP came from another address or port than SCCRQ went to (legal: section 8.1).</summary>
    AnsweredFromOtherPort,

    /// <summary>The peer opened another tunnel and does not know an older one any more: it has restarted.</summary>
    PeerRestarted,

    /// <summary>SLI or WEN came in a state where it means nothing.</summary>
    EarlyStatusMessage,

    /// <summary>An unknown or malformed optional AVP was ignored.</summary>
    IgnoredAvp,

    /// <summary>A hidden AVP could not be read and was ignored.</summary>
    UnreadableHiddenAvp,

    /// <summary>An Nr acknowledges messages that were never sent: ignored. The two ends have lost count, or somebody guesses.</summary>
    AcknowledgedUnsent,

    /// <summary>Control messages from another address or port ended the tunnel (<see cref="PathChange.Refuse"/>).</summary>
    PathRefused,

    /// <summary>HELLOs stay unacknowledged although data arrives (Apple, some Android): the tunnel is kept.</summary>
    IgnoredHello,

    /// <summary>Octets follow the L2TP Length: ignored.</summary>
    TrailingOctets,

    /// <summary>An AVP has another M bit than its RFC gives it (Windows): taken all the same.</summary>
    UnusualMandatoryBit,
}

/// <summary>Something that happened to a tunnel or session, for its owner to react to.</summary>
public readonly record struct L2tpEvent(
    L2tpEventKind Kind, Tunnel Tunnel, Session? Session = null, Disconnect? Disconnect = null, L2tpNotice Notice = L2tpNotice.None)
{
    public override string ToString() => Kind switch
    {
        L2tpEventKind.Notice => $"{Tunnel}: {Notice}",
        _ => $"{Session?.ToString() ?? Tunnel.ToString()}: {Kind}{(Disconnect is null ? string.Empty : $", {Disconnect}")}",
    };
}
