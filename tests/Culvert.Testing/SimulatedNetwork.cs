using Culvert.Core;

namespace Culvert.Testing;

/// <summary>What a path does to packets. Chances are from 0 to 1 and drawn per packet.</summary>
public sealed record LinkConditions
{
    public static LinkConditions Perfect { get; } = new();

    /// <summary>Chance that a packet vanishes.</summary>
    public double Loss { get; init; }

    /// <summary>Chance that a packet arrives twice; the copy takes its own delay.</summary>
    public double Duplication { get; init; }

    /// <summary>Chance that a packet is held back by <see cref="ReorderDelay"/>, so that later ones overtake it.</summary>
    public double Reordering { get; init; }

    /// <summary>Least time from end to end.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Most time added to <see cref="Delay"/>, drawn evenly. Jitter alone already reorders.</summary>
    public TimeSpan Jitter { get; init; }

    public TimeSpan ReorderDelay { get; init; } = TimeSpan.FromMilliseconds(50);
}

/// <summary>A datagram under way or arrived.</summary>
public readonly record struct Delivery(PeerEndpoint Source, PeerEndpoint Destination, ReadOnlyMemory<byte> Payload, Timestamp At);

/// <summary>
/// Datagrams between addressed ends on virtual time. Everything follows from the seed: the same calls give the same losses.
/// Send when an engine transmits, jump the clock to the earlier of <see cref="NextDeadline"/> and the engines' deadlines, then
/// take what has arrived with <see cref="TryReceive"/>.
/// </summary>
public sealed class SimulatedNetwork(ulong seed, LinkConditions? conditions = null, int limit = SimulatedNetwork.DefaultLimit)
{
    /// <summary>Packets under way at once; an engine that floods is a failed test, not a machine without memory.</summary>
    public const int DefaultLimit = 100_000;

    private readonly SeededRandom _random = new(seed);
    private readonly PriorityQueue<Delivery, (Timestamp At, long Order)> _underway = new();
    private readonly Dictionary<(IpAddress Source, IpAddress Destination), LinkConditions> _links = [];
    private long _order;

    /// <summary>Conditions of every path that has none of its own. May change at any time.</summary>
    public LinkConditions Conditions { get; set; } = conditions ?? LinkConditions.Perfect;

    /// <summary>Sees every packet that is sent, before loss. Return false to lose it.</summary>
    public Func<Delivery, bool>? Filter { get; set; }

    public int Underway => _underway.Count;

    public long Sent { get; private set; }

    public long Lost { get; private set; }

    public long Duplicated { get; private set; }

    public long Delivered { get; private set; }

    /// <summary>When the next packet arrives, or <see cref="Timestamp.Never"/>.</summary>
    public Timestamp NextDeadline => _underway.TryPeek(out _, out (Timestamp At, long Order) priority) ? priority.At : Timestamp.Never;

    /// <summary>Gives the path from one address to another (one direction) its own conditions.</summary>
    public void SetLink(IpAddress source, IpAddress destination, LinkConditions conditions) => _links[(source, destination)] = conditions;

    /// <summary>Sends a copy of <paramref name="payload"/>.</summary>
    public void Send(PeerEndpoint source, PeerEndpoint destination, ReadOnlySpan<byte> payload, Timestamp now)
    {
        Sent++;
        LinkConditions link = _links.GetValueOrDefault((source.Address, destination.Address), Conditions);
        var packet = new Delivery(source, destination, payload.ToArray(), now);
        if (!(Filter?.Invoke(packet) ?? true) || Happens(link.Loss))
        {
            Lost++;
            return;
        }

        Enqueue(packet, link, now);
        if (Happens(link.Duplication))
        {
            Duplicated++;
            Enqueue(packet, link, now);
        }
    }

    /// <summary>Takes out the earliest packet that has arrived by <paramref name="now"/>.</summary>
    public bool TryReceive(Timestamp now, out Delivery delivery)
    {
        if (NextDeadline > now || !_underway.TryDequeue(out delivery, out _))
        {
            delivery = default;
            return false;
        }

        Delivered++;
        return true;
    }

    /// <summary>Everything under way is lost.</summary>
    public void Clear()
    {
        Lost += _underway.Count;
        _underway.Clear();
    }

    private void Enqueue(Delivery packet, LinkConditions link, Timestamp now)
    {
        if (_underway.Count >= limit)
        {
            throw new InvalidOperationException($"{limit} packets are under way: somebody floods the simulated network.");
        }

        TimeSpan delay = link.Delay + (link.Jitter * Fraction()) + (Happens(link.Reordering) ? link.ReorderDelay : TimeSpan.Zero);
        Timestamp at = now + delay;
        _underway.Enqueue(packet with { At = at }, (at, _order++));
    }

    private bool Happens(double chance) => Fraction() < chance;

    private double Fraction() => _random.NextUInt32() / 4294967296.0;
}

/// <summary>A <see cref="SimulatedNetwork"/> with two ends, for engines that do not care about addresses.</summary>
public sealed class LossyLink(ulong seed, LinkConditions? conditions = null)
{
    public enum End
    {
        A,
        B,
    }

    private static readonly PeerEndpoint[] Endpoints =
    [
        new(IpAddress.FromUInt32(0xC0000201), 1701), // 192.0.2.1
        new(IpAddress.FromUInt32(0xC0000202), 1701), // 192.0.2.2
    ];

    public SimulatedNetwork Network { get; } = new(seed, conditions);

    public Timestamp NextDeadline => Network.NextDeadline;

    public static PeerEndpoint EndpointOf(End end) => Endpoints[(int)end];

    /// <summary>Sends from <paramref name="from"/> to the other end.</summary>
    public void Send(End from, ReadOnlySpan<byte> payload, Timestamp now) =>
        Network.Send(Endpoints[(int)from], Endpoints[1 - (int)from], payload, now);

    /// <summary>Takes out the earliest packet that has arrived, and at which end.</summary>
    public bool TryReceive(Timestamp now, out End at, out byte[] payload)
    {
        bool received = Network.TryReceive(now, out Delivery delivery);
        at = received && delivery.Destination == Endpoints[1] ? End.B : End.A;
        payload = received ? delivery.Payload.ToArray() : [];
        return received;
    }
}
