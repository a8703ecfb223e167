using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>The kernel's side of the offload header; what the octets mean is the data plane's matter and tested there.</summary>
public class TunOffloadTests
{
    private const byte Udp = 17;
    private const byte UdpRun = 5;

    [Theory]
    [InlineData(TunOffloads.All)]
    [InlineData(TunOffloads.Checksum | TunOffloads.Tcp | TunOffloads.TcpEcn)]
    [InlineData(TunOffloads.Checksum | TunOffloads.Tcp)]
    [InlineData(TunOffloads.Checksum)]
    [InlineData(TunOffloads.None)]
    public void The_kernel_leaves_to_the_reader_what_was_asked_for_and_nothing_else(TunOffloads asked)
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", asked, "192.0.2.1/24");
            Assert.Equal(asked, tun.Device.Offloads);
            Assert.Equal(asked == TunOffloads.None ? 0 : 10, tun.Device.HeaderSize);

            // Three datagrams in one send: one packet for a reader that takes runs, else three.
            using UdpSocket socket = UdpSocket.Open(new UdpSocketOptions { Address = IpAddress.Parse("192.0.2.1") });
            using var send = new SendBatch(socket, 4, 4096);
            send.Reserve()[..250].Fill(0x5A);
            send.Commit(250, new UdpPath(default, new PeerEndpoint(IpAddress.Parse("192.0.2.9"), 4000)), segmentSize: 100);
            Assert.Equal(3, send.Flush());
            byte[] first = tun.Await(4, Udp);
            int header = tun.Device.HeaderSize;
            bool takesRuns = (asked & TunOffloads.Udp) != 0;
            Assert.Equal(takesRuns ? 278 : 128, first.Length - header);
            if (header > 0)
            {
                Assert.Equal(takesRuns ? UdpRun : 0, first[1]);
                Assert.Equal(takesRuns ? 100 : 0, BitConverter.ToUInt16(first, 4));
            }
        });
    }

    [Fact]
    public void A_run_written_in_pieces_reaches_the_kernels_sockets_as_datagrams()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("culvert%d", TunOffloads.All, "192.0.2.1/24");
            using var server = new UdpEnd("192.0.2.1", 4000);
            byte[] payload = [.. Enumerable.Range(0, 250).Select(i => (byte)i)];
            byte[] datagram = new byte[258];
            BinaryPrimitives.WriteUInt16BigEndian(datagram, 5000);
            BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), 4000);
            BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), 258);
            payload.CopyTo(datagram, 8);
            byte[] packet = PacketBuilder.IPv4("192.0.2.9", "192.0.2.1", Udp, datagram);
            ushort pseudo = (ushort)~PacketBuilder.Checksum(packet[12..20], [0, Udp, 258 >> 8, 258 & 0xFF]);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(26), pseudo);

            // Flags, kind, header length, segment size, checksum start and offset.
            byte[] header = [1, UdpRun, 28, 0, 100, 0, 20, 0, 6, 0];
            byte[] scattered = [.. new byte[7], .. packet[..128], .. new byte[5], .. packet[128..]];
            using var memory = new PacketBuffer(scattered.Length);
            scattered.CopyTo(memory.Octets);
            using var transfers = new TunTransfers();
            transfers.Write(tun.Device, header, memory.Octets, [new(7, 128), new(140, 100), new(240, 50)], 3);
            transfers.Flush();
            Assert.Equal(0, transfers.Refused);
            Assert.Equal(3, server.Await());
            Assert.Equal(payload, Enumerable.Range(0, 3).SelectMany(i => server.Receive.Datagram(i).ToArray()));
        });
    }
}
