using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

public sealed class DataTests
{
    private static readonly IpAddress Somewhere = IpAddress.Parse("203.0.113.200");

    [Fact]
    public void IP_passes_both_ways_and_a_spoofed_source_does_not()
    {
        var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", null, "198.18.7.0/24", "2001:db8:7::/48")));
        Dial dial = pair.Connect();
        IpAddress own = dial.Subscriber!.LocalAddress;
        byte[] up = IpBuilder.Echo(own, Somewhere, 1, 1, new byte[100]);
        byte[] fromBehind = IpBuilder.Echo(IpAddress.Parse("198.18.7.9"), Somewhere, 1, 2, new byte[100]);
        byte[] fromBehindIPv6 = IpBuilder.Echo(IpAddress.Parse("2001:db8:7::9"), IpAddress.Parse("2001:db8:ffff::1"), 1, 2, new byte[100]);
        byte[] spoofed = IpBuilder.Echo(IpAddress.Parse("100.64.0.200"), Somewhere, 1, 3, new byte[100]);
        byte[] spoofedIPv6 = IpBuilder.Echo(IpAddress.Parse("2001:db8:8::9"), IpAddress.Parse("2001:db8:ffff::1"), 1, 3, new byte[100]);
        foreach (byte[] packet in new[] { up, spoofed, fromBehind, spoofedIPv6, fromBehindIPv6 })
        {
            Assert.Equal(EncapsulationKind.Sent, pair.Client.SendIp(pair.World, packet, dial.Subscriber.Key).Kind);
        }

        byte[] down = IpBuilder.Echo(Somewhere, own, 1, 1, new byte[100], reply: true);
        byte[] downBehind = IpBuilder.Echo(Somewhere, IpAddress.Parse("198.18.7.9"), 1, 1, new byte[100], reply: true);
        byte[] toNobody = IpBuilder.Echo(Somewhere, IpAddress.Parse("100.64.0.250"), 1, 1, new byte[100], reply: true);
        Assert.Equal(EncapsulationKind.Sent, pair.Lns.SendIp(pair.World, down).Kind);
        Assert.Equal(EncapsulationKind.Sent, pair.Lns.SendIp(pair.World, downBehind).Kind);
        Assert.Equal(DropReason.NoRoute, pair.Lns.SendIp(pair.World, toNobody).Reason);
        pair.World.Pass(1);

        Assert.Equal([up, fromBehind, fromBehindIPv6], pair.Lns.Delivered.Select(d => d.Packet));
        Assert.Equal([down, downBehind], pair.Client.Delivered.Select(d => d.Packet));
        Assert.Equal(2, pair.Lns.Forwarder.Counters.Drops(DropReason.SourceNotAllowed));
    }

    [Fact]
    public void The_largest_packet_that_the_path_takes_fits_and_no_datagram_is_larger_than_the_path()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        int largest = 0;
        pair.World.Filter = packet =>
        {
            largest = Math.Max(largest, packet.Payload.Length + 28);
            return true;
        };
        int mtu = pair.AtLns(dial)!.Mtu;
        byte[] packet = IpBuilder.Echo(Somewhere, dial.Subscriber!.LocalAddress, 1, 1, new byte[mtu - 28], reply: true, dontFragment: true);
        byte[] larger = IpBuilder.Echo(Somewhere, dial.Subscriber!.LocalAddress, 1, 1, new byte[mtu - 27], reply: true);
        Assert.Equal(EncapsulationKind.Sent, pair.Lns.SendIp(pair.World, packet).Kind);
        Assert.Equal(2, pair.Lns.SendIp(pair.World, larger).Frames);
        pair.World.Pass(1);
        Assert.Equal(3, pair.Client.Delivered.Count);
        Assert.InRange(largest, 1490, 1500);
    }

    [Fact]
    public void Nothing_passes_before_and_after_a_session_is_up()
    {
        var pair = new NodePair();
        Dial dial = pair.Dial();
        Assert.True(pair.World.RunUntil(() => pair.Lns.Subscribers.Any(s => !s.PeerAddress.IsNone), 10));
        Subscriber session = Assert.Single(pair.Lns.Subscribers);
        Assert.False(session.IsUp);
        Assert.Equal(DropReason.NoRoute, pair.Lns.SendIp(pair.World, IpBuilder.Echo(Somewhere, session.PeerAddress, 1, 1, [1])).Reason);

        Assert.True(pair.World.RunUntil(() => pair.IsUp(dial), 10));
        pair.Lns.Access.CloseSession(session.Key, "over", pair.Now);
        pair.World.Settle(pair.Lns);
        pair.World.Pass(2);
        Assert.Equal(DropReason.NoRoute, pair.Lns.SendIp(pair.World, IpBuilder.Echo(Somewhere, session.PeerAddress, 1, 1, [1])).Reason);
    }

    [Fact]
    public void A_path_that_shrinks_makes_the_session_shrink()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        Subscriber session = pair.AtLns(dial)!;
        int before = session.Mtu;
        pair.Lns.PathMtu.Octets = 1400;
        pair.Lns.Access.OnPathMtuChanged(NodePair.ClientAt.Address);
        Assert.InRange(session.Mtu, before - 100, before - 98);
        Assert.True(pair.Lns.Sessions.TryGet(session.Key, out SessionForwarding forwarding));
        Assert.Equal(session.Mtu, forwarding.Mtu);
    }
}
