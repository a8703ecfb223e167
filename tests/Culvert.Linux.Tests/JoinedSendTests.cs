using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Linux.Tests;

public class JoinedSendTests
{
    private static readonly int[] Sizes = [40, 40, 40, 100, 300, 1200];

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
    public void Datagrams_of_other_flows_are_overtaken_by_equals_and_those_of_the_same_are_not()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            UdpPath path = To(server);
            (int Size, uint Flow)[] given = [(64, 1), (576, 2), (64, 3), (576, 4), (64, 2), (64, 5), (576, 6)];
            for (int i = 0; i < given.Length; i++)
            {
                Queue(batch, path, given[i].Size, (byte)i, flow: given[i].Flow);
            }

            // 0, 2 and 5 together; 1 and 3, which 4 may not overtake and ends; 6 comes too late for them.
            Assert.Equal(3, batch.Count);
            Assert.Equal(7, batch.Flush());
            Assert.Equal(7, server.Await());
            Assert.Equal([0, 2, 5, 1, 3, 4, 6], Enumerable.Range(0, 7).Select(i => (int)server.Receive.Datagram(i)[0]));
            Assert.Equal([64, 64, 64, 576, 576, 64, 576], Enumerable.Range(0, 7).Select(i => server.Receive.Datagram(i).Length));
        });
    }

    [Theory, InlineData(1UL), InlineData(2UL), InlineData(3UL)]
    public void Whatever_is_joined_arrives_whole_and_every_flow_in_its_order(ulong seed)
    {
        NetworkNamespace.Run(() =>
        {
            var random = new SeededRandom(seed);
            using var one = new UdpEnd("127.0.0.1");
            using var other = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            int messages = 0;
            int datagrams = 0;
            for (int round = 0; round < 100; round++)
            {
                List<Sent>[] given = [[], []];
                int count = 1 + random.NextBelow(60);
                for (int i = 0; i < count; i++)
                {
                    // Few flows, so that most are in each other's way, and many in turn.
                    int size = Sizes[random.NextBelow(Sizes.Length)];
                    uint flow = random.NextBelow(30) == 0 ? 0 : (uint)(1 + random.NextBelow(round % 2 == 0 ? 4 : 1000));
                    int to = random.NextBelow(5) == 0 ? 1 : 0;
                    int inRun = random.NextBelow(10) == 0 ? 1 + random.NextBelow(5) : 1;
                    int length = (inRun * size) - (inRun > 1 ? random.NextBelow(30) : 0);
                    Span<byte> room = batch.Reserve()[..length];
                    for (int start = 0; start < length; start += size)
                    {
                        Span<byte> datagram = room.Slice(start, Math.Min(size, length - start));
                        given[to].Add(new Sent(given[to].Count, flow, datagram.Length));
                        datagram.Fill((byte)given[to].Count);
                        _ = BitConverter.TryWriteBytes(datagram, given[to].Count - 1);
                    }

                    batch.Commit(length, To(to == 0 ? one : other), inRun > 1 ? (ushort)size : (ushort)0, flow: flow);
                }

                messages += batch.Count;
                datagrams += given.Sum(g => g.Count);
                Assert.Equal(given.Sum(g => g.Count), batch.Flush());
                Check(given[0], one);
                Check(given[1], other);
            }

            Assert.InRange(messages, 100, datagrams * 2 / 3);
            Assert.Equal(0UL, batch.Counters.Unjoined);
        });
    }

    [Fact]
    public void A_run_in_pieces_that_the_path_does_not_take_goes_one_by_one_too()
    {
        NetworkNamespace.Run(() =>
        {
            _ = NetworkNamespace.Command("ip", "link set lo mtu 1000");
            using var server = new UdpEnd("127.0.0.1");
            using UdpSocket socket = Open();
            using SendBatch batch = Joining(socket);
            int[] sizes = [90, 1200, 90, 1200, 1100];
            for (int i = 0; i < sizes.Length; i++)
            {
                Queue(batch, To(server), sizes[i], (byte)i, flow: (uint)i + 1);
            }

            Assert.Equal(2, batch.Count);
            Assert.Equal(5, batch.Flush());
            Assert.Equal(1UL, batch.Counters.Unjoined);
            Assert.Equal(5, server.Await());
            Assert.Equal(
                [(90, 0), (90, 2), (1200, 1), (1200, 3), (1100, 4)],
                Enumerable.Range(0, 5).Select(i => (server.Receive.Datagram(i).Length, (int)server.Receive.Datagram(i)[^1])));
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
                    for (int i = 0; i < 50; i++)
                    {
                        Queue(batch, path, 64 + (i / 30), (byte)i);
                        Queue(batch, path, 164 + (i % 3), (byte)i, flow: (uint)i + 1);
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

    private static void Queue(SendBatch batch, in UdpPath path, int length, byte fill, byte trafficClass = 0, uint flow = 0)
    {
        batch.Reserve()[..length].Fill(fill);
        batch.Commit(length, path, trafficClass: trafficClass, flow: flow);
    }

    private static void Check(List<Sent> given, UdpEnd server)
    {
        var came = new List<Sent>();
        while (came.Count < given.Count && server.Await() is > 0 and int count)
        {
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> datagram = server.Receive.Datagram(i);
                Sent sent = given[BitConverter.ToInt32(datagram)];
                Assert.Equal(sent.Length, datagram.Length);
                Assert.Equal(-1, datagram[sizeof(int)..].IndexOfAnyExcept((byte)(sent.Index + 1)));
                came.Add(sent);
            }
        }

        Assert.Equal(given, came.OrderBy(s => s.Index));
        Assert.All(came.GroupBy(s => s.Flow), f => Assert.Equal(f.OrderBy(s => s.Index), f));
        for (int i = 0; i < came.Count; i++)
        {
            Assert.True(came[i].Flow != 0 || came[i].Index == i, $"{came[i]} came at {i}");
        }
    }

    /// <param name="Index">In which place it was given to the batch.</param>
    /// <param name="Flow">Its flow.</param>
    /// <param name="Length">Its octets.</param>
    private sealed record Sent(int Index, uint Flow, int Length);
}
