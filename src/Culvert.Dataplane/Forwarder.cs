using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>What does not differ between the sessions of a shard.</summary>
public sealed record ForwarderOptions
{
    /// <summary>Source of ICMP "fragmentation needed": the interface's own address. Without one none is sent.</summary>
    public IpAddress IcmpSourceIPv4 { get; init; }

    /// <summary>Source of ICMPv6 "packet too big". Without one none is sent.</summary>
    public IpAddress IcmpSourceIPv6 { get; init; }

    /// <summary>ICMP messages per second in the long run (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).</summary>
    public int IcmpPerSecond { get; init; } = 100;

    /// <summary>ICMP messages that may go at once.</summary>
    public int IcmpBurst { get; init; } = 50;
}

/// <summary>
/// One shard's packet path between its UDP socket and its TUN. From the call to its return nothing is allocated, locked or waited
/// for, and no content throws. Several forwarders may share a session table and a route table, each with its own counters.
/// </summary>
public sealed partial class Forwarder
{
    /// <summary>Octets that must be free in front of a packet given to <see cref="Encapsulate{TSink}"/>.</summary>
    public const int Headroom = FrameHeader.MaxLength;

    /// <summary>Octets that an ICMP reply may need: IPv6's minimum MTU (RFC 4443 section 3.2).</summary>
    public const int ReplyCapacity = 1280;

    private readonly SessionTable _sessions;
    private readonly RouteTable? _routes;
    private readonly ForwarderOptions _options;

    /// <param name="sessions">Shared by all shards.</param>
    /// <param name="routes">Shared by all shards; none for a node that only dials.</param>
    /// <param name="options">See <see cref="ForwarderOptions"/>.</param>
    public Forwarder(SessionTable sessions, RouteTable? routes, ForwarderOptions? options = null)
    {
        _sessions = sessions;
        _routes = routes;
        _options = options ?? new ForwarderOptions();
        Counters = sessions.CreateCounters();
    }

    public PacketCounters Counters { get; }

    /// <summary>Takes a UDP datagram apart. Clamps the MSS of a TCP SYN in place.</summary>
    public Verdict Decapsulate(Span<byte> datagram, in UdpPath path) => Drop(DropReason.Truncated);

    /// <summary>Sends a packet read from the TUN to the session that its destination leads to.</summary>
    public Encapsulation Encapsulate<TSink>(
        Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct => new() { Reason = Drop(DropReason.NoRoute).Reason };

    /// <summary>Sends a packet to a given session whatever its destination: a TUN that belongs to one dialled connection.</summary>
    public Encapsulation EncapsulateTo<TSink>(
        SessionKey session, Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct => new() { Reason = Drop(DropReason.NoRoute).Reason };

    /// <summary>Sends a PPP frame (address, control and protocol fields as its link wrote them) of a session that is installed.</summary>
    public Encapsulation EncapsulatePpp<TSink>(SessionKey session, ReadOnlySpan<byte> frame, bool priority, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct => new() { Reason = Drop(DropReason.NoRoute).Reason };

    private Verdict Drop(DropReason reason)
    {
        Counters.CountDrop(reason);
        return new Verdict { Reason = reason };
    }
}
