using System.Buffers.Binary;

namespace Culvert.Dataplane;

/// <summary>The L2TP header of a data message in all its forms (RFC 2661 section 3.1), read once.</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
/// |           Tunnel ID           |           Session ID          |
/// |             Ns (opt)          |             Nr (opt)          |
/// |      Offset Size (opt)        |    Offset pad... (opt)
/// </code>
/// </remarks>
internal readonly struct L2tpDataHeader
{
    public const ushort ControlBit = 0x8000;

    private const ushort OffsetBit = 0x0200;
    private const int VersionMask = 0x000F;

    // L2F keeps its version in three bits, with the checksum flag above them (RFC 2341 section 4.1).
    private const int L2fVersionMask = 0x0007;

    public bool IsControl { get; private init; }

    public bool HasSequence { get; private init; }

    public ushort Ns { get; private init; }

    public uint Key { get; private init; }

    /// <summary>Where the PPP frame starts.</summary>
    public int PayloadStart { get; private init; }

    /// <summary>Where it ends: by the Length field if there is one (octets after it are tolerated), else with the datagram.</summary>
    public int PayloadEnd { get; private init; }

    public static bool TryRead(ReadOnlySpan<byte> datagram, out L2tpDataHeader header, out DropReason reason)
    {
        header = default;
        if (datagram.Length < 2)
        {
            reason = DropReason.Truncated;
            return false;
        }

        int bits = BinaryPrimitives.ReadUInt16BigEndian(datagram);
        if ((bits & VersionMask) != FrameHeader.Version)
        {
            reason = (bits & L2fVersionMask) == 1 ? DropReason.VersionL2f
                : (bits & VersionMask) == 3 ? DropReason.VersionL2tpv3
                : DropReason.VersionUnknown;
            return false;
        }

        if ((bits & ControlBit) != 0)
        {
            header = new L2tpDataHeader { IsControl = true, PayloadEnd = datagram.Length };
            reason = default;
            return true;
        }

        return TryReadData(datagram, bits, out header, out reason);
    }

    /// <summary>The IDs of what looks like a data message; of everything else nothing, or something that belongs to nobody.</summary>
    public static bool TryPeekKey(ReadOnlySpan<byte> datagram, out uint key)
    {
        int ids = !datagram.IsEmpty && (datagram[0] & (FrameHeader.LengthBit >> 8)) != 0 ? 4 : 2;
        return BinaryPrimitives.TryReadUInt32BigEndian(datagram.Length > ids ? datagram[ids..] : [], out key);
    }

    private static bool TryReadData(ReadOnlySpan<byte> datagram, int bits, out L2tpDataHeader header, out DropReason reason)
    {
        header = default;
        bool hasLength = (bits & FrameHeader.LengthBit) != 0;
        bool hasSequence = (bits & FrameHeader.SequenceBit) != 0;
        bool hasOffset = (bits & OffsetBit) != 0;
        int ids = hasLength ? 4 : 2;
        int start = ids + 4 + (hasSequence ? 4 : 0) + (hasOffset ? 2 : 0);
        if (datagram.Length < start)
        {
            reason = DropReason.Truncated;
            return false;
        }

        int end = hasLength ? BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]) : datagram.Length;
        if (hasOffset)
        {
            start += BinaryPrimitives.ReadUInt16BigEndian(datagram[(start - 2)..]);
        }

        if (end > datagram.Length || start > end)
        {
            reason = DropReason.MalformedHeader;
            return false;
        }

        header = new L2tpDataHeader
        {
            HasSequence = hasSequence,
            Ns = hasSequence ? BinaryPrimitives.ReadUInt16BigEndian(datagram[(ids + 4)..]) : (ushort)0,
            Key = BinaryPrimitives.ReadUInt32BigEndian(datagram[ids..]),
            PayloadStart = start,
            PayloadEnd = end,
        };
        reason = default;
        return true;
    }
}
