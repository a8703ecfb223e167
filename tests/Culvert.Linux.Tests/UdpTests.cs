using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class UdpTests
{
    [Theory]
    [InlineData("127.0.0.1", "0.0.0.0")]
    [InlineData("::1", "::")]
    public void A_full_batch_crosses_in_order(string address, string any)
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd(any);
            using var client = new UdpEnd(address);
            for (int i = 0; i < 64; i++)
            {
                client.Queue([(byte)i, .. new byte[i]], client.To(address, server.Socket.LocalPort));
            }

            Assert.False(client.Send.TryReserve(out _));
            Assert.Equal(64, client.Send.Flush());
            Assert.Equal(64, server.Await());
            for (int i = 0; i < 64; i++)
            {
                Assert.Equal([(byte)i, .. new byte[i]], server.Receive.Datagram(i).ToArray());
                Assert.Equal(IpAddress.Parse(address), server.Receive.Path(i).Local);
                Assert.Equal(new PeerEndpoint(IpAddress.Parse(address), client.Socket.LocalPort), server.Receive.Path(i).Peer);
                Assert.False(server.Receive.IsTruncated(i));
                Assert.Equal(0, server.Receive.SegmentSize(i));
            }

            Assert.Equal(0, server.Receive.Receive(server.Socket));
            Assert.Equal(64UL, client.Send.Counters.Sent);
        });
    }

    [Theory]
    [InlineData("0.0.0.0", "192.0.2.1", "192.0.2.2")]
    [InlineData("::", "2001:db8::1", "2001:db8::2")]
    public void An_answer_leaves_from_the_address_that_the_request_came_to(string any, string first, string second)
    {
        NetworkNamespace.Run(() =>
        {
            GiveLoopback(first, second);
            using var server = new UdpEnd(any);
            using var client = new UdpEnd(any);
            foreach (string asked in new[] { first, second })
            {
                client.Queue("ask"u8, client.To(asked, server.Socket.LocalPort));
                Assert.Equal(1, client.Send.Flush());
                Assert.Equal(1, server.Await());
                UdpPath path = server.Receive.Path(0);
                Assert.Equal(IpAddress.Parse(asked), path.Local);

                server.Queue("answer"u8, path);
                Assert.Equal(1, server.Send.Flush());
                Assert.Equal(1, client.Await());
                Assert.Equal(new PeerEndpoint(IpAddress.Parse(asked), server.Socket.LocalPort), client.Receive.Path(0).Peer);
            }

            // Another of our addresses, although the route would choose differently.
            var chosen = new UdpPath(IpAddress.Parse(second), new PeerEndpoint(IpAddress.Parse(first), server.Socket.LocalPort));
            client.Queue("chosen"u8, chosen);
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1, server.Await());
            Assert.Equal(chosen.Local, server.Receive.Path(0).Peer.Address);
        });
    }

    [Fact]
    public void A_datagram_beyond_the_buffer_is_marked_and_an_empty_one_is_not()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1") }, batch: 4, size: 100);
            using var client = new UdpEnd("127.0.0.1");
            UdpPath path = client.To("127.0.0.1", server.Socket.LocalPort);
            client.Queue(new byte[101], path);
            client.Queue(new byte[100], path);
            client.Queue([], path);
            Assert.Equal(3, client.Send.Flush());
            Assert.Equal(3, server.Await());
            Assert.Equal([true, false, false], Enumerable.Range(0, 3).Select(server.Receive.IsTruncated));
            Assert.Equal([100, 100, 0], Enumerable.Range(0, 3).Select(i => server.Receive.Datagram(i).Length));
        });
    }

    [Fact]
    public void A_million_datagrams_allocate_nothing()
    {
        NetworkNamespace.Run(() =>
        {
            using var left = new UdpEnd("127.0.0.1");
            using var right = new UdpEnd("127.0.0.1");
            UdpPath path = left.To("127.0.0.1", right.Socket.LocalPort);
            int received = 0;
            Assert.Equal(0, Allocation.Of(() => received = Cross(left, right, path, 1_000_000)));
            Assert.Equal(1_000_000, received);
        });
    }

    [Fact]
    public void A_full_receive_buffer_drops_and_counts_and_goes_on()
    {
        NetworkNamespace.Run(() =>
        {
            var small = new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), ReceiveBufferSize = 4096 };
            using var server = new UdpEnd(small);
            using var client = new UdpEnd("127.0.0.1");
            UdpPath path = client.To("127.0.0.1", server.Socket.LocalPort);
            for (int i = 0; i < 64; i++)
            {
                client.Queue(new byte[1000], path);
            }

            Assert.Equal(64, client.Send.Flush());
            int received = server.Await();
            Assert.InRange(received, 1, 63);
            Assert.Equal(0, server.Receive.Receive(server.Socket));
            Assert.Equal(64u, (uint)received + server.Socket.KernelDrops);

            client.Queue("after"u8, path);
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1, server.Await());
            Assert.Equal("after"u8.ToArray(), server.Receive.Datagram(0).ToArray());
        });
    }

    [Fact]
    public void A_send_buffer_that_stays_full_costs_datagrams_and_not_the_shard()
    {
        NetworkNamespace.Run(() =>
        {
            // A link that takes 1,600 octets and then a thousand a second: what follows stays in the socket's buffer.
            _ = NetworkNamespace.Command("tc", "qdisc add dev lo root tbf rate 8kbit burst 1600 limit 1000000");
            using var client = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), SendBufferSize = 8192 });
            for (int i = 0; i < 64; i++)
            {
                client.Queue(new byte[1000], client.To("127.0.0.1", 1701));
            }

            Timestamp start = MonotonicClock.Now;
            int sent = client.Send.Flush();
            Assert.InRange(sent, 1, 63);
            Assert.Equal(64UL, (ulong)sent + client.Send.Counters.Congested);
            Assert.Equal(0, client.Send.Count);
            Assert.InRange((MonotonicClock.Now - start).TotalMilliseconds, 0, 1000);
        });
    }

    [Fact]
    public void A_path_of_the_other_family_or_without_a_route_is_dropped_and_the_rest_is_sent()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using var client = new UdpEnd("127.0.0.1");
            UdpPath good = client.To("127.0.0.1", server.Socket.LocalPort);
            client.Queue("one"u8, good);
            client.Queue("lost"u8, client.To("2001:db8::1", 1701));
            client.Queue("lost"u8, client.To("198.51.100.1", 1701));
            client.Queue("lost"u8, good with { Local = IpAddress.Parse("203.0.113.1") });
            client.Queue("two"u8, good);
            Assert.Equal(2, client.Send.Flush());
            Assert.Equal(3UL, client.Send.Counters.Unsendable);
            Assert.Equal(2, server.Await());
            Assert.Equal("two"u8.ToArray(), server.Receive.Datagram(1).ToArray());
        });
    }

    [Fact]
    public void Sockets_share_a_port_only_when_asked_to()
    {
        NetworkNamespace.Run(() =>
        {
            var shared = new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), ReusePort = true };
            using UdpSocket first = UdpSocket.Open(shared);
            using UdpSocket second = UdpSocket.Open(shared with { Port = first.LocalPort });
            Assert.Equal(first.LocalPort, second.LocalPort);
            UdpSocketOptions alone = shared with { Port = first.LocalPort, ReusePort = false };
            LinuxException refused = Assert.Throws<LinuxException>(() => UdpSocket.Open(alone));
            Assert.Equal(Errno.EADDRINUSE, refused.Error);
            Assert.StartsWith($"Cannot listen on UDP 127.0.0.1:{first.LocalPort}: ", refused.Message);
            UdpSocketOptions elsewhere = shared with { Address = IpAddress.Parse("203.0.113.9") };
            LinuxException foreign = Assert.Throws<LinuxException>(() => UdpSocket.Open(elsewhere));
            Assert.Equal(Errno.EADDRNOTAVAIL, foreign.Error);
        });
    }

    [Fact]
    public void Both_families_listen_on_one_port()
    {
        NetworkNamespace.Run(() =>
        {
            using UdpSocket four = UdpSocket.Open(new() { Address = IpAddress.Parse("0.0.0.0") });
            using UdpSocket six = UdpSocket.Open(new() { Address = IpAddress.Parse("::"), Port = four.LocalPort });
            Assert.Equal(four.LocalPort, six.LocalPort);
            Assert.True(six.LocalAddress.IsUnspecified);
        });
    }

    [Fact]
    public void Buffers_grow_beyond_the_system_limit_for_a_privileged_process()
    {
        NetworkNamespace.Run(() =>
        {
            var large = new UdpSocketOptions
            {
                Address = IpAddress.Parse("0.0.0.0"),
                ReceiveBufferSize = 16 << 20,
                SendBufferSize = 8 << 20,
            };
            using UdpSocket socket = UdpSocket.Open(large);
            Assert.Equal(32 << 20, socket.ReceiveBufferSize);
            Assert.Equal(16 << 20, socket.SendBufferSize);
        });
    }

    [Fact]
    public void A_run_of_segments_is_cut_by_the_kernel_and_can_come_joined()
    {
        NetworkNamespace.Run(() =>
        {
            using var plain = new UdpEnd("127.0.0.1");
            var coalesced = new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), ReceiveCoalesced = true };
            using var joined = new UdpEnd(coalesced, batch: 4, size: 65536);
            using var client = new UdpEnd("127.0.0.1");
            foreach (UdpEnd server in new[] { plain, joined })
            {
                Span<byte> frame = client.Send.Reserve();
                frame[..1300].Fill(0x5A);
                client.Send.Commit(1300, client.To("127.0.0.1", server.Socket.LocalPort), segmentSize: 500);
                Assert.Equal(3, client.Send.Flush());
            }

            Assert.Equal(3, plain.Await());
            Assert.Equal([500, 500, 300], Enumerable.Range(0, 3).Select(i => plain.Receive.Datagram(i).Length));
            Assert.Equal(1, joined.Await());
            Assert.Equal(1300, joined.Receive.Datagram(0).Length);
            Assert.Equal(500, joined.Receive.SegmentSize(0));
        });
    }

    [Fact]
    public void A_mark_comes_with_the_peer_and_goes_with_the_path()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), ReceiveMark = true });
            using var client = new UdpEnd("127.0.0.1");
            client.Queue("marked"u8, new UdpPath(default, new PeerEndpoint(IpAddress.Parse("127.0.0.1"), server.Socket.LocalPort, 77)));
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1, server.Await());
            // The loopback keeps the mark of the socket that sent.
            Assert.Equal(77u, server.Receive.Path(0).Peer.Mark);
        });
    }

    private static int Cross(UdpEnd left, UdpEnd right, UdpPath path, int datagrams)
    {
        int received = 0;
        for (int sent = 0; sent < datagrams;)
        {
            int batch = Math.Min(left.Send.Capacity, datagrams - sent);
            for (int i = 0; i < batch; i++)
            {
                Span<byte> frame = left.Send.Reserve();
                frame[..100].Fill((byte)i);
                left.Send.Commit(100, path);
            }

            sent += left.Send.Flush();
            while (received < sent && right.Await() is > 0 and int count)
            {
                for (int i = 0; i < count; i++)
                {
                    received += right.Receive.Datagram(i).Length == 100 && right.Receive.Path(i).Local == path.Peer.Address ? 1 : 0;
                }
            }
        }

        return received;
    }

    private static void GiveLoopback(params string[] addresses)
    {
        using var netlink = new Netlink();
        Assert.True(netlink.TryFindLink("lo", out LinkInfo loopback));
        foreach (string address in addresses)
        {
            IpAddress parsed = IpAddress.Parse(address);
            netlink.AddAddress(loopback.Index, parsed, parsed.Size * 8);
            NetworkNamespace.AwaitLocal(netlink, parsed);
        }
    }
}
