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

    [Theory, InlineData(TunOffloads.All), InlineData(TunOffloads.None)]
    public void Packets_are_read_as_they_come_with_room_in_front_of_each(TunOffloads offloads) => NetworkNamespace.RunWithTun(() =>
    {
        using TunDevice tun = Open(offloads, mtu: 65_000);
        using var batch = new TunBatch();
        Assert.False(batch.Read(tun));
        Assert.Equal(0, batch.Count);

        // More than one batch holds, and large ones, behind which there is room for no other.
        int[] sizes = [.. Enumerable.Range(1, 40), 20_000, 30_000, 7, 64_000, 8, 1_400, 33_000, 9];
        Send(sizes);
        var came = new List<int>();
        var batches = new List<int>();
        while (batch.Read(tun) || batch.Count > 0)
        {
            batches.Add(batch.Count);
            int free = 0;
            for (int i = 0; i < batch.Count; i++)
            {
                BufferRange at = batch.Packets[i];
                Assert.InRange(at.Offset - free, Forwarder.Headroom, Forwarder.Headroom + 32);
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
        Assert.Equal([16, 16, 10, 2, 3, 1], batches);
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
