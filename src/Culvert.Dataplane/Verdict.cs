namespace Culvert.Dataplane;

public enum VerdictKind : byte
{
    /// <summary>Nothing more to do; <see cref="Verdict.Reason"/> says why and has been counted.</summary>
    Dropped = 0,

    /// <summary>The T bit is set: the whole datagram is for L2TP.</summary>
    Control,

    /// <summary>An IP packet for the TUN.</summary>
    Deliver,

    /// <summary>A PPP frame other than IP for the session's link, FF 03 and protocol field included as they came.</summary>
    PppControl,

    /// <summary>
    /// A PPP frame for a session that is only reserved: its peer is not known yet, so nothing about the sender was checked. Keep
    /// a few until ICCN has been processed, then offer the datagrams again.
    /// </summary>
    Early,

    /// <summary>
    /// An IP packet that belongs to this link alone (limited broadcast, IPv6 link-local or multicast): DHCPINFORM, router
    /// solicitation. Never for the TUN, where it could not be told from another subscriber's.
    /// </summary>
    LinkScope,

    /// <summary>A frame that came before an earlier one: kept, until <see cref="Forwarder.TryTakeHeld"/> gives it.</summary>
    Held,
}

/// <summary>What became of a received datagram.</summary>
public readonly struct Verdict
{
    public VerdictKind Kind { get; init; }

    /// <summary>Meaningful when <see cref="Kind"/> is <see cref="VerdictKind.Dropped"/>.</summary>
    public DropReason Reason { get; init; }

    /// <summary>The sender is not the session's peer as installed, which the session's policy allows: update the path.</summary>
    public bool PathChanged { get; init; }

    /// <summary>
    /// The peer has begun to send Ns, or has ceased to (<see cref="HasSequence"/> says which), and the session's policy is to follow.
    /// </summary>
    public bool SequencingChanged { get; init; }

    /// <summary>The frame carried Ns: <see cref="Ns"/> is meaningful.</summary>
    public bool HasSequence { get; init; }

    /// <summary>The sequence number of the data message (RFC 2661 section 5.4).</summary>
    public ushort Ns { get; init; }

    /// <summary>Where the packet or frame starts within the datagram.</summary>
    public int Offset { get; init; }

    /// <summary>Its length in octets.</summary>
    public int Length { get; init; }

    public SessionKey Session { get; init; }

    public override string ToString() =>
        Kind == VerdictKind.Dropped ? $"dropped: {Reason}" : $"{Kind} {Session} [{Offset}..{Offset + Length}]";
}

public enum EncapsulationKind : byte
{
    Dropped = 0,

    /// <summary>One frame or several are in the sink.</summary>
    Sent,

    /// <summary>The packet was too big: write the ICMP message in the reply buffer back to the TUN.</summary>
    Reply,
}

/// <summary>What became of a packet read from the TUN.</summary>
public readonly struct Encapsulation
{
    public EncapsulationKind Kind { get; init; }

    /// <summary>Meaningful when <see cref="Kind"/> is Dropped or Reply (then <see cref="DropReason.TooBig"/>).</summary>
    public DropReason Reason { get; init; }

    /// <summary>Frames given to the sink.</summary>
    public int Frames { get; init; }

    /// <summary>Octets of the ICMP message in the reply buffer.</summary>
    public int ReplyLength { get; init; }

    public SessionKey Session { get; init; }
}
