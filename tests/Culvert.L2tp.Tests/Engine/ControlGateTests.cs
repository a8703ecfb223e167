using Culvert.Core;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>A peer that floods control messages costs others nothing but a turn.</summary>
public sealed class ControlGateTests
{
    private readonly ControlGate _gate = new(ControlGateLimits.Default, new SeededRandom(1));

    [Fact]
    public void Ordinary_peers_are_served_at_once_and_nothing_is_kept()
    {
        for (int turn = 0; turn < 100; turn++)
        {
            _gate.BeginTurn();
            for (int peer = 1; peer <= 20; peer++)
            {
                Assert.True(_gate.TryAdmit(PathOf(peer), Message(1), isEstablished: true));
                Assert.True(_gate.TryAdmit(PathOf(100 + peer), Message(1), isEstablished: false));
            }
        }

        Assert.Equal((0, 0), (_gate.Waiting, (int)_gate.Deferred));
    }

    [Fact]
    public void Flooding_peer_waits_in_order_while_another_is_served_at_once()
    {
        _gate.BeginTurn();
        List<int> handled = [.. Enumerable.Range(0, 200).Where(i => _gate.TryAdmit(PathOf(1), Message(i), isEstablished: true))];
        Assert.Equal(Enumerable.Range(0, 64), handled);
        Assert.True(_gate.TryAdmit(PathOf(2), Message(7), isEstablished: true));
        handled.AddRange(TakeAll().Select(taken => taken.Mark));
        Assert.Equal(Enumerable.Range(0, 200), handled); // nothing is lost, and nothing overtakes
    }

    [Fact]
    public void Those_who_wait_are_served_one_message_each_in_turn()
    {
        _gate.BeginTurn();
        for (int i = 0; i < 100; i++)
        {
            _gate.TryAdmit(PathOf(1), Message(i), isEstablished: true);
        }

        for (int i = 0; i < 70; i++)
        {
            _gate.TryAdmit(PathOf(2), Message(i), isEstablished: true);
        }

        List<(int Peer, int Mark)> taken = TakeAll();
        Assert.Equal([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1], taken.Take(14).Select(t => t.Peer));
        Assert.Equal(42, taken.Count);
    }

    [Fact]
    public void Who_waits_is_told_by_address()
    {
        _gate.BeginTurn();
        for (int i = 0; i < 80; i++)
        {
            _gate.TryAdmit(PathOf(1), Message(i), isEstablished: true);
            _gate.TryAdmit(PathOf(1), Message(i), isEstablished: false);
            _gate.TryAdmit(PathOf(2), Message(i), isEstablished: true);
        }

        Assert.True(_gate.TryAdmit(PathOf(3), Message(1), isEstablished: false));
        IReadOnlyDictionary<IpAddress, int> waiting = _gate.WaitingByPeer();
        Assert.Equal([PathOf(1).Peer.Address, PathOf(2).Peer.Address], waiting.Keys.Order());
        Assert.Equal(_gate.Waiting, waiting.Values.Sum());
        Assert.Equal(16, waiting[PathOf(2).Peer.Address]);
        Assert.True(waiting[PathOf(1).Peer.Address] > 16 + 16);
        _gate.BeginTurn();
        _ = TakeAll();
        Assert.Equal(_gate.Waiting, _gate.WaitingByPeer().Values.Sum());
    }

    [Fact]
    public void Turn_is_bounded_and_established_tunnels_come_first()
    {
        _gate.BeginTurn();
        for (int peer = 1; peer <= 40; peer++)
        {
            for (int i = 0; i < 40; i++)
            {
                _gate.TryAdmit(PathOf(peer), Message(i), isEstablished: true);
                _gate.TryAdmit(PathOf(1000 + peer), Message(i), isEstablished: false);
            }
        }

        Assert.Empty(TakeAll()); // the turn's shares are used up
        _gate.BeginTurn();
        List<(int Peer, int Mark)> taken = TakeAll();
        Assert.Equal(512, taken.Count(t => t.Peer < 1000));
        Assert.Equal(128, taken.Count(t => t.Peer >= 1000));
        Assert.Equal(8, taken.Take(9).Count(t => t.Peer < 1000)); // but others do not starve
    }

    [Fact]
    public void Flood_from_one_address_and_many_ports_leaves_room_for_other_newcomers()
    {
        for (int turn = 0; turn < 50; turn++)
        {
            _gate.BeginTurn();
            for (int i = 0; i < 1000; i++)
            {
                _gate.TryAdmit(PathOf(1, port: 1024 + i), Message(i), isEstablished: false);
            }

            Assert.True(_gate.TryAdmit(PathOf(2), Message(1), isEstablished: false));
            TakeAll();
            Assert.InRange(_gate.Waiting, 0, ControlGateLimits.Default.OthersWaiting);
        }

        Assert.InRange(_gate.DroppedOfOthers, 40_000, 50_000);
        Assert.Equal(0, _gate.DroppedOfEstablished);
    }

    [Fact]
    public void Newcomer_takes_the_place_of_a_message_of_the_longest_queue()
    {
        _gate.BeginTurn();
        for (int i = 0; i < 1000; i++)
        {
            _gate.TryAdmit(PathOf(1), Message(i), isEstablished: false);
        }

        for (int i = 0; i < 12; i++)
        {
            _gate.TryAdmit(PathOf(2), Message(i), isEstablished: false);
        }

        _gate.BeginTurn();
        List<(int Peer, int Mark)> taken = TakeAll();
        Assert.Equal([8, 9, 10, 11], taken.Where(t => t.Peer == 2).Select(t => t.Mark));
        _gate.BeginTurn();
        TakeAll();
        Assert.Equal(0, _gate.Waiting);
        _gate.BeginTurn();
        Assert.True(_gate.TryAdmit(PathOf(1), Message(1), isEstablished: false));
    }

    [Fact]
    public void Message_too_long_to_wait_is_dropped_and_counted()
    {
        _gate.BeginTurn();
        for (int i = 0; i < 8; i++)
        {
            Assert.True(_gate.TryAdmit(PathOf(1), new byte[3000], isEstablished: false));
        }

        Assert.False(_gate.TryAdmit(PathOf(1), new byte[3000], isEstablished: false));
        Assert.Equal((1, 0), ((int)_gate.DroppedOfOthers, _gate.Waiting));
    }

    [Fact]
    public void Any_pattern_keeps_every_flow_in_order_and_every_count_right() => Repeat.Seeds(20, (seed, random) =>
    {
        var gate = new ControlGate(
            new() { Established = 30, EstablishedEach = 5, Others = 10, OthersEach = 2, EstablishedWaiting = 40, OthersWaiting = 20 }, random);
        var next = new int[12];
        var seen = new int[12];
        long offered = 0;
        long handled = 0;
        void Handle(int peer, int mark)
        {
            Assert.True(mark >= seen[peer], $"seed {seed}: {mark} of peer {peer} came after {seen[peer]}");
            seen[peer] = mark + 1;
            handled++;
        }

        for (int step = 0; step < 5000; step++)
        {
            int peer = Math.Min(random.NextBelow(12), random.NextBelow(12));
            int mark = next[peer]++;
            offered++;
            if (gate.TryAdmit(PathOf(peer), Message(mark), isEstablished: peer % 2 == 0))
            {
                Handle(peer, mark);
            }

            if (random.NextBelow(40) == 0)
            {
                gate.BeginTurn();
                while (gate.TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram))
                {
                    Handle(PeerOf(path), BitConverter.ToInt32(datagram));
                }
            }

            Assert.InRange(gate.Waiting, 0, 60);
            Assert.Equal(offered, handled + gate.Waiting + gate.DroppedOfEstablished + gate.DroppedOfOthers);
        }
    });

    [Fact]
    public void Nothing_is_allocated_per_message()
    {
        UdpPath path = PathOf(1);
        byte[] message = Message(1);
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                _gate.TryAdmit(path, message, isEstablished: false);
                if (i % 100 == 0)
                {
                    _gate.BeginTurn();
                    while (_gate.TryTake(out _, out _))
                    {
                    }
                }
            }
        }));
    }

    [Fact]
    public void Endpoint_tells_whose_messages_belong_to_an_established_tunnel()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        byte[] hello = L2tpBuilder.HelloMessage(peer.TunnelId, peer.Ns, peer.Nr);
        Assert.True(bench.Endpoint.IsOfEstablished(peer.Path, hello));
        Assert.False(bench.Endpoint.IsOfEstablished(Bench.PathOf("203.0.113.1"), hello));
        Assert.False(bench.Endpoint.IsOfEstablished(peer.Path, L2tpBuilder.StartControlConnectionRequest(5)));
        Assert.False(bench.Endpoint.IsOfEstablished(peer.Path, [1, 2]));
    }

    private static UdpPath PathOf(int peer, int port = 1701) =>
        new(IpAddress.Parse("192.0.2.1"), new(IpAddress.FromUInt32(0xC612_0000 + (uint)peer), (ushort)port));

    private static int PeerOf(in UdpPath path)
    {
        Span<byte> octets = stackalloc byte[4];
        path.Peer.Address.WriteTo(octets);
        return (octets[2] << 8) | octets[3];
    }

    private static byte[] Message(int mark) => BitConverter.GetBytes(mark);

    private List<(int Peer, int Mark)> TakeAll()
    {
        List<(int Peer, int Mark)> taken = [];
        while (_gate.TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram))
        {
            taken.Add((PeerOf(path), BitConverter.ToInt32(datagram)));
        }

        return taken;
    }
}
