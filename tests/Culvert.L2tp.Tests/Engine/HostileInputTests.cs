using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Floods, truncations and mutations: no exception, no growth, and the next good packet is served.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class HostileInputTests
{
    private static readonly UdpPath GoodPath = Bench.PathOf("198.51.100.200");

    [Fact]
    public void Flood_of_spoofed_SCCRQs_is_bounded_and_a_legitimate_peer_gets_in()
    {
        var limits = EndpointLimits.Default with { MaxHalfOpenTunnels = 256, PendingStarts = 0, StartRate = RateLimit.None };
        var bench = new Bench(limits: limits);
        Flood(bench, 0, 10_000);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        int sent = Flood(bench, 10_000, 110_000);
        long after = GC.GetTotalMemory(forceFullCollection: true);

        Assert.InRange(bench.Endpoint.Tunnels.Count, 1, 256);
        Assert.Equal(256, bench.Endpoint.HalfOpenCount);
        Assert.Equal(110_000 - 256, bench.Endpoint.Counters[L2tpCounter.HalfOpenDropped]);
        Assert.Equal(100_000, sent); // one SCCRP each, and no StopCCN to those who were dropped
        Assert.InRange(after - before, long.MinValue, 1_000_000);
        Assert.Empty(bench.Events);

        var peer = new HandPeer(bench, GoodPath);
        peer.SendStart();
        peer.TakeReply();
        Flood(bench, 200_000, 200_200); // the flood goes on meanwhile
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);

        // Few repetitions to peers that never answer, and then nothing is left of them.
        bench.Outbox.Clear();
        bench.Pass(20);
        Assert.Equal(3 * 255, bench.Outbox.Count);
        Assert.Equal(0, bench.Endpoint.HalfOpenCount);
        Assert.Single(bench.Endpoint.Tunnels);
    }

    [Fact]
    public void One_address_cannot_take_the_half_open_tunnels_of_others()
    {
        var bench = new Bench();
        for (int i = 1; i <= 1000; i++)
        {
            bench.Receive(Bench.PathOf(port: 10_000 + i), L2tpBuilder.StartControlConnectionRequest(i));
        }

        Assert.Equal(64, bench.Endpoint.HalfOpenCount);
        Assert.Equal(936, bench.Endpoint.Counters[L2tpCounter.HalfOpenPerPeerLimit]);
        HandPeer.Established(bench, GoodPath);
    }

    // Header and AVP name different calls: the second use of the peer's ID must not get past the look-up by the header.
    [Theory]
    [InlineData(0)]
    [InlineData(999)]
    [InlineData(5)]
    public void One_Assigned_Session_ID_for_two_calls_ends_the_first(int claimedSessionId)
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session first = peer.ConnectedCall(5);
        peer.Send(claimedSessionId, TestAvp.MessageType(L2tpBuilder.Icrq), TestAvp.AssignedSessionId(5), TestAvp.CallSerialNumber(2));
        Assert.NotNull(first.Ended);
        Assert.Equal(0, bench.Endpoint.SessionCount);
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        Assert.Equal(MessageType.Cdn, Assert.Single(peer.Take()).Type);
        peer.ConnectedCall(5);
    }

    [Fact]
    public void Refused_SCCRQ_allocates_nothing()
    {
        var bench = new Bench();
        for (int i = 1; i <= 64; i++)
        {
            bench.Receive(Bench.PathOf(port: 10_000 + i), L2tpBuilder.StartControlConnectionRequest(i));
        }

        byte[] start = L2tpBuilder.StartControlConnectionRequest(2000);
        byte[] zlb = L2tpBuilder.Zlb(4242, 1, 1);
        byte[] garbage = [0xC8, 0x02, 0x00];
        UdpPath path = Bench.PathOf();
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                bench.Endpoint.Receive(path, start, bench.Now);
                bench.Endpoint.Receive(path, zlb, bench.Now);
                bench.Endpoint.Receive(path, garbage, bench.Now);
            }
        }));
    }

    [Fact]
    public void Messages_of_one_tunnel_among_ten_thousand_cost_no_scan_and_no_memory()
    {
        var limits = EndpointLimits.Default with { MaxHalfOpenTunnels = 16_384 };
        var bench = new Bench(limits: limits);
        for (int i = 1; i <= 10_000; i++)
        {
            Assert.True(bench.Endpoint.TryConnect(Bench.PathOf(), Bench.Plain, bench.Now, out _));
        }

        HandPeer peer = HandPeer.Established(bench, GoodPath);
        byte[] zlb = L2tpBuilder.Zlb(peer.TunnelId, peer.Ns, peer.Nr);
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                bench.Endpoint.Receive(GoodPath, zlb, bench.Now);
                byte[] duplicate = zlb;
                bench.Endpoint.Receive(GoodPath, duplicate, bench.Now);
                Assert.False(bench.Endpoint.TryTransmit(buffer, out _, out _));
            }
        }));
    }

    [Fact]
    public void Every_truncation_of_every_message_is_survived()
    {
        foreach (byte[] message in GoldenMessages(1, 1, 1, 1))
        {
            var bench = new Bench();
            HandPeer peer = HandPeer.Established(bench);
            peer.ConnectedCall(5);
            foreach (byte[] cut in Mutator.Truncations(message))
            {
                bench.Receive(peer.Path, cut);
            }

            HandPeer.Established(bench, GoodPath, ownTunnelId: 9);
        }
    }

    // Mutants that end the tunnel or the call do so rightly; then a new one is set up for the rest.
    [Fact]
    public void Hundred_thousand_mutations_are_survived_without_growth()
    {
        var limits = EndpointLimits.Default with { MaxTunnels = 512, MaxHalfOpenTunnels = 128, StartRatePerPeer = RateLimit.None };
        var bench = new Bench(Bench.Plain with { Secret = Encoding.UTF8.GetBytes("s"), AuthenticatePeer = false }, limits);
        var mutator = new Mutator(99);
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.ConnectedCall(5);
        byte[][] golden = GoldenMessages(peer.TunnelId, session.LocalSessionId, 0, 0);
        ushort next = 100;
        for (int i = 0; i < 100_000; i++)
        {
            if (session.State != SessionState.Established)
            {
                peer.Tunnel.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest), bench.Now);
                Empty(bench, peer);
                peer = HandPeer.Established(bench, ownTunnelId: ++next, hostName: $"lac{next}");
                session = peer.ConnectedCall(5);
                golden = GoldenMessages(peer.TunnelId, session.LocalSessionId, 0, 0);
            }

            int which = i % golden.Length;
            if (which != 0)
            {
                L2tpHeader.Patch(golden[which], peer.TunnelId, peer.Ns, peer.Nr); // all but the SCCRQ
            }

            byte[] mutant = mutator.Mutate(golden[which], golden[(i / 7) % golden.Length]);
            int before = peer.Tunnel.NextNr;
            bench.Receive(peer.Path, mutant);
            peer.Ns = peer.Tunnel.NextNr;
            Assert.InRange(peer.Ns - before, 0, 300);
            Empty(bench, peer);
            if (i % 1000 == 0)
            {
                bench.Pass(1);
                Empty(bench, peer);
            }
        }

        Assert.InRange(bench.Endpoint.Tunnels.Count, 1, 512);
        Assert.InRange(bench.Endpoint.HalfOpenCount, 0, 128);
        HandPeer last = HandPeer.Established(bench, GoodPath, ownTunnelId: 9);
        last.ConnectedCall(3);
        bench.Pass(200);
        Assert.Equal(0, bench.Endpoint.SessionsBeingSetUp);
        Assert.Equal(bench.Endpoint.SessionCount, bench.SessionIds.InUse);
        bench.Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.ShuttingDown), bench.Now);
        bench.Pass(300);
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal((0, 0), (bench.SessionIds.InUse, bench.Endpoint.SessionCount));
    }

    private static void Empty(Bench bench, HandPeer peer)
    {
        peer.Nr = peer.Tunnel.NextNs;
        peer.Acknowledge();
        bench.Drain();
        bench.Outbox.Clear();
        bench.Events.Clear();
        peer.ForgetSeen();
    }

    private static byte[][] GoldenMessages(int tunnelId, int sessionId, int ns, int nr)
    {
        byte[] vector = new byte[16];
        return
        [
            L2tpBuilder.StartControlConnectionRequest(
                7, "lac", TestAvp.VendorName("v"), TestAvp.ReceiveWindowSize(4), TestAvp.Challenge([1, 2])),
            L2tpBuilder.StartControlConnectionReply(tunnelId, 7, ns, nr),
            L2tpBuilder.StartControlConnectionConnected(tunnelId, ns, nr),
            L2tpBuilder.HelloMessage(tunnelId, ns, nr),
            L2tpBuilder.Zlb(tunnelId, ns, nr),
            L2tpBuilder.IncomingCallRequest(tunnelId, 8, ns, nr, 1, TestAvp.CalledNumber("1"), TestAvp.RandomVector(vector),
                TestAvp.CallingNumber("2").Hide("s", vector)),
            L2tpBuilder.IncomingCallReply(tunnelId, sessionId, 8, ns, nr),
            L2tpBuilder.IncomingCallConnected(tunnelId, sessionId, ns, nr, TestAvp.SequencingRequired()),
            L2tpBuilder.CallDisconnectNotify(tunnelId, 0, 9, ns, nr),
            L2tpBuilder.Control(tunnelId, sessionId, ns, nr, TestAvp.MessageType(L2tpBuilder.Sli), new TestAvp(35, new byte[10])),
            L2tpBuilder.Control(tunnelId, sessionId, ns, nr, TestAvp.MessageType(L2tpBuilder.Wen), new TestAvp(34, new byte[26])),
            L2tpBuilder.StopControlConnectionNotification(tunnelId, 7, ns, nr, 1, 0),
        ];
    }

    private static int Flood(Bench bench, int from, int to)
    {
        byte[] start = L2tpBuilder.StartControlConnectionRequest(7, "spoofed");
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        IpAddress local = IpAddress.Parse("192.0.2.1");
        int sent = 0;
        for (int i = from; i < to; i++)
        {
            var path = new UdpPath(local, new(IpAddress.FromUInt32(0xC612_0000 + (uint)(i & 0x1FFFF)), (ushort)(1024 + (i >> 17))));
            bench.Endpoint.Receive(path, start, bench.Now);
            while (bench.Endpoint.TryTransmit(buffer, out _, out _))
            {
                sent++;
            }
        }

        return sent;
    }
}
