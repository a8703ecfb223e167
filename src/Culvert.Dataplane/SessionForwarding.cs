using Culvert.Core;

namespace Culvert.Dataplane;

public enum SessionState : byte
{
    /// <summary>The slot is free.</summary>
    None = 0,

    /// <summary>The ID is taken, nothing else is known: frames are handed up as <see cref="VerdictKind.Early"/>.</summary>
    Reserved = 1,

    /// <summary>PPP negotiates: control frames pass, IP does not.</summary>
    Pending = 2,

    /// <summary>IP passes both ways.</summary>
    Forwarding = 3,

    /// <summary>Over, though the ID is not free yet: frames are dropped as for an unknown session. Set by the table only.</summary>
    Closed = 4,
}

/// <summary>How frames towards the peer are written. Whatever arrives is accepted in every form.</summary>
[Flags]
public enum TransmitFraming : byte
{
    /// <summary>Six octets of L2TP and a two-octet protocol field.</summary>
    None = 0,

    /// <summary>Write the address and control field FF 03 (the peer did not accept ACFC).</summary>
    AddressControl = 1,

    /// <summary>Write IP's protocol number in one octet (the peer asked for PFC).</summary>
    CompressProtocol = 2,

    /// <summary>Write the L2TP Length field. Costs two octets and makes frames of a run differ in their headers when sizes do.</summary>
    Length = 4,

    /// <summary>Write Ns and Nr (RFC 2661 section 5.4). Such a session must be sent to by one shard only.</summary>
    Sequence = 8,
}

[Flags]
public enum SessionPolicies : byte
{
    None = 0,

    /// <summary>No source check: the dialling side, whose peer is the way to everywhere.</summary>
    AnySource = 1,

    /// <summary>Accept frames whose sender moved, and say so (<see cref="Verdict.PathChanged"/>); otherwise they are dropped.</summary>
    FollowPeer = 2,

    /// <summary>Frames with Ns are put into order (RFC 2661 section 5.4); those without pass at once.</summary>
    OrderSequenced = 4,

    /// <summary>
    /// Tell when the peer begins or ceases to send Ns (<see cref="Verdict.SequencingChanged"/>): a LAC does as its LNS does.
    /// </summary>
    FollowSequencing = 8,
}

/// <summary>Everything the data plane knows about one session; what the control plane installs and updates.</summary>
public readonly record struct SessionForwarding
{
    public ushort LocalTunnelId { get; init; }

    public ushort LocalSessionId { get; init; }

    public ushort PeerTunnelId { get; init; }

    public ushort PeerSessionId { get; init; }

    /// <summary>Where frames are sent, and where they must come from.</summary>
    public UdpPath Path { get; init; }

    public SessionState State { get; init; }

    public TransmitFraming Framing { get; init; }

    public SessionPolicies Policies { get; init; }

    /// <summary>Largest IP packet sent to the peer, in octets: the least of its MRU and what the path carries (see <see cref="TunnelMtu"/>). At least 68 is
    /// used, and at most what a datagram holds; IPv6 may always use 1280.</summary>
    public ushort Mtu { get; init; }

    /// <summary>Largest IP packet accepted from the peer, in octets; 0 is no limit. At least 1500 is wise (RFC 1661 section 6.1).</summary>
    public ushort ReceiveLimit { get; init; }

    /// <summary>Ceiling for the MSS in TCP SYNs over IPv4, both ways; 0 leaves them alone.</summary>
    public ushort MssIPv4 { get; init; }

    /// <summary>Ceiling for the MSS in TCP SYNs over IPv6, both ways; 0 leaves them alone.</summary>
    public ushort MssIPv6 { get; init; }

    /// <summary>
    /// The subscriber's own IPv4 address: permitted as a source without asking the routes. All others, and IPv6, are permitted when
    /// they route to this session.
    /// </summary>
    public IpAddress SourceIPv4 { get; init; }

    /// <summary>How long and how many frames may wait for an earlier one; null for <see cref="ReorderLimits.Default"/>.</summary>
    public ReorderLimits? Reorder { get; init; }

    /// <summary>DSCP and ECN of the outer packets.</summary>
    public TrafficMarking Marking { get; init; }

    public SessionKey Key => new(LocalTunnelId, LocalSessionId);
}
