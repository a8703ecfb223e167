using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Testing.Tests;

public sealed class PcapFileTests
{
    private static readonly IpAddress A = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress B = IpAddress.Parse("192.0.2.2");
    private static readonly byte[] Payload = [1, 2, 3, 4, 5];
    private static readonly byte[] Udp = IpBuilder.UdpPacket(A, 1701, B, 1702, Payload);

    [Theory]
    [InlineData(1, "020000000001 020000000002 0800")]
    [InlineData(1, "020000000001 020000000002 8100 0007 0800")]
    [InlineData(101, "")]
    [InlineData(228, "")]
    [InlineData(113, "0000 0001 0006 020000000001 0000 0800")]
    [InlineData(276, "0800 0000 00000001 0001 00 06 020000000001 0000")]
    public void Each_link_type_gives_the_datagram(int linkType, string linkHeader)
    {
        foreach (bool bigEndian in (bool[])[true, false])
        {
            byte[] file = FileOf(bigEndian, linkType, [.. Hex.Parse(linkHeader), .. Udp]);
            CapturedDatagram datagram = Assert.Single(PcapFile.ReadUdp(file));
            Assert.Equal(new PeerEndpoint(A, 1701), datagram.Source);
            Assert.Equal(new PeerEndpoint(B, 1702), datagram.Destination);
            Assert.Equal(Payload, datagram.Payload);
            Assert.Equal(new Timestamp(7_000_009_000), datagram.At);
        }
    }

    [Fact]
    public void Ipv6_is_read()
    {
        IpAddress a = IpAddress.Parse("2001:db8::1"), b = IpAddress.Parse("2001:db8::2");
        CapturedDatagram datagram = Assert.Single(PcapFile.ReadUdp(FileOf(false, 101, IpBuilder.UdpPacket(a, 5, b, 6, Payload))));
        Assert.Equal(new PeerEndpoint(a, 5), datagram.Source);
        Assert.Equal(Payload, datagram.Payload);
    }

    [Fact]
    public void Everything_else_is_skipped_and_a_cut_file_ends()
    {
        byte[] fragment = IpBuilder.Packet(A, B, IpBuilder.Udp, Udp[20..], fragment: 0x2000);
        byte[] tcp = IpBuilder.TcpPacket(A, 1, B, 2, IpBuilder.Syn);
        byte[] file = FileOf(true, 101, fragment, tcp, [0x45], [], Udp[..30], Udp, Udp);
        Assert.Equal(2, PcapFile.ReadUdp(file).Count());
        Assert.Single(PcapFile.ReadUdp(file[..^1]));
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var at = new Timestamp(7_000_000_009);
        CapturedDatagram datagram = Assert.Single(PcapFile.ReadUdp(PcapFile.Write([(at, Udp)])));
        Assert.Equal((at, new PeerEndpoint(A, 1701)), (datagram.At, datagram.Source));
        Assert.Equal(Payload, datagram.Payload);
    }

    [Fact]
    public void Another_format_is_named() =>
        Assert.Throws<InvalidDataException>(() => PcapFile.ReadUdp(new byte[100]).ToList());

    [Fact]
    public void Mutated_captures_never_break_the_reader()
    {
        byte[] good = FileOf(false, 101, Udp, Udp);
        int read = 0;
        foreach (byte[] bad in new Mutator(1).Mutations([good], 20_000))
        {
            try
            {
                read += PcapFile.ReadUdp(bad).Count();
            }
            catch (InvalidDataException)
            {
                read++; // a refusal with a reason is an answer as well
            }
        }

        Assert.True(read > 10_000);
    }

    private static byte[] FileOf(bool bigEndian, int linkType, params byte[][] frames)
    {
        var file = new List<byte>();
        void Word(uint value)
        {
            byte[] octets = new byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(octets, value);
            file.AddRange(bigEndian ? octets : octets.Reverse());
        }

        Word(0xA1B2C3D4);
        Word(bigEndian ? 0x0002_0004u : 0x0004_0002u);
        Word(0);
        Word(0);
        Word(65535);
        Word((uint)linkType);
        foreach (byte[] frame in frames)
        {
            Word(7);
            Word(9);
            Word((uint)frame.Length);
            Word((uint)frame.Length);
            file.AddRange(frame);
        }

        return [.. file];
    }
}
