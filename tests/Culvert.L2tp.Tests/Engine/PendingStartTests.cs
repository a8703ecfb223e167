using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>SCCRQs while many tunnels are half-open: answered from a record, and only a fitting SCCCN makes a tunnel.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class PendingStartTests
{
    private const string Secret = "s3cret";

    private static readonly EndpointLimits Crowded = EndpointLimits.Default with { PendingStartsAbove = 0 };

    private static readonly TunnelSettings WithSecret = Bench.Plain with { Secret = Encoding.UTF8.GetBytes(Secret) };

    [Fact]
    public void Start_makes_a_tunnel_only_with_its_SCCCN_and_then_works_as_any_other()
    {
        var bench = new Bench(limits: Crowded);
        HandPeer peer = Begin(bench);
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal(1, bench.Endpoint.PendingStartCount);
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal((TunnelState.Established, "lac", 77), (peer.Tunnel.State, peer.Tunnel.PeerHostName, peer.Tunnel.PeerTunnelId));
        Assert.Equal(0, bench.Endpoint.PendingStartCount);
        Assert.True(bench.Told(L2tpEventKind.TunnelEstablished));
        peer.ConnectedCall(5);
        peer.Tunnel.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest), bench.Now);
        bench.Drain();
        Assert.Equal(MessageType.StopCcn, Assert.Single(peer.Take()).Type);
    }

    [Fact]
    public void Same_SCCRQ_gets_the_same_SCCRP_and_no_second_record()
    {
        var bench = new Bench(WithSecret, Crowded);
        byte[] start = L2tpBuilder.StartControlConnectionRequest(77, "lac", TestAvp.Challenge([1, 2, 3]));
        bench.Receive(Bench.PathOf(), start);
        bench.Receive(Bench.PathOf(), start);
        Assert.Equal(2, bench.Outbox.Count);
        Assert.Equal(bench.Outbox[0].Octets, bench.Outbox[1].Octets);
        Assert.Equal(1, bench.Endpoint.PendingStartCount);
        Assert.Equal(Timestamp.Never, bench.Endpoint.NextDeadline); // no timer, and nothing is repeated by us
        bench.Receive(Bench.PathOf(), L2tpBuilder.StartControlConnectionRequest(77, "lac", TestAvp.Challenge([4])));
        Assert.Equal(1, bench.Endpoint.PendingStartCount); // another start under the same ID takes its place
    }

    [Fact]
    public void Record_is_served_also_when_the_crowd_has_gone()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { PendingStartsAbove = 1 });
        var other = new HandPeer(bench, Bench.PathOf("198.51.100.9"), 3);
        other.SendStart();
        other.TakeReply();
        HandPeer peer = Begin(bench);
        other.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(0, bench.Endpoint.HalfOpenCount);
        peer.Ns = 0;
        peer.SendStart();
        Assert.Equal(peer.TunnelId, bench.Outbox[^1].Number(AvpType.AssignedTunnelId));
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        Assert.Equal(2, bench.Endpoint.Tunnels.Count);
    }

    /// <summary>
    /// Hours after a flood, a peer that counts its IDs from 1 and sends no Challenge begins as it did during the flood, and was answered
    /// from a record that no SCCCN could complete any more.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Record_beyond_its_time_keeps_nobody_out(int pendingStartsAbove)
    {
        var bench = new Bench(limits: EndpointLimits.Default with { PendingStartsAbove = pendingStartsAbove });
        var other = new HandPeer(bench, Bench.PathOf("198.51.100.9"), 3);
        if (pendingStartsAbove > 0)
        {
            other.SendStart();
            other.TakeReply();
        }

        HandPeer peer = Begin(bench);
        Assert.Equal(1, bench.Endpoint.PendingStartCount);
        bench.Pass(7200);
        bench.Policy.Settings = Bench.Plain with { HostName = "renamed" }; // what a reload made of the settings meanwhile
        bench.Outbox.Clear();
        HandPeer again = Begin(bench, peer.Path);
        Assert.Equal(pendingStartsAbove > 0 ? 0 : 1, bench.Endpoint.PendingStartCount); // nothing is crowded any more in the first case
        again.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal((TunnelState.Established, "renamed"), (again.Tunnel.State, again.Tunnel.Settings.HostName));
        Assert.Equal(0, bench.Endpoint.PendingStartCount);
    }

    [Theory]
    [InlineData(Secret, true)]
    [InlineData("another", false)]
    [InlineData(null, false)]
    public void Challenge_of_the_record_must_be_answered(string? answeredWith, bool isTunnel)
    {
        var bench = new Bench(WithSecret, Crowded);
        var peer = new HandPeer(bench, Bench.PathOf());
        peer.SendStart("lac", TestAvp.Challenge([9, 9]));
        Sent reply = peer.TakeReply();
        ControlMessage sccrp = reply.Read();
        Assert.True(sccrp.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> challenge));
        Assert.True(sccrp.TryGetBytes(AvpType.ChallengeResponse, out ReadOnlySpan<byte> response));
        Assert.True(TunnelAuthentication.Verify(MessageType.Sccrp, Encoding.UTF8.GetBytes(Secret), [9, 9], response));
        TestAvp[] answer = answeredWith is null ? [] : [TestAvp.ChallengeResponse(L2tpBuilder.Scccn, answeredWith, challenge.ToArray())];
        peer.Send(0, [TestAvp.MessageType(L2tpBuilder.Scccn), .. answer]);
        Assert.Equal(isTunnel ? 1 : 0, bench.Endpoint.Tunnels.Count);
        Assert.Equal(isTunnel ? 0 : 1, bench.Endpoint.PendingStartCount); // a forger cannot end what the record stands for
        if (!isTunnel)
        {
            Assert.Equal((4, 0), bench.Outbox[^1].ResultCode());
            Assert.Equal((77, 1, 2), (bench.Outbox[^1].Header.TunnelId, bench.Outbox[^1].Header.Ns, bench.Outbox[^1].Header.Nr));
            Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.AuthenticationFailed]);
        }
    }

    [Fact]
    public void SCCCN_from_elsewhere_with_other_numbers_or_too_late_makes_no_tunnel()
    {
        var bench = new Bench(limits: Crowded);
        HandPeer peer = Begin(bench);
        bench.Receive(Bench.PathOf("203.0.113.9"), L2tpBuilder.StartControlConnectionConnected(peer.TunnelId, 1, 1));
        bench.Receive(peer.Path, L2tpBuilder.StartControlConnectionConnected(peer.TunnelId, 2, 1));
        bench.Receive(peer.Path, L2tpBuilder.StartControlConnectionConnected(peer.TunnelId, 1, 0));
        bench.Receive(peer.Path, L2tpBuilder.Zlb(peer.TunnelId, 1, 1));
        bench.Receive(peer.Path, L2tpBuilder.HelloMessage(peer.TunnelId, 1, 1));
        Assert.Empty(bench.Endpoint.Tunnels);
        bench.Pass(61);
        bench.Receive(peer.Path, L2tpBuilder.StartControlConnectionConnected(peer.TunnelId, 1, 1));
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal(MessageType.StopCcn, bench.Outbox[^1].Type);
    }

    [Fact]
    public void StopCCN_of_a_peer_that_does_not_like_the_answer_is_acknowledged_and_told()
    {
        var bench = new Bench(limits: Crowded);
        HandPeer peer = Begin(bench);
        peer.Send(0, peer.StopCcn(4));
        Assert.True(bench.Outbox[^1].IsZlb);
        Assert.Equal(4, bench.Last(L2tpEventKind.TunnelClosed).Disconnect!.Result);
        bench.Pass(40);
        Assert.Empty(bench.Endpoint.Tunnels);
    }

    [Fact]
    public void Flood_of_spoofed_SCCRQs_takes_records_only_and_an_honest_peer_gets_in_at_once()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRate = RateLimit.None });
        Flood(bench, 0, 20_000);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        int sent = Flood(bench, 20_000, 120_000);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Assert.Equal(256, bench.Endpoint.HalfOpenCount);
        Assert.Equal(8192, bench.Endpoint.PendingStartCount);
        Assert.Equal(100_000, sent); // one SCCRP each
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 1_000_000);
        Assert.InRange(allocated, 0, 1_000_000);
        Assert.Empty(bench.Events);

        HandPeer peer = Begin(bench, Bench.PathOf("198.51.100.200"));
        Flood(bench, 200_000, 208_000); // meanwhile
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);

        bench.Outbox.Clear();
        bench.Pass(20);
        Assert.Equal(3 * 256, bench.Outbox.Count); // the repetitions of the tunnels from before the crowd, and not one more
        Assert.Single(bench.Endpoint.Tunnels);
    }

    [Fact]
    public void Overwritten_record_leaves_nothing_behind_and_the_peer_begins_anew()
    {
        var bench = new Bench(limits: Crowded with { PendingStarts = 4 });
        HandPeer peer = Begin(bench);
        for (int i = 0; i < 4; i++)
        {
            bench.Receive(Bench.PathOf("203.0.113.7", 2000 + i), L2tpBuilder.StartControlConnectionRequest(5));
        }

        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.PendingStartsOverwritten]);
        bench.Receive(peer.Path, L2tpBuilder.StartControlConnectionConnected(peer.TunnelId, 1, 1));
        Assert.Empty(bench.Endpoint.Tunnels);
        HandPeer again = Begin(bench);
        again.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        Assert.Equal(TunnelState.Established, again.Tunnel.State);
    }

    [Fact]
    public void Long_SCCRQ_still_gets_a_tunnel_of_its_own()
    {
        var bench = new Bench(limits: Crowded);
        var peer = new HandPeer(bench, Bench.PathOf());
        peer.SendStart(new string('x', 250));
        peer.TakeReply();
        Assert.Equal(1, bench.Endpoint.HalfOpenCount);
    }

    [Fact]
    public void Shard_gives_away_only_its_own_IDs_and_never_one_twice()
    {
        var endpoint = new L2tpEndpoint(
            Crowded with { StartRate = RateLimit.None }, new OnePolicy(Bench.Plain), new CheckedSessionIds(1), new SeededRandom(1), new(8, 3));
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        var seen = new HashSet<ushort>();
        for (int i = 0; i < 2000; i++)
        {
            var path = new UdpPath(IpAddress.Parse("192.0.2.1"), new(IpAddress.FromUInt32(0xC612_0000 + (uint)i), 1701));
            endpoint.Receive(path, L2tpBuilder.StartControlConnectionRequest(5), Timestamp.Zero);
            Assert.True(endpoint.TryTransmit(buffer, out int length, out UdpPath to));
            ushort id = new Sent(to, buffer[..length]).Number(AvpType.AssignedTunnelId);
            Assert.Equal(3, id % 8);
            Assert.True(seen.Add(id));
            Assert.True(endpoint.TryConnect(path, Bench.Plain, Timestamp.Zero, out Tunnel? tunnel));
            Assert.True(seen.Add(tunnel.LocalTunnelId));
            while (endpoint.TryTransmit(buffer, out _, out _))
            {
            }
        }
    }

    [Fact]
    public void What_is_denied_is_told_at_once_and_then_in_sums()
    {
        var bench = new Bench(limits: EndpointLimits.Default with { StartRatePerPeer = new(1, 1) });
        for (int i = 1; i <= 100; i++)
        {
            bench.Receive(Bench.PathOf(), L2tpBuilder.StartControlConnectionRequest(i));
        }

        Assert.True(bench.Endpoint.TryNextReport(bench.Now, out AdmissionReport report));
        Assert.Equal((L2tpCounter.StartRateExceeded, 99, Bench.PathOf().Peer), (report.Reason, (int)report.Count, report.Last));
        bench.Receive(Bench.PathOf(), L2tpBuilder.StartControlConnectionRequest(200));
        Assert.False(bench.Endpoint.TryNextReport(bench.Now, out _));
        Assert.Equal(bench.Now + TimeSpan.FromSeconds(10), bench.Endpoint.NextReport);
        bench.Clock.AdvanceSeconds(10);
        Assert.True(bench.Endpoint.TryNextReport(bench.Now, out report));
        Assert.Contains("1 SCCRQs dropped: too many per second", report.ToString(), StringComparison.Ordinal);
        Assert.Equal(Timestamp.Never, bench.Endpoint.NextReport);
    }

    private static HandPeer Begin(Bench bench, UdpPath? path = null)
    {
        var peer = new HandPeer(bench, path ?? Bench.PathOf());
        peer.SendStart();
        peer.TakeReply();
        return peer;
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
