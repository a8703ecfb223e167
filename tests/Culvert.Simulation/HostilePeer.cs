using Culvert.Core;
using Culvert.L2tp;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>
/// Somebody off the path who means harm: rubbish, good messages with damage, messages of others from an address of its own, and
/// SCCRQs in the names of machines that do not exist. It reads nothing that it gets.
/// </summary>
public sealed class HostilePeer : SimulatedEnd
{
    private const int OverheardKept = 64;

    private readonly PeerEndpoint _victim;
    private readonly SeededRandom _random;
    private readonly Mutator _mutator;
    private readonly List<byte[]> _overheard = [];
    private Timestamp _next = Timestamp.Zero;
    private int _due;

    public HostilePeer(string name, PeerEndpoint at, PeerEndpoint victim, ulong seed)
        : base(name, at)
    {
        _victim = victim;
        _random = new SeededRandom(seed);
        _mutator = new Mutator(seed);
        WatchesWindows = false;
    }

    public override Timestamp NextDeadline => _next;

    public override IEnumerable<Tunnel> Tunnels => [];

    /// <summary>A packet between others.</summary>
    public void Overhear(in Delivery packet)
    {
        byte[] octets = packet.Payload.ToArray();
        if (_overheard.Count < OverheardKept)
        {
            _overheard.Add(octets);
        }
        else
        {
            _overheard[_random.NextBelow(OverheardKept)] = octets;
        }
    }

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now)
    {
    }

    public override void Advance(Timestamp now)
    {
        _next = now + TimeSpan.FromMilliseconds(20 + _random.NextBelow(2000));
        _due = 1 + _random.NextBelow(8);
    }

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        bool isBusy = _due > 0;
        for (; _due > 0; _due--)
        {
            Attack(world);
        }

        return isBusy;
    }

    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path)
    {
        length = 0;
        path = default;
        return false;
    }

    public override void Restart(Timestamp now) => _next = now;

    public override void Check()
    {
    }

    private void Attack(SimulatedWorld world)
    {
        switch (_random.NextBelow(4))
        {
            case 0 when _overheard.Count > 0:
                world.Send(At, _victim, _overheard[_random.NextBelow(_overheard.Count)]);
                break;
            case 1 when _overheard.Count > 0:
                world.Send(At, _victim, _mutator.Mutate(_overheard[_random.NextBelow(_overheard.Count)]));
                break;
            case 2:
                world.Send(At, _victim, _mutator.Mutate(Start()));
                break;
            default:
                // 198.18.0.0/16: nobody is there to answer.
                var source = new PeerEndpoint(IpAddress.FromUInt32(0xC6120000 | _random.NextUInt16()), _random.NextUInt16());
                world.Send(source, _victim, Start());
                break;
        }
    }

    private byte[] Start() => L2tpBuilder.StartControlConnectionRequest(1 + _random.NextBelow(65_535), "mallory");
}
