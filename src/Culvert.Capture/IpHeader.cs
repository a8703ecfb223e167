using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Capture;

/// <summary>An IP header with its extension headers, read leniently: a capture may have kept only the front of the packet.</summary>
internal readonly ref struct IpHeader
{
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte IcmpV6 = 58;

    private const int IPv4Minimum = 20;
    private const int IPv6Size = 40;
    private const byte HopByHopOptions = 0;
    private const byte Routing = 43;
    private const byte Fragment = 44;
    private const byte DestinationOptions = 60;

    // Real packets carry one or two.
    private const int MaximumExtensionHeaders = 8;

    public IpAddress Source { get; private init; }

    public IpAddress Destination { get; private init; }

    /// <summary>Of the upper layer; of an IPv6 packet whose chain of headers is not understood, the header where that began.</summary>
    public byte Protocol { get; private init; }

    /// <summary>One piece of a packet, first or later.</summary>
    public bool IsFragment { get; private init; }

    /// <summary>Octets before this fragment.</summary>
    public int FragmentOffset { get; private init; }

    /// <summary>What was kept of the payload, link padding left out.</summary>
    public ReadOnlySpan<byte> Payload { get; private init; }

    /// <summary>Octets that the payload had on the wire.</summary>
    public int PayloadLength { get; private init; }

    public static bool TryRead(ReadOnlySpan<byte> packet, out IpHeader header)
    {
        header = default;
        return !packet.IsEmpty && (packet[0] >> 4) switch
        {
            4 => TryReadIPv4(packet, out header),
            6 => TryReadIPv6(packet, out header),
            _ => false,
        };
    }

    private static bool TryReadIPv4(ReadOnlySpan<byte> packet, out IpHeader header)
    {
        header = default;
        int start = (packet[0] & 15) * 4;
        if (start < IPv4Minimum || packet.Length < start)
        {
            return false;
        }

        // 0: the network card was to fill it in when it cut a large send into segments.
        int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        total = total == 0 ? packet.Length : total;
        if (total < start)
        {
            return false;
        }

        int fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        header = new IpHeader
        {
            Source = IpAddress.FromBytes(packet.Slice(12, 4)),
            Destination = IpAddress.FromBytes(packet.Slice(16, 4)),
            Protocol = packet[9],
            IsFragment = (fragment & 0x3FFF) != 0,
            FragmentOffset = (fragment & 0x1FFF) * 8,
            Payload = packet[start..Math.Min(total, packet.Length)],
            PayloadLength = total - start,
        };
        return true;
    }

    private static bool TryReadIPv6(ReadOnlySpan<byte> packet, out IpHeader header)
    {
        header = default;
        if (packet.Length < IPv6Size)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        length = length == 0 ? packet.Length - IPv6Size : length;
        ReadOnlySpan<byte> rest = packet[IPv6Size..Math.Min(packet.Length, IPv6Size + length)];
        byte protocol = packet[6];
        bool isFragment = false;
        int fragmentOffset = 0;
        for (int i = 0; i < MaximumExtensionHeaders && rest.Length >= 8; i++)
        {
            if (protocol is not (HopByHopOptions or Routing or Fragment or DestinationOptions) || fragmentOffset != 0)
            {
                break;
            }

            int size = protocol == Fragment ? 8 : (rest[1] + 1) * 8;
            if (size > rest.Length)
            {
                break;
            }

            if (protocol == Fragment)
            {
                // Offset 0 and nothing more to come is a whole packet that only has the header (RFC 6946).
                int field = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
                isFragment = (field & 0xFFF9) != 0;
                fragmentOffset = field & 0xFFF8;
            }

            protocol = rest[0];
            rest = rest[size..];
            length -= size;
        }

        header = new IpHeader
        {
            Source = IpAddress.FromBytes(packet.Slice(8, 16)),
            Destination = IpAddress.FromBytes(packet.Slice(24, 16)),
            Protocol = protocol,
            IsFragment = isFragment,
            FragmentOffset = fragmentOffset,
            Payload = rest,
            PayloadLength = length,
        };
        return true;
    }
}
