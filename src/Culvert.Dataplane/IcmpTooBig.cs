using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Tells the sender of a packet what would have fitted: ICMP "fragmentation needed and DF set" with the next-hop MTU (RFC 792,
/// RFC 1191 section 4), ICMPv6 "packet too big" (RFC 4443 section 3.2).
/// </summary>
public static class IcmpTooBig
{
    private const byte Icmp = 1;
    private const byte Icmpv6 = 58;
    private const int IcmpHeader = 8;
    private const byte TimeToLive = 64;

    // RFC 1812 section 4.3.2.3: as much of the original as fits into 576 octets.
    private const int IPv4ReplyLimit = 576;

    /// <summary>Whether a packet that was measured may be answered with an error (RFC 1812 section 4.3.2.7).</summary>
    public static bool MayAnswerIPv4(ReadOnlySpan<byte> packet)
    {
        uint source = IpPacket.SourceIPv4(packet);
        uint network = source >> 24;
        if (network is 0 or 127 or >= 224 || IpPacket.IsMulticastOrBroadcast(IpPacket.DestinationIPv4(packet))
            || IpPacket.FragmentOffset(packet) != 0)
        {
            return false;
        }

        // Destination unreachable, source quench, redirect, time exceeded, parameter problem are errors themselves.
        int header = IpPacket.HeaderLength(packet);
        return packet[9] != Icmp || (packet.Length > header && packet[header] is not (3 or 4 or 5 or 11 or 12));
    }

    /// <summary>
    /// Whether a packet that was measured may be answered with an error (RFC 4443 section 2.4 e). A multicast destination is no
    /// obstacle to "packet too big" (e.3).
    /// </summary>
    public static bool MayAnswerIPv6(ReadOnlySpan<byte> packet)
    {
        (ulong high, ulong low) = IpPacket.SourceIPv6(packet);
        if ((high | low) == 0 || IpPacket.IsMulticast(high))
        {
            return false;
        }

        // What lies behind a later fragment, or is cut off, might be an error.
        if (!IpPacket.TryFindUpperLayer(packet, out byte protocol, out int offset))
        {
            return protocol is 50 or 51 or 59;
        }

        // Types below 128 are errors, 137 is a redirect.
        return protocol != Icmpv6 || (packet[offset] >= 128 && packet[offset] != 137);
    }

    /// <summary>Writes the whole answer. Returns its length, at most 576; 0 when <paramref name="reply"/> is too small.</summary>
    public static int BuildIPv4(ReadOnlySpan<byte> packet, ushort mtu, IpAddress source, Span<byte> reply)
    {
        int quoted = Math.Min(packet.Length, IPv4ReplyLimit - IpPacket.IPv4MinimumHeader - IcmpHeader);
        int length = IpPacket.IPv4MinimumHeader + IcmpHeader + quoted;
        if (reply.Length < length)
        {
            return 0;
        }

        Span<byte> header = reply[..IpPacket.IPv4MinimumHeader];
        header.Clear();
        header[0] = 0x45;
        header[1] = 0xC0; // Precedence 6, internetwork control (RFC 1812 section 4.3.2.5).
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)length);
        header[8] = TimeToLive;
        header[9] = Icmp;
        source.WriteTo(header[12..]);
        packet.Slice(12, 4).CopyTo(header[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header));

        Span<byte> message = reply[IpPacket.IPv4MinimumHeader..length];
        message[..IcmpHeader].Clear();
        message[0] = 3;
        message[1] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], mtu);
        packet[..quoted].CopyTo(message[IcmpHeader..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message));
        return length;
    }

    /// <summary>Writes the whole answer. Returns its length, at most 1280; 0 when <paramref name="reply"/> is too small.</summary>
    public static int BuildIPv6(ReadOnlySpan<byte> packet, uint mtu, IpAddress source, Span<byte> reply)
    {
        int quoted = Math.Min(packet.Length, IpPacket.IPv6MinimumMtu - IpPacket.IPv6Header - IcmpHeader);
        int length = IpPacket.IPv6Header + IcmpHeader + quoted;
        if (reply.Length < length)
        {
            return 0;
        }

        Span<byte> header = reply[..IpPacket.IPv6Header];
        header.Clear();
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(IcmpHeader + quoted));
        header[6] = Icmpv6;
        header[7] = TimeToLive;
        source.WriteTo(header[8..]);
        packet.Slice(8, 16).CopyTo(header[24..]);

        Span<byte> message = reply[IpPacket.IPv6Header..length];
        message[..IcmpHeader].Clear();
        message[0] = 2;
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], mtu);
        packet[..quoted].CopyTo(message[IcmpHeader..]);
        ushort pseudo = InternetChecksum.PseudoHeader(source, IpAddress.FromBytes(packet.Slice(8, 16)), Icmpv6, message.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message, pseudo));
        return length;
    }
}
