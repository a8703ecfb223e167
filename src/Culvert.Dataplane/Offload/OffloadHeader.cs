using System.Buffers.Binary;

namespace Culvert.Dataplane.Offload;

/// <summary>What a packet that is larger than the wire allows consists of.</summary>
public enum SegmentKind : byte
{
    /// <summary>One packet as it will travel.</summary>
    None = 0,

    TcpIPv4 = 1,

    TcpIPv6 = 4,

    /// <summary>UDP datagrams of one size over either version of IP.</summary>
    Udp = 5,
}

/// <summary>
/// What the kernel says, and is told, about a packet at a TUN interface: whether its checksum is still to be finished, and whether it
/// is a run of segments under one header (the header that virtio network devices use).
/// </summary>
/// <remarks>
/// <code>
///  octet  0      flags: 1 the checksum at ChecksumStart + ChecksumOffset holds the pseudo-header's sum only
///         1      kind of segments; 0x80: the first of them carries CWR
///         2-3    length of all headers        4-5  payload of each segment
///         6-7    ChecksumStart                8-9  ChecksumOffset         all in the machine's own byte order
/// </code>
/// </remarks>
public readonly record struct OffloadHeader
{
    /// <summary>Octets in front of each packet.</summary>
    public const int Size = 10;

    private const byte NeedsChecksumFlag = 1;
    private const byte EcnFlag = 0x80;

    public bool NeedsChecksum { get; init; }

    public SegmentKind Kind { get; init; }

    /// <summary>The first segment of a TCP run carries CWR, the others do not (RFC 3168 section 6.1.2).</summary>
    public bool HasCwr { get; init; }

    /// <summary>IP and transport headers together, in octets. A hint when read: only the headers themselves are believed.</summary>
    public ushort HeaderLength { get; init; }

    /// <summary>Transport payload of each segment in octets; the last may have less.</summary>
    public ushort SegmentSize { get; init; }

    /// <summary>Where the checksummed octets begin: the transport header.</summary>
    public ushort ChecksumStart { get; init; }

    /// <summary>Where in the transport header the checksum is stored.</summary>
    public ushort ChecksumOffset { get; init; }

    /// <summary>False for fewer than <see cref="Size"/> octets or a kind that was not asked for.</summary>
    public static bool TryRead(ReadOnlySpan<byte> octets, out OffloadHeader header)
    {
        header = default;
        if (octets.Length < Size)
        {
            return false;
        }

        header = new OffloadHeader
        {
            NeedsChecksum = (octets[0] & NeedsChecksumFlag) != 0,
            Kind = (SegmentKind)(octets[1] & ~EcnFlag),
            HasCwr = (octets[1] & EcnFlag) != 0,
            HeaderLength = Read(octets[2..]),
            SegmentSize = Read(octets[4..]),
            ChecksumStart = Read(octets[6..]),
            ChecksumOffset = Read(octets[8..]),
        };
        return header.Kind is SegmentKind.None or SegmentKind.TcpIPv4 or SegmentKind.TcpIPv6 or SegmentKind.Udp;
    }

    /// <summary>Writes <see cref="Size"/> octets.</summary>
    public void Write(Span<byte> target)
    {
        target[0] = NeedsChecksum ? NeedsChecksumFlag : (byte)0;
        target[1] = (byte)((byte)Kind | (HasCwr ? EcnFlag : 0));
        Write(target[2..], HeaderLength);
        Write(target[4..], SegmentSize);
        Write(target[6..], ChecksumStart);
        Write(target[8..], ChecksumOffset);
    }

    private static ushort Read(ReadOnlySpan<byte> octets)
    {
        ushort value = BinaryPrimitives.ReadUInt16LittleEndian(octets);
        return BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
    }

    private static void Write(Span<byte> octets, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(octets, BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value));
}
