namespace Culvert.Dataplane;

/// <summary>
/// Why a packet went no further. Values below <see cref="DropReasons.PerSessionCount"/> can be blamed on a session and are counted
/// in its block as well as in the shard's total; the others happen before a session is known.
/// </summary>
public enum DropReason : byte
{
    /// <summary>IP data for a session whose network protocol is not up, or a packet to such a session.</summary>
    NotForwarding = 0,

    /// <summary>The frame came from another address, port or mark than the session's peer.</summary>
    WrongPath = 1,

    /// <summary>No PPP protocol field, or one that RFC 1661 section 2 forbids.</summary>
    MalformedPpp = 2,

    /// <summary>An IP header whose version or lengths do not fit the frame.</summary>
    MalformedIp = 3,

    /// <summary>A source address that does not route to the session it came from (RFC 2827).</summary>
    SourceNotAllowed = 4,

    /// <summary>An IP packet from the peer longer than the session's receive limit.</summary>
    TooLong = 5,

    /// <summary>A packet larger than the session's MTU that must not be fragmented (DF, or IPv6).</summary>
    TooBig = 6,

    /// <summary>A packet that would need more than <see cref="IPv4Fragmenter.MaxFragments"/> fragments, or cannot be cut.</summary>
    CannotFragment = 7,

    /// <summary>The sink had no room for the frame.</summary>
    SinkFull = 8,

    /// <summary>A sequenced frame that came when its number had been given up (RFC 2661 section 5.4).</summary>
    Late = 9,

    /// <summary>A sequenced frame whose number had come before.</summary>
    Duplicate = 10,

    /// <summary>The network marked the outer packet as having met congestion, and the packet inside does not know ECN (RFC 6040).</summary>
    CongestionMarked = 11,

    /// <summary>A UDP datagram or packet too short for its own header.</summary>
    Truncated = 16,

    /// <summary>Version 1: layer two forwarding, RFC 2341.</summary>
    VersionL2f = 17,

    /// <summary>Version 3: L2TPv3 over UDP, RFC 3931.</summary>
    VersionL2tpv3 = 18,

    /// <summary>Any other version (RFC 2661 section 3.1: discard).</summary>
    VersionUnknown = 19,

    /// <summary>Length or offset fields that point outside the datagram.</summary>
    MalformedHeader = 20,

    /// <summary>No session has these IDs.</summary>
    UnknownSession = 21,

    /// <summary>A packet from the TUN whose destination leads to no session.</summary>
    NoRoute = 22,

    /// <summary>A packet from the TUN that is not IP, or whose lengths do not fit.</summary>
    NotIp = 23,

    /// <summary>The session was being rewritten by its owner for longer than a reader waits.</summary>
    Busy = 24,
}

/// <summary>Sizes of the blocks indexed by <see cref="DropReason"/>.</summary>
public static class DropReasons
{
    /// <summary>Slots for reasons that are counted per session; with the four traffic counters they fill two cache lines.</summary>
    public const int PerSessionCount = 12;

    /// <summary>Slots for all reasons.</summary>
    public const int Count = 32;
}
