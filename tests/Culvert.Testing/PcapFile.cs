using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Testing;

/// <summary>A UDP datagram out of a capture. <paramref name="At"/> counts from 1970, as the file does.</summary>
public sealed record CapturedDatagram(Timestamp At, PeerEndpoint Source, PeerEndpoint Destination, byte[] Payload);

/// <summary>
/// Reads (and writes) classic pcap files (both byte orders, micro- and nanoseconds) with link type Ethernet (1), raw IP (101, 228, 229), and
/// Linux cooked (113, 276), and yields the UDP datagrams. Fragments, packets cut by the snap length and everything else are skipped.
/// </summary>
public static class PcapFile
{
    private const int FileHeaderLength = 24;
    private const int RecordHeaderLength = 16;
    private const ushort EtherTypeIPv4 = 0x0800;
    private const ushort EtherTypeIPv6 = 0x86DD;
    private const ushort EtherTypeVlan = 0x8100;
    private const byte ProtocolUdp = 17;

    public static IEnumerable<CapturedDatagram> ReadUdp(string path) => ReadUdp(File.ReadAllBytes(path));

    /// <exception cref="InvalidDataException">Not a classic pcap file, or a link type not named above.</exception>
    public static IEnumerable<CapturedDatagram> ReadUdp(byte[] file)
    {
        foreach ((Timestamp at, ReadOnlyMemory<byte> packet) in ReadIpPackets(file))
        {
            if (TryReadUdp(packet.Span, at, out CapturedDatagram? datagram))
            {
                yield return datagram;
            }
        }
    }

    /// <summary>Every IPv4 and IPv6 packet, from its IP header on.</summary>
    public static IEnumerable<(Timestamp At, ReadOnlyMemory<byte> Packet)> ReadIpPackets(byte[] file)
    {
        (bool bigEndian, bool nanoseconds) = ReadMagic(file);
        int linkType = (int)(ReadUInt32(file, 20, bigEndian) & 0x0FFF_FFFF);
        if (linkType is not (1 or 101 or 113 or 228 or 229 or 276))
        {
            throw new InvalidDataException($"Link type {linkType} is not one that this reader knows.");
        }

        for (int offset = FileHeaderLength; offset + RecordHeaderLength <= file.Length;)
        {
            long fraction = ReadUInt32(file, offset + 4, bigEndian);
            var at = new Timestamp((ReadUInt32(file, offset, bigEndian) * 1_000_000_000L) + (nanoseconds ? fraction : fraction * 1000));
            uint length = ReadUInt32(file, offset + 8, bigEndian);
            offset += RecordHeaderLength;
            if (length > file.Length - offset)
            {
                yield break; // the capturing program was stopped in the middle of a record
            }

            ReadOnlyMemory<byte> frame = file.AsMemory(offset, (int)length);
            offset += (int)length;
            if (TrySkipLinkHeader(frame.Span, linkType, out int skip))
            {
                yield return (at, frame[skip..]);
            }
        }
    }

    /// <summary>A capture of IP packets (link type 101, big-endian, nanoseconds), for other people's tools to read.</summary>
    public static byte[] Write(IEnumerable<(Timestamp At, byte[] Packet)> packets)
    {
        ByteBuilder file = new ByteBuilder().U32(0xA1B23C4D).U16(2).U16(4).U32(0).U32(0).U32(65535).U32(101);
        foreach ((Timestamp at, byte[] packet) in packets)
        {
            file.U32(at.Nanoseconds / 1_000_000_000).U32(at.Nanoseconds % 1_000_000_000).U32(packet.Length).U32(packet.Length).Bytes(packet);
        }

        return file.ToArray();
    }

    private static (bool BigEndian, bool Nanoseconds) ReadMagic(byte[] file)
    {
        if (file.Length < FileHeaderLength)
        {
            throw new InvalidDataException("Too short for a pcap file.");
        }

        return BinaryPrimitives.ReadUInt32BigEndian(file) switch
        {
            0xA1B2C3D4 => (true, false),
            0xD4C3B2A1 => (false, false),
            0xA1B23C4D => (true, true),
            0x4D3CB2A1 => (false, true),
            uint magic => throw new InvalidDataException($"Not a classic pcap file (magic {magic:x8})."),
        };
    }

    private static uint ReadUInt32(byte[] file, int offset, bool bigEndian)
    {
        ReadOnlySpan<byte> at = file.AsSpan(offset);
        return bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(at) : BinaryPrimitives.ReadUInt32LittleEndian(at);
    }

    private static bool TrySkipLinkHeader(ReadOnlySpan<byte> frame, int linkType, out int skip)
    {
        (int typeOffset, skip) = linkType switch
        {
            1 => (12, 14),
            113 => (14, 16),
            276 => (0, 20),
            _ => (-1, 0),
        };
        if (typeOffset < 0)
        {
            return !frame.IsEmpty;
        }

        while (frame.Length > skip)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[typeOffset..]);
            if (type != EtherTypeVlan)
            {
                return type is EtherTypeIPv4 or EtherTypeIPv6;
            }

            // A VLAN tag: the real type follows the tag control information.
            typeOffset = skip + 2;
            skip += 4;
        }

        return false;
    }

    private static bool TryReadUdp(ReadOnlySpan<byte> packet, Timestamp at, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CapturedDatagram? datagram)
    {
        datagram = null;
        if (!TryReadIpHeader(packet, out IpAddress source, out IpAddress destination, out int headerLength) || packet.Length < headerLength + 8)
        {
            return false;
        }

        ReadOnlySpan<byte> udp = packet[headerLength..];
        int length = BinaryPrimitives.ReadUInt16BigEndian(udp[4..]);
        if (length < 8 || length > udp.Length)
        {
            return false;
        }

        datagram = new CapturedDatagram(
            at,
            new PeerEndpoint(source, BinaryPrimitives.ReadUInt16BigEndian(udp)),
            new PeerEndpoint(destination, BinaryPrimitives.ReadUInt16BigEndian(udp[2..])),
            udp[8..length].ToArray());
        return true;
    }

    private static bool TryReadIpHeader(ReadOnlySpan<byte> packet, out IpAddress source, out IpAddress destination, out int length)
    {
        source = destination = default;
        length = 0;
        if (packet.Length >= 20 && packet[0] >> 4 == 4)
        {
            length = (packet[0] & 15) * 4;
            bool fragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;
            source = IpAddress.FromBytes(packet.Slice(12, 4));
            destination = IpAddress.FromBytes(packet.Slice(16, 4));
            return !fragment && packet[9] == ProtocolUdp && length >= 20;
        }

        if (packet.Length >= 40 && packet[0] >> 4 == 6)
        {
            length = 40;
            source = IpAddress.FromBytes(packet.Slice(8, 16));
            destination = IpAddress.FromBytes(packet.Slice(24, 16));
            return packet[6] == ProtocolUdp;
        }

        return false;
    }
}
