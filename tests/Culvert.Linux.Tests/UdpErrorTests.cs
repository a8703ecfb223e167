using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>What ICMP says about datagrams, as a router behind a TUN interface would say it.</summary>
public class UdpErrorTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void A_refused_datagram_is_reported_and_loses_no_other(string address)
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd(address);
            using var client = new UdpEnd(address);
            var closed = new UdpEnd(address);
            UdpPath gone = client.To(address, closed.Socket.LocalPort);
            closed.Dispose();

            client.Queue("to nobody"u8, gone);
            Assert.Equal(1, client.Send.Flush());
            client.Queue("to somebody"u8, client.To(address, server.Socket.LocalPort));
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1UL, client.Send.Counters.Interruptions);
            Assert.Equal(1, server.Await());

            Assert.True(client.AwaitError(out UdpError error));
            Assert.Equal(new UdpError(gone.Peer, UdpErrorKind.Refused, 0, Errno.ECONNREFUSED, IsLocal: false), error);
            Assert.False(client.Socket.TryReadError(out _));
        });
    }

    [Fact]
    public void A_pending_report_does_not_hide_what_arrived()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using var client = new UdpEnd("127.0.0.1");
            server.Queue("to nobody"u8, server.To("127.0.0.1", 9));
            _ = server.Send.Flush();
            client.Queue("hello"u8, client.To("127.0.0.1", server.Socket.LocalPort));
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1, server.Await());
            Assert.Equal("hello"u8.ToArray(), server.Receive.Datagram(0).ToArray());
            Assert.Equal(0UL, server.Receive.Failed);
        });
    }

    [Theory]
    [InlineData(1300, 1300)]
    [InlineData(68, 552)] // A forger's favourite: the kernel believes 552 at least, and so do we.
    public void A_router_lowers_the_path_mtu_for_IPv4(int told, int expected)
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24");
            tun.Netlink.AddRoute(new Route(IpPrefix.Parse("198.51.100.0/24")) { InterfaceIndex = tun.Index });
            using var client = new UdpEnd("0.0.0.0");
            UdpPath path = client.To("198.51.100.7", 1701);
            client.Queue(new byte[1400], path);
            Assert.Equal(1, client.Send.Flush());
            byte[] sent = tun.Await(4, PacketBuilder.Udp);
            Assert.Equal(1428, sent.Length);
            Assert.Equal(0x40, sent[6] & 0x40); // don't fragment

            // RFC 1191 section 4: type 3, code 4, the MTU in the low half of the second word, then the header and 8 octets.
            byte[] quoted = sent[..28];
            byte[] report = PacketBuilder.IcmpMessage(3, 4, (uint)told, quoted);
            Assert.Equal(TunResult.Packet, tun.Device.Write(PacketBuilder.IPv4("192.0.2.2", "192.0.2.1", PacketBuilder.Icmp, report)));

            Assert.True(client.AwaitError(out UdpError error));
            Assert.Equal(new UdpError(path.Peer, UdpErrorKind.TooBig, expected, Errno.EMSGSIZE, IsLocal: false), error);
            Assert.True(tun.Netlink.TryGetRoute(path.Peer.Address, out RouteInfo route, out _));
            Assert.Equal(new RouteInfo(IpAddress.Parse("192.0.2.1"), tun.Index, default, expected), route);

            // The same datagram again now leaves in pieces rather than not at all.
            client.Queue(new byte[1400], path);
            Assert.Equal(1, client.Send.Flush());
            Assert.InRange(tun.Await(4, PacketBuilder.Udp).Length, 1, expected);
        });
    }

    [Fact]
    public void A_router_lowers_the_path_mtu_for_IPv6()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "2001:db8::1/64");
            tun.Netlink.AddRoute(new Route(IpPrefix.Parse("2001:db8:1::/48")) { InterfaceIndex = tun.Index });
            using var client = new UdpEnd("::");
            UdpPath path = client.To("2001:db8:1::7", 1701);
            client.Queue(new byte[1400], path);
            Assert.Equal(1, client.Send.Flush());
            byte[] sent = tun.Await(6, PacketBuilder.Udp);

            // RFC 4443 section 3.2: type 2, the MTU in the second word, then as much of the packet as fits.
            byte[] report = PacketBuilder.IcmpV6Message("2001:db8::2", "2001:db8::1", 2, 0, 1340, sent[..1000]);
            byte[] packet = PacketBuilder.IPv6("2001:db8::2", "2001:db8::1", PacketBuilder.IcmpV6, report);
            Assert.Equal(TunResult.Packet, tun.Device.Write(packet));

            Assert.True(client.AwaitError(out UdpError error));
            Assert.Equal(new UdpError(path.Peer, UdpErrorKind.TooBig, 1340, Errno.EMSGSIZE, IsLocal: false), error);
            Assert.True(tun.Netlink.TryGetRoute(path.Peer.Address, out RouteInfo route, out _));
            Assert.Equal(1340, route.Mtu);
            Assert.Equal(IpAddress.Parse("2001:db8::1"), route.Source);
        });
    }

    [Theory]
    [InlineData("0.0.0.0", "192.0.2.1/24", "192.0.2.7")]
    [InlineData("::", "2001:db8::1/64", "2001:db8::7")]
    public void A_datagram_larger_than_the_interface_is_refused_when_fragments_are_forbidden(string any, string own, string peer)
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", own);
            tun.Netlink.SetLinkMtu(tun.Index, 1400);
            var strict = new UdpSocketOptions { Address = IpAddress.Parse(any), PathMtuDiscovery = PathMtuDiscovery.Always };
            using var client = new UdpEnd(strict);
            UdpPath path = client.To(peer, 1701);
            client.Queue(new byte[1000], path);
            client.Queue(new byte[1401], path);
            client.Queue(new byte[1001], path);
            Assert.Equal(2, client.Send.Flush());
            Assert.Equal(1UL, client.Send.Counters.TooBig);

            Assert.True(client.AwaitError(out UdpError error));
            Assert.Equal((UdpErrorKind.TooBig, 1400, true), (error.Kind, error.Mtu, error.IsLocal));
            Assert.Equal(path.Peer.Address, error.Peer.Address);
            while (client.Socket.TryReadError(out error))
            {
                Assert.Equal(UdpErrorKind.TooBig, error.Kind);
            }
        });
    }

    [Fact]
    public void A_datagram_leaves_with_the_source_address_of_its_path()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24", "192.0.2.5/24");
            using var client = new UdpEnd("0.0.0.0");
            client.Queue("content"u8, new UdpPath(IpAddress.Parse("192.0.2.5"), new PeerEndpoint(IpAddress.Parse("192.0.2.9"), 1701)));
            Assert.Equal(1, client.Send.Flush());
            byte[] sent = tun.Await(4, PacketBuilder.Udp);
            Assert.Equal(IpAddress.Parse("192.0.2.5"), IpAddress.FromBytes(sent.AsSpan(12, 4)));
            Assert.Equal(client.Socket.LocalPort, BinaryPrimitives.ReadUInt16BigEndian(sent.AsSpan(20)));
            Assert.Equal("content"u8.ToArray(), sent[28..]);
        });
    }
}
