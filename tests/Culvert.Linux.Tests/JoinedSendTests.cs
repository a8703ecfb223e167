using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class JoinedSendTests
{
    [Fact]
    public void Datagrams_of_one_size_and_path_leave_as_one_and_arrive_apart()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using var other = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            UdpPath path = To(server);

            // Two of 100, one of 50 that ends the run, three of 100, one to another peer, one larger than what came before.
            int[] sizes = [100, 100, 50, 100, 100, 100];
            for (int i = 0; i < sizes.Length; i++)
            {
                Queue(batch, path, sizes[i], (byte)i);
            }

            Assert.Equal(2, batch.Count);
            Queue(batch, To(other), 100, 6);
            Queue(batch, path, 100, 7);
            Queue(batch, path, 101, 8);
            Queue(batch, path, 101, 9, trafficClass: 0x20);
            Assert.Equal(6, batch.Count);

            Assert.Equal(10, batch.Flush());
            Assert.Equal(10UL, batch.Counters.Sent);
            Assert.Equal(1, other.Await());
            Assert.Equal(9, server.Await());
            Assert.Equal([100, 100, 50, 100, 100, 100, 100, 101, 101], Enumerable.Range(0, 9).Select(i => server.Receive.Datagram(i).Length));
            Assert.Equal([0, 1, 2, 3, 4, 5, 7, 8, 9], Enumerable.Range(0, 9).Select(i => (int)server.Receive.Datagram(i)[0]));
        });
    }

    [Fact]
    public void A_run_fills_the_one_before_it_and_no_run_is_longer_than_the_kernel_takes()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            UdpPath path = To(server);
            for (int run = 0; run < 4; run++)
            {
                Span<byte> room = batch.Reserve();
                for (int i = 0; i < 40; i++)
                {
                    room.Slice(i * 30, 30).Fill((byte)((run * 40) + i));
                }

                batch.Commit(40 * 30, path, segmentSize: 30);
            }

            Assert.Equal(3, batch.Count);
            Assert.Equal(160, batch.Flush());
            int next = 0;
            while (next < 160 && server.Await() is > 0 and int count)
            {
                for (int i = 0; i < count; i++)
                {
                    byte[] expected = new byte[30];
                    expected.AsSpan().Fill((byte)next++);
                    Assert.Equal(expected, server.Receive.Datagram(i).ToArray());
                }
            }

            Assert.Equal(160, next);
        });
    }

    [Fact]
    public void What_the_path_does_not_take_as_a_run_goes_one_by_one()
    {
        NetworkNamespace.Run(() =>
        {
            _ = NetworkNamespace.Command("ip", "link set lo mtu 1000");
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            for (byte i = 0; i < 3; i++)
            {
                Queue(batch, To(server), 1200, i);
            }

            Assert.Equal(1, batch.Count);
            Assert.Equal(3, batch.Flush());
            Assert.Equal((3UL, 1UL, 0UL), (batch.Counters.Sent, batch.Counters.Unjoined, batch.Counters.TooBig));
            Assert.Equal(3, server.Await());
            Assert.Equal([1200, 1200, 1200], Enumerable.Range(0, 3).Select(i => server.Receive.Datagram(i).Length));

            // A path that takes no runs does not cost a refusal each time.
            Queue(batch, To(server), 1200, 3);
            Queue(batch, To(server), 1200, 4);
            Assert.Equal(2, batch.Count);
            Assert.Equal(2, batch.Flush());
            Assert.Equal(1UL, batch.Counters.Unjoined);
        });
    }

    [Fact]
    public void Without_segmentation_runs_are_single_datagrams_also_beyond_the_capacity()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using var batch = new SendBatch(
                socket, new SendBatchOptions { Capacity = 16, FrameSize = 65536, Memory = 1 << 18, Segments = false, Joins = true });
            Span<byte> room = batch.Reserve();
            for (int i = 0; i < 60; i++)
            {
                room.Slice(i * 30, 30).Fill((byte)i);
            }

            batch.Commit(60 * 30, To(server), segmentSize: 30);
            batch.Flush();
            Assert.Equal(60UL, batch.Counters.Sent);
            Assert.Equal(60, server.Await());
            for (int i = 0; i < 60; i++)
            {
                Assert.Equal((30, (byte)i), (server.Receive.Datagram(i).Length, server.Receive.Datagram(i)[29]));
            }
        });
    }

    [Fact]
    public void Joining_allocates_nothing()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            UdpPath path = To(server);
            Assert.Equal(0, Allocation.Of(() =>
            {
                for (int round = 0; round < 200; round++)
                {
                    for (int i = 0; i < 100; i++)
                    {
                        Queue(batch, path, 64 + (i / 30), (byte)i);
                    }

                    _ = batch.Flush();
                }
            }));
        });
    }

    private static UdpSocket Open() => UdpSocket.Open(new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1") });

    private static SendBatch Joining(UdpSocket socket) =>
        new(socket, new SendBatchOptions { FrameSize = 65536, Memory = 1 << 18, Joins = true });

    private static UdpPath To(UdpEnd server) => new(default, new PeerEndpoint(IpAddress.Parse("127.0.0.1"), server.Socket.LocalPort));

    private static void Queue(SendBatch batch, in UdpPath path, int length, byte fill, byte trafficClass = 0)
    {
        batch.Reserve()[..length].Fill(fill);
        batch.Commit(length, path, trafficClass: trafficClass);
    }
}
