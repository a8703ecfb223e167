using System.Buffers.Binary;

namespace Culvert.Dataplane;

/// <summary>Fields of IP headers, read where they lie. The callers of the accessors have measured the packet first.</summary>
internal static class IpPacket
{
    /// <summary>Protocol numbers.</summary>
    public const byte Tcp = 6;
    public const byte Udp = 17;

    public const int IPv4MinimumHeader = 20;
    public const int IPv6Header = 40;

    /// <summary>Every IPv6 link carries this (RFC 8200 section 5).</summary>
    public const int IPv6MinimumMtu = 1280;

    // Real packets carry one or two; a chain of empty ones is work that only an attacker asks for.
    private const int MaxExtensionHeaders = 8;

    private const byte HopByHopOptions = 0;
    private const byte Routing = 43;
    private const byte Fragment = 44;
    private const byte DestinationOptions = 60;

    /// <summary>4, 6, or what else the first half octet says; 0 when there is none.</summary>
    public static int Version(ReadOnlySpan<byte> packet) => packet.IsEmpty ? 0 : packet[0] >> 4;

    /// <summary>DSCP and ECN: IPv4's TOS octet (RFC 2474), IPv6's traffic class (RFC 8200 section 3).</summary>
    public static byte TrafficClass(ReadOnlySpan<byte> packet) =>
        packet[0] >> 4 == 4 ? packet[1] : (byte)((packet[0] << 4) | (packet[1] >> 4));

    /// <summary>The packet's own length, at most that of the span (a link may pad); false when the header contradicts itself.</summary>
    public static bool TryMeasureIPv4(ReadOnlySpan<byte> packet, out int length)
    {
        length = 0;
        if (packet.Length < IPv4MinimumHeader || packet[0] >> 4 != 4)
        {
            return false;
        }

        int header = HeaderLength(packet);
        length = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        return header >= IPv4MinimumHeader && length >= header && length <= packet.Length;
    }

    /// <inheritdoc cref="TryMeasureIPv4"/>
    public static bool TryMeasureIPv6(ReadOnlySpan<byte> packet, out int length)
    {
        length = 0;
        if (packet.Length < IPv6Header || packet[0] >> 4 != 6)
        {
            return false;
        }

        length = IPv6Header + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        return length <= packet.Length;
    }

    public static int HeaderLength(ReadOnlySpan<byte> packet) => (packet[0] & 0x0F) * 4;

    public static uint SourceIPv4(ReadOnlySpan<byte> packet) => BinaryPrimitives.ReadUInt32BigEndian(packet[12..]);

    public static uint DestinationIPv4(ReadOnlySpan<byte> packet) => BinaryPrimitives.ReadUInt32BigEndian(packet[16..]);

    public static (ulong High, ulong Low) SourceIPv6(ReadOnlySpan<byte> packet) => ReadIPv6(packet[8..]);

    public static (ulong High, ulong Low) DestinationIPv6(ReadOnlySpan<byte> packet) => ReadIPv6(packet[24..]);

    public static bool DontFragment(ReadOnlySpan<byte> packet) => (packet[6] & 0x40) != 0;

    /// <summary>In units of 8 octets.</summary>
    public static int FragmentOffset(ReadOnlySpan<byte> packet) => BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1FFF;

    public static bool MoreFragments(ReadOnlySpan<byte> packet) => (packet[6] & 0x20) != 0;

    /// <summary>224.0.0.0/4 and 255.255.255.255 (RFC 1112 section 4, RFC 919 section 7).</summary>
    public static bool IsMulticastOrBroadcast(uint address) => address >> 28 == 0xE || address == uint.MaxValue;

    /// <summary>fe80::/10 (RFC 4291 section 2.5.6).</summary>
    public static bool IsLinkLocal(ulong high) => high >> 54 == 0x3FA;

    /// <summary>ff00::/8 (RFC 4291 section 2.7).</summary>
    public static bool IsMulticast(ulong high) => high >> 56 == 0xFF;

    /// <summary>
    /// Walks to the upper-layer header (RFC 8200 section 4). False for a fragment that is not the first, a chain that is cut off or
    /// too long, or one that ends in a header that hides or seals what follows (ESP, authentication).
    /// </summary>
    public static bool TryFindUpperLayer(ReadOnlySpan<byte> packet, out byte protocol, out int offset)
    {
        protocol = packet[6];
        offset = IPv6Header;
        for (int headers = 0; headers < MaxExtensionHeaders; headers++)
        {
            if (protocol is not (HopByHopOptions or Routing or Fragment or DestinationOptions))
            {
                return protocol is not (50 or 51 or 59) && offset < packet.Length;
            }

            if (packet.Length - offset < 8)
            {
                return false;
            }

            ReadOnlySpan<byte> header = packet[offset..];
            if (protocol == Fragment && (BinaryPrimitives.ReadUInt16BigEndian(header[2..]) & 0xFFF8) != 0)
            {
                return false;
            }

            offset += protocol == Fragment ? 8 : (header[1] + 1) * 8;
            protocol = header[0];
        }

        return false;
    }

    private static (ulong High, ulong Low) ReadIPv6(ReadOnlySpan<byte> octets) =>
        (BinaryPrimitives.ReadUInt64BigEndian(octets), BinaryPrimitives.ReadUInt64BigEndian(octets[8..]));
}
