using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class TunTests
{
    [Fact]
    public void The_kernel_answers_a_ping_that_comes_from_the_interface()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24");
            byte[] request = PacketBuilder.IcmpMessage(8, 0, 0x12340001, "abcdefgh"u8.ToArray());
            Assert.Equal(TunResult.Packet, tun.Device.Write(PacketBuilder.IPv4("192.0.2.2", "192.0.2.1", PacketBuilder.Icmp, request)));

            byte[] reply = tun.Await(4, PacketBuilder.Icmp);
            Assert.Equal(20 + request.Length, reply.Length);
            Assert.Equal(0, PacketBuilder.Checksum(reply[..20]));
            Assert.Equal(0, PacketBuilder.Checksum(reply[20..]));
            Assert.Equal(IpAddress.Parse("192.0.2.1"), IpAddress.FromBytes(reply.AsSpan(12, 4)));
            Assert.Equal(IpAddress.Parse("192.0.2.2"), IpAddress.FromBytes(reply.AsSpan(16, 4)));
            Assert.Equal(0, reply[20]);
            Assert.Equal(0x12340001u, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(24)));
            Assert.Equal("abcdefgh"u8.ToArray(), reply[28..]);
        });
    }

    [Fact]
    public void The_kernel_answers_a_ping_for_IPv6()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "2001:db8::1/64");
            byte[] request = PacketBuilder.IcmpV6Message("2001:db8::2", "2001:db8::1", 128, 0, 0x12340001, "abcdefgh"u8.ToArray());
            byte[] packet = PacketBuilder.IPv6("2001:db8::2", "2001:db8::1", PacketBuilder.IcmpV6, request);
            Assert.Equal(TunResult.Packet, tun.Device.Write(packet));
            byte[] reply;
            do
            {
                reply = tun.Await(6, PacketBuilder.IcmpV6);
            }
            while (reply[40] != 129); // router solicitations come between

            Assert.Equal("abcdefgh"u8.ToArray(), reply[48..]);
        });
    }

    [Fact]
    public void Names_come_from_a_template_and_the_interface_ends_with_the_object()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var netlink = new Netlink();
            using (TunDevice first = TunDevice.Open("culvert%d"))
            using (TunDevice second = TunDevice.Open("culvert%d"))
            {
                Assert.Equal(["culvert0", "culvert1"], [first.Name, second.Name]);
                Assert.True(netlink.TryFindLink("culvert1", out LinkInfo link));
                Assert.Equal((1500, false), (link.Mtu, link.IsUp));
                Assert.Contains(link, netlink.Links());
            }

            Assert.False(netlink.TryFindLink("culvert0", out _));
            Assert.Equal(["lo"], netlink.Links().Select(link => link.Name));
        });
    }

    [Fact]
    public void Several_queues_serve_one_interface()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using TunDevice first = TunDevice.Open("shards", isMultiQueue: true);
            using TunDevice second = first.OpenQueue();
            Assert.Equal("shards", second.Name);
            using TunDevice single = TunDevice.Open("single");
            Assert.Throws<InvalidOperationException>(single.OpenQueue);
            Assert.Equal(Errno.EBUSY, Assert.Throws<LinuxException>(() => TunDevice.Open("single")).Error);
        });
    }

    [Fact]
    public void Failures_are_results()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24");
            byte[] buffer = new byte[2048];
            TunResult last;
            int length;
            do
            {
                // What the kernel sends when an interface comes up.
                last = tun.Device.Read(buffer, out length);
            }
            while (last == TunResult.Packet);
            Assert.Equal((TunResult.Empty, 0), (last, length));
            Assert.Equal(TunResult.Error, tun.Device.Write([0xF0, 0, 0, 0]));
            Assert.Equal(Errno.EINVAL, tun.Device.LastError);
            Assert.Equal(TunResult.Error, tun.Device.Write([]));

            tun.Netlink.SetLinkDown(tun.Index);
            Assert.Equal(TunResult.Error, tun.Device.Write(PacketBuilder.IPv4("192.0.2.2", "192.0.2.1", 1, new byte[8])));
            Assert.Equal(Errno.EIO, tun.Device.LastError);
        });
    }

    [Fact]
    public void An_interface_that_somebody_removed_reads_as_an_error()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24");
            _ = NetworkNamespace.Command("ip", $"link delete {tun.Device.Name}");
            Assert.Equal(TunResult.Error, tun.Device.Read(new byte[2048], out _));
            Assert.Equal(Errno.EBADFD, tun.Device.LastError);
        });
    }

    [Fact]
    public void Packets_through_the_interface_allocate_nothing()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", "192.0.2.1/24");
            byte[] request = PacketBuilder.IcmpMessage(8, 0, 1, new byte[64]);
            byte[] ping = PacketBuilder.IPv4("192.0.2.2", "192.0.2.1", PacketBuilder.Icmp, request);
            byte[] buffer = new byte[2048];
            int answers = 0;
            Assert.Equal(0, Allocation.Of(() => answers = Ping(tun.Device, ping, buffer, 100_000)));
            Assert.InRange(answers, 1, 100_010);
        });
    }

    [Theory]
    [InlineData("")]
    [InlineData("sixteen-letters-")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a:b")]
    [InlineData("..")]
    [InlineData("zürich")]
    public void A_name_that_no_interface_can_have_is_refused_with_the_rule(string name)
    {
        ArgumentException refused = Assert.Throws<ArgumentException>(() => TunDevice.Open(name));
        Assert.Contains("1 to 15", refused.Message);
        using var netlink = new Netlink();
        Assert.False(netlink.TryFindLink(name, out _));
    }

    private static int Ping(TunDevice device, byte[] ping, byte[] buffer, int count)
    {
        int answers = 0;
        for (int i = 0; i < count; i++)
        {
            _ = device.Write(ping);
            while (device.Read(buffer, out _) == TunResult.Packet)
            {
                answers++;
            }
        }

        return answers;
    }
}
