using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane;

namespace Culvert.Benchmarks;

/// <summary>The packets that the benchmarks handle.</summary>
internal static class Packets
{
    public const int IPv4Header = 20;
    public const int TcpHeader = 20;
    public const int UdpHeader = 8;

    public static readonly IpAddress Server = IpAddress.Parse("192.0.2.80");
    public static readonly UdpPath Path = new(IpAddress.Parse("203.0.113.1"), new PeerEndpoint(IpAddress.Parse("203.0.113.2"), 1701));

    /// <summary>A UDP packet of so many octets with right checksums.</summary>
    public static byte[] Udp(IpAddress source, IpAddress destination, int length)
    {
        byte[] packet = IPv4(source, destination, 17, length);
        Span<byte> udp = packet.AsSpan(IPv4Header);
        BinaryPrimitives.WriteUInt16BigEndian(udp, 40_000);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], 9);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        Finish(udp, 6, source, destination, 17);
        return packet;
    }

    /// <summary>A TCP segment (ACK) of so many octets with right checksums.</summary>
    public static byte[] Tcp(IpAddress source, IpAddress destination, uint sequence, int length)
    {
        byte[] packet = IPv4(source, destination, 6, length);
        Span<byte> tcp = packet.AsSpan(IPv4Header);
        BinaryPrimitives.WriteUInt16BigEndian(tcp, 443);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], 40_000);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], 1);
        tcp[12] = TcpHeader / 4 << 4;
        tcp[13] = 0x10;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], 0xFFFF);
        Finish(tcp, 16, source, destination, 6);
        return packet;
    }

    /// <summary>An L2TP data message without Length field (RFC 2661 section 3.1) around a packet.</summary>
    public static byte[] Frame(SessionKey session, ReadOnlySpan<byte> packet) =>
    [
        0x00, 0x02,
        (byte)(session.LocalTunnelId >> 8), (byte)session.LocalTunnelId, (byte)(session.LocalSessionId >> 8), (byte)session.LocalSessionId,
        0xFF, 0x03, 0x00, 0x21,
        .. packet,
    ];

    private static byte[] IPv4(IpAddress source, IpAddress destination, byte protocol, int length)
    {
        byte[] packet = new byte[length];
        new SeededRandom(1).Fill(packet.AsSpan(IPv4Header + UdpHeader));
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)length);
        packet[6] = 0x40;
        packet[8] = 64;
        packet[9] = protocol;
        source.WriteTo(packet.AsSpan(12));
        destination.WriteTo(packet.AsSpan(16));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), InternetChecksum.Compute(packet.AsSpan(0, IPv4Header)));
        return packet;
    }

    private static void Finish(Span<byte> transport, int checksum, IpAddress source, IpAddress destination, byte protocol)
    {
        ushort pseudo = InternetChecksum.PseudoHeader(source, destination, protocol, transport.Length);
        transport.Slice(checksum, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(transport[checksum..], InternetChecksum.Compute(transport, pseudo));
    }
}
