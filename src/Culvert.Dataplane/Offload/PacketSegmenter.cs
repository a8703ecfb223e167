using System.Buffers.Binary;

namespace Culvert.Dataplane.Offload;

/// <summary>
/// Cuts a run of TCP or UDP segments that share one header into the packets that they stand for, as a network card would
/// (RFC 9293 section 3.1, RFC 768): sequence numbers, identifications, lengths and checksums are each packet's own.
/// </summary>
public readonly ref struct PacketSegmenter
{
    private const int TcpMinimumHeader = 20;
    private const int UdpHeader = 8;

    private const byte Fin = 0x01;
    private const byte Psh = 0x08;
    private const byte Cwr = 0x80;

    private readonly ReadOnlySpan<byte> _packet;
    private readonly int _transport;
    private readonly int _header;
    private readonly int _segmentSize;
    private readonly byte _protocol;

    // The sums over what is the same in every segment, taken once: addresses and protocol.
    private readonly ushort _pseudo;

    private PacketSegmenter(ReadOnlySpan<byte> packet, int transport, int header, int segmentSize, byte protocol)
    {
        _packet = packet;
        _transport = transport;
        _header = header;
        _segmentSize = segmentSize;
        _protocol = protocol;
        _pseudo = AddressSum(packet, protocol);
        Count = (packet.Length - header + segmentSize - 1) / segmentSize;
    }

    /// <summary>Packets to write.</summary>
    public int Count { get; }

    /// <summary>Octets of every packet but the last, which may be shorter.</summary>
    public int PacketLength => _header + Math.Min(_segmentSize, _packet.Length - _header);

    /// <summary>Octets of packet <paramref name="index"/> (from 0).</summary>
    public int LengthOf(int index) => _header + Math.Min(_segmentSize, _packet.Length - _header - (index * _segmentSize));

    /// <param name="packet">A measured packet of the version that <paramref name="offload"/> names.</param>
    /// <param name="offload">What the kernel said about it.</param>
    /// <param name="segmenter">What writes the packets.</param>
    /// <returns>False when packet and description do not fit together.</returns>
    public static bool TryCreate(ReadOnlySpan<byte> packet, in OffloadHeader offload, out PacketSegmenter segmenter)
    {
        segmenter = default;
        bool isIPv6 = IpPacket.Version(packet) == 6;
        byte protocol = offload.Kind == SegmentKind.Udp ? IpPacket.Udp : IpPacket.Tcp;
        bool fits = offload.Kind switch
        {
            SegmentKind.TcpIPv4 => !isIPv6,
            SegmentKind.TcpIPv6 => isIPv6,
            SegmentKind.Udp => true,
            _ => false,
        };
        if (!fits || offload.SegmentSize == 0 || !TryFindTransport(packet, isIPv6, protocol, out int transport))
        {
            return false;
        }

        int header = transport + UdpHeader;
        if (protocol == IpPacket.Tcp)
        {
            if (packet.Length < transport + TcpMinimumHeader)
            {
                return false;
            }

            int tcpHeader = (packet[transport + 12] >> 4) * 4;
            header = transport + tcpHeader;
            fits = tcpHeader >= TcpMinimumHeader;
        }

        if (!fits || packet.Length <= header)
        {
            return false;
        }

        segmenter = new PacketSegmenter(packet, transport, header, offload.SegmentSize, protocol);
        return true;
    }

    /// <summary>Writes packet <paramref name="index"/> (from 0) whole and returns its length.</summary>
    public int Write(int index, Span<byte> target)
    {
        int start = index * _segmentSize;
        int payload = Math.Min(_segmentSize, _packet.Length - _header - start);
        int length = _header + payload;
        Span<byte> segment = target[..length];
        _packet[.._header].CopyTo(segment);
        _packet.Slice(_header + start, payload).CopyTo(segment[_header..]);
        WriteIp(segment, index);
        Span<byte> transport = segment[_transport..];
        int checksum = UdpPacket.ChecksumOffset;
        if (_protocol == IpPacket.Tcp)
        {
            WriteTcp(transport, start, isFirst: index == 0, isLast: index == Count - 1);
            checksum = FlowHeader.TcpChecksum;
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)transport.Length);
        }

        BinaryPrimitives.WriteUInt16BigEndian(transport[checksum..], 0);
        ushort sum = InternetChecksum.Compute(transport, InternetChecksum.Add(_pseudo, (ushort)transport.Length));
        BinaryPrimitives.WriteUInt16BigEndian(transport[checksum..], _protocol == IpPacket.Udp ? UdpPacket.ChecksumField(sum) : sum);
        return length;
    }

    private static bool TryFindTransport(ReadOnlySpan<byte> packet, bool isIPv6, byte protocol, out int transport)
    {
        if (isIPv6)
        {
            return IpPacket.TryFindUpperLayer(packet, out byte found, out transport) && found == protocol
                && packet.Length >= transport + UdpHeader;
        }

        transport = IpPacket.HeaderLength(packet);
        return packet[9] == protocol && packet.Length >= transport + UdpHeader
            && IpPacket.FragmentOffset(packet) == 0 && !IpPacket.MoreFragments(packet);
    }

    private static ushort AddressSum(ReadOnlySpan<byte> packet, byte protocol) => InternetChecksum.Add(
        IpPacket.Version(packet) == 6 ? InternetChecksum.Sum(packet.Slice(8, 32)) : InternetChecksum.Sum(packet.Slice(12, 8)), protocol);

    private void WriteIp(Span<byte> segment, int index)
    {
        if (IpPacket.Version(segment) == 6)
        {
            BinaryPrimitives.WriteUInt16BigEndian(segment[4..], (ushort)(segment.Length - IpPacket.IPv6Header));
            return;
        }

        ushort identification = (ushort)(BinaryPrimitives.ReadUInt16BigEndian(segment[4..]) + index);
        BinaryPrimitives.WriteUInt16BigEndian(segment[2..], (ushort)segment.Length);
        BinaryPrimitives.WriteUInt16BigEndian(segment[4..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(segment[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(segment[10..], InternetChecksum.Compute(segment[.._transport]));
    }

    // FIN and PSH speak of the end of the data, CWR of one reaction to congestion (RFC 3168 section 6.1.2).
    private static void WriteTcp(Span<byte> transport, int start, bool isFirst, bool isLast)
    {
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(transport[4..]) + (uint)start;
        BinaryPrimitives.WriteUInt32BigEndian(transport[4..], sequence);
        int without = (isLast ? 0 : Fin | Psh) | (isFirst ? 0 : Cwr);
        transport[13] &= (byte)~without;
    }
}
