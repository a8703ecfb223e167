using Culvert.Core;

namespace Culvert.Testing;

/// <summary>IPv4 and IPv6 packets with UDP, TCP or ICMP inside, correct checksums, octet by octet.</summary>
public static class IpBuilder
{
    public const int Icmp = 1, Tcp = 6, Udp = 17, Icmpv6 = 58;

    public const int Fin = 1, Syn = 2, Rst = 4, Psh = 8, Ack = 16;

    public static byte[] Octets(IpAddress address)
    {
        byte[] octets = new byte[address.Size];
        address.WriteTo(octets);
        return octets;
    }

    /// <summary>An IP packet of the addresses' family around <paramref name="payload"/>.</summary>
    /// <param name="dontFragment">IPv4 only.</param>
    /// <param name="fragment">IPv4 only: the flags-and-offset field's lower 14 bits (0x2000 is "more fragments").</param>
    public static byte[] Packet(
        IpAddress source, IpAddress destination, int protocol, byte[] payload, int hops = 64, bool dontFragment = false, int fragment = 0)
    {
        if (source.IsIPv6)
        {
            return new ByteBuilder().U32(0x6000_0000).U16(payload.Length).U8(protocol).U8(hops)
                .Bytes(Octets(source)).Bytes(Octets(destination)).Bytes(payload).ToArray();
        }

        byte[] header = new ByteBuilder().U8(0x45).U8(0).U16(20 + payload.Length).U16(0x1234)
            .U16((dontFragment ? 0x4000 : 0) | fragment).U8(hops).U8(protocol).U16(0)
            .Bytes(Octets(source)).Bytes(Octets(destination)).ToArray();
        int sum = Checksum(header);
        header[10] = (byte)(sum >> 8);
        header[11] = (byte)sum;
        return [.. header, .. payload];
    }

    public static byte[] UdpPacket(IpAddress source, int sourcePort, IpAddress destination, int destinationPort, byte[] payload, bool checksum = true)
    {
        byte[] udp = new ByteBuilder().U16(sourcePort).U16(destinationPort).U16(8 + payload.Length).U16(0).Bytes(payload).ToArray();
        if (checksum)
        {
            int sum = PseudoChecksum(source, destination, Udp, udp);
            Put(udp, 6, sum == 0 ? 0xFFFF : sum);
        }

        return Packet(source, destination, Udp, udp);
    }

    /// <param name="maximumSegmentSize">Adds the MSS option (RFC 9293 section 3.7.1) when given.</param>
    /// <param name="otherOptions">More options, padded with zeros to a multiple of four.</param>
    public static byte[] TcpPacket(
        IpAddress source, int sourcePort, IpAddress destination, int destinationPort, int flags, byte[]? payload = null,
        int? maximumSegmentSize = null, byte[]? otherOptions = null, long sequence = 1, long acknowledgement = 0)
    {
        var options = new ByteBuilder();
        if (maximumSegmentSize is int mss)
        {
            options.U8(2).U8(4).U16(mss);
        }

        options.Bytes(otherOptions ?? []);
        options.Zeros((4 - (options.Length % 4)) % 4);
        byte[] tcp = new ByteBuilder().U16(sourcePort).U16(destinationPort).U32(sequence).U32(acknowledgement)
            .U8((5 + (options.Length / 4)) << 4).U8(flags).U16(65535).U16(0).U16(0).Bytes(options.ToArray()).Bytes(payload ?? []).ToArray();
        Put(tcp, 16, PseudoChecksum(source, destination, Tcp, tcp));
        return Packet(source, destination, Tcp, tcp);
    }

    /// <summary>An echo request (or reply) of the addresses' family.</summary>
    public static byte[] Echo(IpAddress source, IpAddress destination, int identifier, int sequence, byte[] data, bool reply = false, bool dontFragment = false)
    {
        int type = source.IsIPv6 ? (reply ? 129 : 128) : (reply ? 0 : 8);
        byte[] icmp = new ByteBuilder().U8(type).U8(0).U16(0).U16(identifier).U16(sequence).Bytes(data).ToArray();
        int protocol = source.IsIPv6 ? Icmpv6 : Icmp;
        Put(icmp, 2, source.IsIPv6 ? PseudoChecksum(source, destination, protocol, icmp) : Checksum(icmp));
        return Packet(source, destination, protocol, icmp, dontFragment: dontFragment);
    }

    /// <summary>RFC 1071: the one's complement of the one's complement sum; 0 over data that contain their right checksum.</summary>
    public static int Checksum(ReadOnlySpan<byte> octets)
    {
        long sum = 0;
        for (int i = 0; i < octets.Length; i++)
        {
            sum += i % 2 == 0 ? octets[i] << 8 : octets[i];
        }

        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (int)(~sum & 0xFFFF);
    }

    /// <summary>The checksum with a pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1); 0 when right in place.</summary>
    public static int PseudoChecksum(IpAddress source, IpAddress destination, int protocol, byte[] payload) =>
        Checksum(new ByteBuilder().Bytes(Octets(source)).Bytes(Octets(destination)).U32(payload.Length).U32(protocol).Bytes(payload).ToArray());

    private static void Put(byte[] octets, int offset, int value)
    {
        octets[offset] = (byte)(value >> 8);
        octets[offset + 1] = (byte)value;
    }
}
