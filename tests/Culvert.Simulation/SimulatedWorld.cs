using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>
/// Machines on one network and one virtual clock. Everything that happens follows from the seed. Engines are called as a node calls
/// them: with what arrives, and when their deadline is due but not otherwise, so a deadline that is wrong shows.
/// </summary>
public sealed class SimulatedWorld(ulong seed, LinkConditions? conditions = null)
{
    /// <summary>Times that the clock may be asked for the same instant again: an engine whose deadline is due for ever is caught.</summary>
    private const int MostStepsAtOneTime = 20_000;

    private const int LargestDatagram = 4096;

    private readonly byte[] _buffer = new byte[LargestDatagram];
    private readonly List<SimulatedEnd> _ends = [];
    private readonly Dictionary<PeerEndpoint, SimulatedEnd> _endAt = [];
    private readonly PriorityQueue<Action, (Timestamp At, long Order)> _plan = new();
    private readonly Dictionary<(IpAddress Source, IpAddress Destination), List<Delivery>> _clogged = [];
    private readonly HashSet<(IpAddress Source, IpAddress Destination)> _cut = [];
    private long _order;
    private int _stepsAtThisTime;
    private Timestamp _lastStep;

    public ManualClock Clock { get; } = new();

    public Timestamp Now => Clock.Now;

    public SimulatedNetwork Network { get; } = new(seed, conditions, limit: 1_000_000);

    public PacketTrace Trace { get; } = new();

    /// <summary>For faults; the network and the ends have sources of their own.</summary>
    public SeededRandom Random { get; } = new(seed ^ 0x5EED_F00D);

    public IReadOnlyList<SimulatedEnd> Ends => _ends;

    /// <summary>Chance that a packet arrives damaged. UDP's checksum catches most of that in life; a NAT with a bug does not.</summary>
    public double Corruption { get; set; }

    /// <summary>An end of which this share of packets arrives damaged, whatever the network does to the others.</summary>
    public (IpAddress Source, double Chance) Misbehaviour { get; set; }

    /// <summary>Packets that were damaged.</summary>
    public long Corrupted { get; private set; }

    /// <summary>Called after every step, when no end has anything left to take or to send.</summary>
    public Action? AfterStep { get; set; }

    /// <summary>Called when an end has taken its events and is about to send: the moment at which its queues are fullest.</summary>
    public Action<SimulatedEnd>? BeforeTransmit { get; set; }

    /// <summary>Sees every packet as it is sent; false loses it.</summary>
    public Func<Delivery, bool>? Filter { get; set; }

    public T Add<T>(T end)
        where T : SimulatedEnd
    {
        _ends.Add(end);
        _endAt.Add(end.At, end);
        return end;
    }

    /// <summary>Something to happen later, in world time.</summary>
    public void After(double seconds, Action action) => _plan.Enqueue(action, (Now + TimeSpan.FromSeconds(seconds), _order++));

    /// <summary>Nothing passes from one address to the other until <see cref="Mend"/>.</summary>
    public void Cut(IpAddress source, IpAddress destination) => _cut.Add((source, destination));

    /// <summary>Packets from one address to the other are held until <see cref="Unclog"/>, which lets them all go at once.</summary>
    public void Clog(IpAddress source, IpAddress destination) => _clogged.TryAdd((source, destination), []);

    public void Mend(IpAddress source, IpAddress destination) => _cut.Remove((source, destination));

    public void Unclog(IpAddress source, IpAddress destination)
    {
        if (_clogged.Remove((source, destination), out List<Delivery>? held))
        {
            foreach (Delivery packet in held)
            {
                Network.Send(packet.Source, packet.Destination, packet.Payload.Span, Now);
            }
        }
    }

    /// <summary>Ends all faults of the network; what is under way arrives.</summary>
    public void EndFaults()
    {
        Corruption = 0;
        Misbehaviour = default;
        Network.Conditions = LinkConditions.Perfect;
        _cut.Clear();
        _ends.ForEach(e => e.IsClogged = false);
        foreach ((IpAddress source, IpAddress destination) in _clogged.Keys.ToArray())
        {
            Unclog(source, destination);
        }
    }

    /// <summary>Puts a datagram on the wire, whoever is said to have sent it.</summary>
    public void Send(PeerEndpoint source, PeerEndpoint destination, ReadOnlySpan<byte> datagram)
    {
        byte[] octets = datagram.ToArray();
        var packet = new Delivery(source, destination, octets, Now);
        (IpAddress, IpAddress) way = (source.Address, destination.Address);
        if (_cut.Contains(way) || !(Filter?.Invoke(packet) ?? true))
        {
            Trace.NotePacket("cut", packet, Now);
            return;
        }

        double damage = Misbehaviour.Source == source.Address ? Misbehaviour.Chance : Corruption;
        if (damage > 0 && Random.NextUInt32() / 4294967296.0 < damage)
        {
            Corrupted++;
            octets = new Mutator(Random.NextUInt32()).Mutate(octets);
            packet = packet with { Payload = octets };
            Trace.NotePacket("damaged", packet, Now);
        }
        else
        {
            Trace.NotePacket("", packet, Now);
        }

        if (_clogged.TryGetValue(way, out List<Delivery>? held))
        {
            held.Add(packet);
        }
        else
        {
            Network.Send(source, destination, octets, Now);
        }
    }

    /// <summary>Takes and sends everything that an end has; to be called after every call into its engines from outside.</summary>
    public void Settle(SimulatedEnd end)
    {
        if (end.IsOff)
        {
            return;
        }

        Timestamp local = end.Local(Now);
        _ = end.TakeEvents(this, local);
        do
        {
            BeforeTransmit?.Invoke(end);
            while (!end.IsClogged && end.TryTransmit(_buffer, local, out int length, out UdpPath path))
            {
                end.WatchSent(path, _buffer.AsSpan(0, length));
                Send(end.At, path.Peer, _buffer.AsSpan(0, length));
            }
        }
        while (end.TakeEvents(this, local));
    }

    /// <summary>Runs until <paramref name="done"/>; false when <paramref name="seconds"/> of virtual time passed before.</summary>
    public bool RunUntil(Func<bool> done, double seconds)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        SettleAll();
        while (!done())
        {
            if (!Step(end))
            {
                Clock.JumpTo(end);
                return done();
            }
        }

        return true;
    }

    public void Pass(double seconds)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        SettleAll();
        while (Step(end))
        {
        }

        Clock.JumpTo(end);
    }

    public void SettleAll()
    {
        foreach (SimulatedEnd end in _ends)
        {
            Settle(end);
        }
    }

    private bool Step(Timestamp end)
    {
        Timestamp next = Timestamp.Min(Network.NextDeadline, _plan.TryPeek(out _, out (Timestamp At, long Order) first) ? first.At : Timestamp.Never);
        foreach (SimulatedEnd candidate in _ends)
        {
            next = Timestamp.Min(next, candidate.NextInWorldTime);
        }

        if (next > end)
        {
            return false;
        }

        Clock.JumpTo(next);
        NoteStep();
        while (_plan.TryPeek(out Action? action, out first) && first.At <= Now)
        {
            _plan.Dequeue();
            action();
        }

        Deliver();
        foreach (SimulatedEnd due in _ends)
        {
            if (due.NextInWorldTime <= Now)
            {
                due.Advance(due.Local(Now));
                Settle(due);
            }
        }

        AfterStep?.Invoke();
        return true;
    }

    private void Deliver()
    {
        while (Network.TryReceive(Now, out Delivery packet))
        {
            if (_endAt.TryGetValue(packet.Destination, out SimulatedEnd? end) && !end.IsOff)
            {
                var path = new UdpPath(packet.Destination.Address, packet.Source);
                byte[] octets = packet.Payload.ToArray();
                end.WatchReceived(path, octets);
                end.Receive(path, octets, end.Local(Now));
                Settle(end);
            }
        }
    }

    private void NoteStep()
    {
        _stepsAtThisTime = Now == _lastStep ? _stepsAtThisTime + 1 : 0;
        _lastStep = Now;
        if (_stepsAtThisTime > MostStepsAtOneTime)
        {
            string due = string.Join(", ", _ends.Where(e => e.NextInWorldTime <= Now).Select(e => $"{e.Name} ({e.NextDeadline})"));
            throw new InvariantViolatedException($"time stands still: due for ever are {due}");
        }
    }
}
