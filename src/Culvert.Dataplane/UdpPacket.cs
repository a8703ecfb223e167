using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// UDP in IPv4 (RFC 768, RFC 791), for what the node itself says to a subscriber and hears from one.
/// <code>
/// +-------------+------------------+--------+----------+---------
/// | IPv4 header | source port      | length | checksum | payload
/// | 20 and more | destination port |        |          |
/// +-------------+------------------+--------+----------+---------
/// </code>
/// </summary>
public static class UdpPacket
{
    /// <summary>Octets in front of the payload in packets that <see cref="WriteHeaders"/> makes.</summary>
    public const int HeadersLength = IpPacket.IPv4MinimumHeader + UdpHeader;

    /// <summary>Where in the UDP header the checksum stands.</summary>
    public const int ChecksumOffset = 6;

    private const int UdpHeader = 8;
    private const byte TimeToLive = 64;
    private const ushort DhcpServerPort = 67;
    private const ushort DhcpClientPort = 68;

    /// <summary>
    /// Whether a packet that was measured is one of the few that a subscriber sends to its link and that are answered: from a DHCP client
    /// to any server (RFC 2131 section 4.1). Looks at ports and addresses only.
    /// </summary>
    public static bool IsForDhcpServer(ReadOnlySpan<byte> packet)
    {
        if (IpPacket.Version(packet) != 4 || !IsWholeUdp(packet) || IpPacket.DestinationIPv4(packet) != uint.MaxValue)
        {
            return false;
        }

        int header = IpPacket.HeaderLength(packet);
        return packet.Length >= header + UdpHeader
            && BinaryPrimitives.ReadUInt16BigEndian(packet[header..]) == DhcpClientPort
            && BinaryPrimitives.ReadUInt16BigEndian(packet[(header + 2)..]) == DhcpServerPort;
    }

    /// <summary>The payload of a whole, unfragmented datagram; false when a length or a checksum is wrong. A UDP checksum of 0 is none (RFC 768).</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, out IpAddress source, out ReadOnlySpan<byte> payload)
    {
        source = default;
        payload = default;
        if (!IpPacket.TryMeasureIPv4(packet, out int length) || !IsWholeUdp(packet))
        {
            return false;
        }

        int header = IpPacket.HeaderLength(packet);
        ReadOnlySpan<byte> datagram = packet[header..length];
        if (datagram.Length < UdpHeader || InternetChecksum.Compute(packet[..header]) != 0)
        {
            return false;
        }

        int udpLength = BinaryPrimitives.ReadUInt16BigEndian(datagram[4..]);
        if (udpLength < UdpHeader || udpLength > datagram.Length)
        {
            return false;
        }

        datagram = datagram[..udpLength];
        source = IpAddress.FromUInt32(IpPacket.SourceIPv4(packet));
        if (BinaryPrimitives.ReadUInt16BigEndian(datagram[6..]) != 0)
        {
            ushort pseudo = InternetChecksum.PseudoHeader(source, IpAddress.FromUInt32(IpPacket.DestinationIPv4(packet)), IpPacket.Udp, udpLength);
            if (InternetChecksum.Compute(datagram, pseudo) != 0)
            {
                return false;
            }
        }

        payload = datagram[UdpHeader..];
        return true;
    }

    /// <summary>Makes a DHCP server's message a packet to one client.</summary>
    /// <param name="packet">Holds the message behind <see cref="HeadersLength"/> octets for the headers; all of it is sent. At most 65,535 octets.</param>
    /// <param name="server">IPv4.</param>
    /// <param name="client">IPv4.</param>
    public static void WriteHeaders(Span<byte> packet, IpAddress server, IpAddress client)
    {
        Span<byte> header = packet[..IpPacket.IPv4MinimumHeader];
        header.Clear();
        header[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)packet.Length);
        header[8] = TimeToLive;
        header[9] = IpPacket.Udp;
        server.WriteTo(header[12..]);
        client.WriteTo(header[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header));

        Span<byte> datagram = packet[IpPacket.IPv4MinimumHeader..];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, DhcpServerPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], DhcpClientPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], (ushort)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumOffset..], 0);
        ushort checksum = InternetChecksum.Compute(datagram, InternetChecksum.PseudoHeader(server, client, IpPacket.Udp, datagram.Length));
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumOffset..], ChecksumField(checksum));
    }

    /// <summary>What stands in the header for a checksum: for zero, which says that there is none, all ones, which weigh the same (RFC 768).</summary>
    public static ushort ChecksumField(ushort checksum) => checksum == 0 ? ushort.MaxValue : checksum;

    /// <summary>Of an IPv4 packet: whether it carries UDP and is no fragment.</summary>
    private static bool IsWholeUdp(ReadOnlySpan<byte> packet) =>
        packet[9] == IpPacket.Udp && IpPacket.FragmentOffset(packet) == 0 && !IpPacket.MoreFragments(packet);
}
