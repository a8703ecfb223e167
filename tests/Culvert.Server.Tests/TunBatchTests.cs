using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;
using Culvert.Linux;
using Culvert.Linux.Tests;

namespace Culvert.Server.Tests;

public class TunBatchTests
{
    private const int Headers = 28;

    [Theory]
    [InlineData(TunOffloads.All, true)]
    [InlineData(TunOffloads.All, false)]
    [InlineData(TunOffloads.None, true)]
    public void Packets_are_read_as_they_come_with_room_in_front_of_each(TunOffloads offloads, bool joins) => NetworkNamespace.RunWithTun(() =>
    {
        using TunDevice tun = Open(offloads, mtu: 65_000);
        using var transfers = new TunTransfers(joins);
        using var batch = new TunBatch();
        int expected = 1;
        Assert.False(batch.Read(tun, transfers, ref expected));
        Assert.Equal((0, 1), (batch.Count, expected));

        // More than one batch holds, and large ones, of which fewer are asked for.
        int[] sizes = [.. Enumerable.Range(1, 80), 20_000, 30_000, 7, 64_000, 8, 1_400, 33_000, 9];
        Send(sizes);
        var came = new List<int>();
        var batches = new List<int>();
        while (batch.Read(tun, transfers, ref expected) || batch.Count > 0)
        {
            batches.Add(batch.Count);
            int free = 0;
            for (int i = 0; i < batch.Count; i++)
            {
                BufferRange at = batch.Packets[i];
                Assert.True(at.Offset - free >= Forwarder.Headroom);
                Assert.Equal(0, at.Offset % 16);
                free = at.Offset + at.Length;
                Assert.True(batch.TryReadOffload(i, out OffloadHeader offload));
                Assert.Equal(SegmentKind.None, offload.Kind);

                // The first octet of each tells its place.
                Span<byte> packet = batch.Memory.Slice(at.Offset, at.Length);
                Assert.Equal(packet.Length, BinaryPrimitives.ReadUInt16BigEndian(packet[2..]));
                Assert.Equal((byte)came.Count, packet[Headers]);
                Assert.Equal(-1, packet[Headers..].IndexOfAnyExcept((byte)came.Count));
                came.Add(at.Length - Headers);
            }
        }

        Assert.Equal(sizes, came);
        Assert.Equal([1, 2, 4, 8, 16, 32, 25], batches);
        Assert.Equal(1, expected);
    });

    [Fact]
    public void So_many_packets_are_asked_for_as_came_last_and_one_more() => NetworkNamespace.RunWithTun(() =>
    {
        using TunDevice tun = Open(TunOffloads.All, mtu: 65_000);
        using var transfers = new TunTransfers();
        using var batch = new TunBatch();
        int expected = 1;
        var came = new List<int>();
        foreach (int count in (int[])[1, 3, 5, 5, 200])
        {
            Send([.. Enumerable.Repeat(100, count)]);
            while (batch.Read(tun, transfers, ref expected))
            {
                came.Add(batch.Count);
            }

            came.Add(batch.Count);
            Assert.Equal(batch.Count + 1, expected);
        }

        Assert.Equal([1, 0, 1, 2, 0, 1, 2, 2, 3, 2, 3, 6, 12, 24, 32, 32, 32, 32, 27], came);

        // Large packets fill the processor's cache sooner.
        Send([.. Enumerable.Repeat(60_000, 11)]);
        came.Clear();
        expected = 8;
        while (batch.Read(tun, transfers, ref expected))
        {
            came.Add(batch.Count);
        }

        Assert.Equal([8], came);
        Assert.Equal((3, TunBatch.CapacityForLarge), (batch.Count, expected));
    });

    [Fact]
    public void A_packet_that_came_another_way_takes_the_place_of_all()
    {
        using var batch = new TunBatch();
        byte[] packet = [.. Enumerable.Range(0, 70_000).Select(i => (byte)i)];
        BufferRange at = batch.Put(packet.AsSpan(0, 1 << 16));
        Assert.Equal(packet[..(1 << 16)], batch.Memory.Slice(at.Offset, at.Length).ToArray());
        Assert.True(at.Offset >= Forwarder.Headroom);
        Assert.Equal(0, batch.Count);
    }

    private static TunDevice Open(TunOffloads offloads, int mtu)
    {
        TunDevice tun = TunDevice.Open("culvert%d", offloads: offloads);
        _ = NetworkNamespace.Command("sysctl", $"-qw net.ipv6.conf.{tun.Name}.disable_ipv6=1");
        _ = NetworkNamespace.Command("ip", $"link set {tun.Name} mtu {mtu} up");
        _ = NetworkNamespace.Command("ip", $"addr add 192.0.2.1/24 dev {tun.Name}");
        return tun;
    }

    private static void Send(int[] sizes)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        var target = new IPEndPoint(IPAddress.Parse("192.0.2.9"), 4000);
        for (int i = 0; i < sizes.Length; i++)
        {
            byte[] payload = new byte[sizes[i]];
            payload.AsSpan().Fill((byte)i);
            _ = socket.SendTo(payload, target);
        }
    }
}
