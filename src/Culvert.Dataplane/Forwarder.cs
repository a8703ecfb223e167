using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>What does not differ between the sessions of a shard.</summary>
public sealed record ForwarderOptions
{
    /// <summary>Source of ICMP "fragmentation needed": the interface's own address. Without one none is sent.</summary>
    public IpAddress IcmpSourceIPv4 { get; init; }

    /// <summary>Source of ICMPv6 "packet too big". Without one none is sent.</summary>
    public IpAddress IcmpSourceIPv6 { get; init; }

    /// <summary>ICMP messages (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 f).</summary>
    public RateLimit IcmpRate { get; init; } = new(PerSecond: 100, Burst: 50);

    /// <summary>
    /// False for the threads that help: sessions whose data need order or numbers, or belong to a device of their own, are left to the
    /// one that is true.
    /// </summary>
    public bool IsPrimary { get; init; } = true;

    /// <summary>Sequenced frames of all sessions that may wait for earlier ones, 2 KiB each; memory is taken as it is needed.</summary>
    public int HeldFrames { get; init; } = 4096;
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
    private readonly byte[] _segment = new byte[1 << 16];
    private readonly Reorderer _reorderer;
    private TokenBucket _icmp;

    /// <param name="sessions">Shared by all shards.</param>
    /// <param name="routes">Shared by all shards; none for a node that only dials.</param>
    /// <param name="options">See <see cref="ForwarderOptions"/>.</param>
    public Forwarder(SessionTable sessions, RouteTable? routes, ForwarderOptions? options = null)
    {
        _sessions = sessions;
        _routes = routes;
        _options = options ?? new ForwarderOptions();
        _reorderer = new Reorderer(_options.HeldFrames);
        Counters = sessions.CreateCounters();
    }

    public PacketCounters Counters { get; }

    /// <summary>When <see cref="TryTakeHeld"/> has something to give although nothing comes.</summary>
    public Timestamp NextDeadline => _reorderer.NextDeadline;

    /// <summary>The frame taken apart last lets held ones go: take them (<see cref="TryTakeHeld"/>) before the next datagram.</summary>
    public bool HasHeldToTake => _reorderer.IsReleasing;

    private Verdict Drop(DropReason reason)
    {
        Counters.CountDrop(reason);
        return new Verdict { Reason = reason };
    }

    private Verdict Drop(in SessionEntry session, DropReason reason)
    {
        Counters.CountDrop(session.Row, reason);
        return new Verdict { Reason = reason, Session = new SessionKey(session.Key) };
    }

    private Encapsulation Refuse(SessionKey session, DropReason reason, int packets = 1)
    {
        Counters.CountDrop(reason, packets);
        return new Encapsulation { Reason = reason, Session = session };
    }

    private Encapsulation Refuse(in SessionEntry session, DropReason reason, int packets = 1)
    {
        Counters.CountDrop(session.Row, reason, packets);
        return new Encapsulation { Reason = reason, Session = new SessionKey(session.Key) };
    }
}
