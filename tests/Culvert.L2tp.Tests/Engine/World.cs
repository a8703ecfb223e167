using Culvert.Core;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>An endpoint with an address in a <see cref="World"/>. Accepts every call that it is offered; a number that it is to dial answers at once.</summary>
internal sealed class Node(IpAddress address, TunnelSettings settings, ulong seed, EndpointLimits? limits = null)
{
    public PeerEndpoint At { get; } = new(address, 1701);

    public CheckedSessionIds SessionIds { get; } = new(seed);

    public OnePolicy Policy { get; } = new(settings);

    public L2tpEndpoint Endpoint => field ??= new(limits ?? EndpointLimits.Default, Policy, SessionIds, new SeededRandom(seed));

    public List<L2tpEvent> Events { get; } = [];

    /// <summary>What it wants of the LCP of the calls that it dials.</summary>
    public LcpWishes? Wishes { get; init; }

    public int Count(L2tpEventKind kind) => Events.Count(e => e.Kind == kind);

    public L2tpEvent Last(L2tpEventKind kind) => Events.FindLast(e => e.Kind == kind);
}

/// <summary>Endpoints on one simulated network and one manual clock.</summary>
internal sealed class World(ulong seed, LinkConditions? conditions = null)
{
    private readonly byte[] _buffer = new byte[L2tpEndpoint.MaximumMessageSize];
    private readonly List<Node> _nodes = [];

    public ManualClock Clock { get; } = new();

    public SimulatedNetwork Network { get; } = new(seed, conditions);

    public Timestamp Now => Clock.Now;

    public Node Add(string address, TunnelSettings settings, EndpointLimits? limits = null, LcpWishes? wishes = null)
    {
        var node = new Node(IpAddress.Parse(address), settings, seed + (ulong)_nodes.Count, limits) { Wishes = wishes };
        _nodes.Add(node);
        return node;
    }

    /// <summary>How often anybody was told this.</summary>
    public int Told(L2tpEventKind kind) => _nodes.Sum(node => node.Count(kind));

    public Tunnel Connect(Node from, Node to, TunnelSettings settings)
    {
        Assert.True(from.Endpoint.TryConnect(new(default, to.At), settings, Now, out Tunnel? tunnel));
        return tunnel;
    }

    /// <summary>Runs until <paramref name="done"/>, or fails after so many seconds of virtual time.</summary>
    public void RunUntil(Func<bool> done, double seconds = 120)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        Drain();
        while (!done())
        {
            if (!Step(end))
            {
                Assert.Fail($"not done within {seconds} s; {string.Join(" | ", _nodes.SelectMany(node => node.Events))}");
            }
        }
    }

    public void Pass(double seconds)
    {
        Timestamp end = Now + TimeSpan.FromSeconds(seconds);
        Drain();
        while (Step(end))
        {
        }

        Clock.JumpTo(end);
    }

    private bool Step(Timestamp end)
    {
        Timestamp next = _nodes.Aggregate(Network.NextDeadline, (at, node) => Timestamp.Min(at, node.Endpoint.NextDeadline));
        if (next > end)
        {
            return false;
        }

        Clock.JumpTo(next);
        while (Network.TryReceive(Now, out Delivery packet))
        {
            Node? node = _nodes.Find(candidate => candidate.At == packet.Destination);
            node?.Endpoint.Receive(new(packet.Destination.Address, packet.Source), packet.Payload.Span, Now);
            Drain();
        }

        foreach (Node node in _nodes)
        {
            node.Endpoint.Advance(Now);
        }

        Drain();
        return true;
    }

    private void Drain()
    {
        foreach (Node node in _nodes)
        {
            while (node.Endpoint.TryNextEvent(out L2tpEvent e))
            {
                node.Events.Add(e);
                if (e.Kind is L2tpEventKind.CallOffered or L2tpEventKind.OutgoingCallRequested)
                {
                    e.Session!.Accept(Now, e.Kind == L2tpEventKind.OutgoingCallRequested ? 9u : null);
                    e.Session.Connect(new(64_000, 1, 32_000, true, node.Wishes), Now);
                }
            }

            while (node.Endpoint.TryTransmit(_buffer, out int length, out UdpPath path))
            {
                Network.Send(node.At, path.Peer, _buffer.AsSpan(0, length), Now);
            }
        }
    }
}
