namespace Culvert.L2tp;

/// <summary>What an endpoint counts: every datagram that it does not serve has a reason here.</summary>
public enum L2tpCounter : byte
{
    /// <summary>Control messages received, ZLBs included.</summary>
    MessagesReceived,

    /// <summary>Control datagrams sent, ZLBs and retransmissions included.</summary>
    MessagesSent,
    Retransmissions,
    DuplicatesReceived,
    MessagesHeld,

    /// <summary>Came ahead of a missing message and was not kept: outside the window, too long, or <see cref="EndpointLimits.HeldOctets"/> spent.</summary>
    MessagesOutsideWindow,
    HellosSent,

    TunnelsOffered,
    TunnelsEstablished,
    TunnelsClosed,
    SessionsEstablished,
    SessionsClosed,

    /// <summary>Messages sent again because the peer said that one is missing; part of <see cref="Retransmissions"/>.</summary>
    FastRetransmissions,

    /// <summary>Not an L2TP version 2 control header (section 3.1).</summary>
    BadHeader,

    /// <summary>A frame of L2F (RFC 2341), which has the same port and Ver 1.</summary>
    VersionL2f,

    /// <summary>A message of L2TPv3 (RFC 3931), which has the same port and Ver 3.</summary>
    VersionL2tpV3,

    /// <summary>A data message handed to the control plane.</summary>
    NotControl,

    /// <summary>Tunnel ID that nobody has.</summary>
    UnknownTunnel,

    /// <summary>Came from another address or port than the tunnel's.</summary>
    WrongPath,

    /// <summary>AVPs that cannot be walked, or no Message Type first.</summary>
    MalformedMessage,

    /// <summary>A mandatory AVP that nobody knows (section 4.2).</summary>
    UnknownMandatoryAvp,

    /// <summary>An optional AVP that nobody knows, or that is malformed: ignored.</summary>
    IgnoredAvp,

    /// <summary>A message type that nobody knows, without the M bit: ignored.</summary>
    IgnoredMessageType,

    /// <summary>A known message that means nothing in its state, and for which the tables say no more than "clean up".</summary>
    UnexpectedMessage,

    /// <summary>SCCRQ that cannot be read or lacks an AVP.</summary>
    MalformedStart,

    /// <summary>SCCRQ refused by the peer policy.</summary>
    RefusedByPolicy,

    /// <summary>SCCRQ refused because of its protocol version.</summary>
    RefusedVersion,

    /// <summary>Tunnel endpoint that could not prove knowledge of the secret.</summary>
    AuthenticationFailed,

    /// <summary>SCCRQ dropped unread: too many per second, from this address or in all.</summary>
    StartRateExceeded,

    /// <summary>Call refused with CDN 4: too many per second, in this tunnel or in all.</summary>
    CallRateExceeded,

    /// <summary>Call refused with CDN 4 because the owner defers calls (<see cref="L2tpEndpoint.DefersCalls"/>).</summary>
    CallsDeferred,

    /// <summary>SCCRQ refused: too many half-open tunnels with this address.</summary>
    HalfOpenPerPeerLimit,

    /// <summary>SCCRQs answered from a record in place of a tunnel, because many were half-open (not counting repetitions).</summary>
    StartsPending,

    /// <summary>Of those, how many made room for others before their peer completed the set-up.</summary>
    PendingStartsOverwritten,

    /// <summary>Of those, how many became tunnels.</summary>
    PendingStartsCompleted,

    /// <summary>A half-open tunnel dropped as the oldest, to make room.</summary>
    HalfOpenDropped,

    /// <summary>A half-open tunnel whose peer never completed the set-up.</summary>
    HalfOpenExpired,

    /// <summary>No room for another tunnel.</summary>
    TunnelLimit,

    /// <summary>No room for another session, in the tunnel or in all.</summary>
    SessionLimit,

    /// <summary>No room for another session that is being set up.</summary>
    HalfOpenSessionLimit,

    /// <summary>Two starts crossed, and the tie breaker ended one of them.</summary>
    TieBroken,

    /// <summary>An answer without state was not sent because too many were waiting.</summary>
    ReplyDropped,

    /// <summary>An event was not told because nobody took the earlier ones.</summary>
    EventDropped,

    /// <summary>Tunnels that gave up because the peer acknowledged nothing.</summary>
    RetriesExhausted,

    /// <summary>WEN and SLI for no session, or of the wrong role, or without their AVP: acknowledged, and nothing done.</summary>
    StatusMessagesIgnored,
}

/// <summary>Counts by <see cref="L2tpCounter"/>, since the start.</summary>
public sealed class L2tpCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<L2tpCounter>().Length];
    private readonly long[] _notices = new long[Enum.GetValues<L2tpNotice>().Length];

    public long this[L2tpCounter counter] => _counts[(int)counter];

    /// <summary>How often peers did this; a log is told of it once per tunnel.</summary>
    public long this[L2tpNotice notice] => _notices[(int)notice];

    internal void Add(L2tpCounter counter) => _counts[(int)counter]++;

    internal void Add(L2tpNotice notice) => _notices[(int)notice]++;

    internal void Add(L2tpCounter counter, long count) => _counts[(int)counter] += count;
}
