using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.L2tp.Wire;

/// <summary>The L2TP header (RFC 2661 section 3.1), of control and data messages, read from or about to be written to a datagram.</summary>
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |           Tunnel ID           |           Session ID          |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |             Ns (opt)          |             Nr (opt)          |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |      Offset Size (opt)        |    Offset pad... (opt)
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
public readonly struct L2tpHeader
{
    /// <summary>Octets of a control message's header.</summary>
    public const int ControlSize = 12;

    /// <summary>Octets of the smallest data header: flags, Tunnel ID, Session ID.</summary>
    public const int MinimumSize = 6;

    /// <summary>Octets of the largest header, without offset padding.</summary>
    public const int MaximumSize = 14;

    private const ushort VersionMask = 0x000F;
    private const ushort VersionL2tp = 2;
    private const int LengthAt = 2;
    private const int ControlTunnelIdAt = 4;
    private const int ControlNsAt = 8;
    private const int ControlNrAt = 10;

    private const L2tpHeaderFlags Defined = L2tpHeaderFlags.Control | L2tpHeaderFlags.Length | L2tpHeaderFlags.Sequence |
        L2tpHeaderFlags.Offset | L2tpHeaderFlags.Priority;

    public L2tpHeaderFlags Flags { get; private init; }

    /// <summary>Ver: 2 in every header that was read without fault.</summary>
    public byte Version { get; private init; }

    /// <summary>Reserved bits that were set: tolerated (section 3.1 has them ignored), kept for the printer.</summary>
    public ushort ReservedBits { get; private init; }

    /// <summary>The Length field in octets, header included; 0 when absent.</summary>
    public ushort Length { get; private init; }

    /// <summary>The receiver's number of the tunnel.</summary>
    public ushort TunnelId { get; private init; }

    /// <summary>The receiver's number of the session; 0 for the tunnel as a whole.</summary>
    public ushort SessionId { get; private init; }

    /// <summary>Ns; 0 when absent.</summary>
    public ushort Ns { get; private init; }

    /// <summary>Nr; 0 when absent, and without meaning in a data message.</summary>
    public ushort Nr { get; private init; }

    /// <summary>Octets of padding between header and payload; 0 when absent.</summary>
    public ushort OffsetSize { get; private init; }

    /// <summary>Where the payload (AVPs or a PPP frame) starts in the datagram.</summary>
    public int PayloadStart { get; private init; }

    /// <summary>The first octet after the payload: Length where present, else the datagram's end.</summary>
    public int PayloadEnd { get; private init; }

    public int PayloadLength => PayloadEnd - PayloadStart;

    public bool IsControl => (Flags & L2tpHeaderFlags.Control) != 0;

    public bool HasLength => (Flags & L2tpHeaderFlags.Length) != 0;

    public bool HasSequence => (Flags & L2tpHeaderFlags.Sequence) != 0;

    public bool HasOffset => (Flags & L2tpHeaderFlags.Offset) != 0;

    public bool IsPriority => (Flags & L2tpHeaderFlags.Priority) != 0;

    /// <summary>A Zero-Length Body message: a bare acknowledgement (section 5.8).</summary>
    public bool IsZeroLengthBody => IsControl && PayloadStart == PayloadEnd;

    /// <summary>Octets that the header takes, offset padding included.</summary>
    public int Size => PayloadStart;

    /// <summary>A header for a control message with a body of <paramref name="bodyLength"/> octets (0 for a ZLB).</summary>
    /// <param name="bodyLength">From 0 to 65535 - <see cref="ControlSize"/>.</param>
    public static L2tpHeader ForControl(ushort tunnelId, ushort sessionId, ushort ns, ushort nr, int bodyLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bodyLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bodyLength, ushort.MaxValue - ControlSize);
        return new()
        {
            Flags = L2tpHeaderFlags.Control | L2tpHeaderFlags.Length | L2tpHeaderFlags.Sequence,
            Version = (byte)VersionL2tp,
            Length = (ushort)(ControlSize + bodyLength),
            TunnelId = tunnelId,
            SessionId = sessionId,
            Ns = ns,
            Nr = nr,
            PayloadStart = ControlSize,
            PayloadEnd = ControlSize + bodyLength,
        };
    }

    /// <summary>A header for a data message with a payload of <paramref name="payloadLength"/> octets.</summary>
    /// <param name="flags">Any of Length, Sequence, Offset, Priority; Control is ignored.</param>
    /// <param name="payloadLength">Such that header and payload are at most 65535 octets.</param>
    /// <param name="ns">Written with <see cref="L2tpHeaderFlags.Sequence"/> only; Nr is reserved and sent as 0 (section 5.4).</param>
    /// <param name="offsetSize">Octets of padding, written with <see cref="L2tpHeaderFlags.Offset"/> only.</param>
    public static L2tpHeader ForData(
        ushort tunnelId, ushort sessionId, int payloadLength, L2tpHeaderFlags flags = L2tpHeaderFlags.None, ushort ns = 0,
        ushort offsetSize = 0)
    {
        flags &= Defined & ~L2tpHeaderFlags.Control;
        ushort offset = (flags & L2tpHeaderFlags.Offset) != 0 ? offsetSize : (ushort)0;
        int start = FixedSize(flags) + offset;
        ArgumentOutOfRangeException.ThrowIfNegative(payloadLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payloadLength, ushort.MaxValue - start);
        return new()
        {
            Flags = flags,
            Version = (byte)VersionL2tp,
            Length = (flags & L2tpHeaderFlags.Length) != 0 ? (ushort)(start + payloadLength) : (ushort)0,
            TunnelId = tunnelId,
            SessionId = sessionId,
            Ns = (flags & L2tpHeaderFlags.Sequence) != 0 ? ns : (ushort)0,
            OffsetSize = offset,
            PayloadStart = start,
            PayloadEnd = start + payloadLength,
        };
    }

    /// <summary>Reads the header of a datagram; octets after Length are tolerated and lie outside the payload.</summary>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out L2tpHeader header) => TryRead(datagram, out header, out _);

    /// <summary>Reads the header of a datagram, saying why not. The header is only meaningful when true is returned.</summary>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out L2tpHeader header, out L2tpHeaderFault fault)
    {
        header = default;
        var reader = new WireReader(datagram);
        if (!reader.TryReadUInt16(out ushort first))
        {
            fault = L2tpHeaderFault.Truncated;
            return false;
        }

        var flags = (L2tpHeaderFlags)first & Defined;
        fault = CheckFirst(first, flags);
        if (fault != L2tpHeaderFault.None)
        {
            return false;
        }

        int fixedSize = FixedSize(flags);
        if (datagram.Length < fixedSize)
        {
            fault = L2tpHeaderFault.Truncated;
            return false;
        }

        ushort length = TakeIf(ref reader, flags, L2tpHeaderFlags.Length);
        _ = reader.TryReadUInt16(out ushort tunnelId);
        _ = reader.TryReadUInt16(out ushort sessionId);
        ushort ns = TakeIf(ref reader, flags, L2tpHeaderFlags.Sequence);
        ushort nr = TakeIf(ref reader, flags, L2tpHeaderFlags.Sequence);
        ushort offset = TakeIf(ref reader, flags, L2tpHeaderFlags.Offset);
        int end = (flags & L2tpHeaderFlags.Length) != 0 ? length : datagram.Length;
        fault = CheckBounds(datagram.Length, end, fixedSize, offset);
        header = new()
        {
            Flags = flags,
            Version = (byte)(first & VersionMask),
            ReservedBits = (ushort)(first & ~(ushort)Defined & ~VersionMask),
            Length = length,
            TunnelId = tunnelId,
            SessionId = sessionId,
            Ns = ns,
            Nr = nr,
            OffsetSize = offset,
            PayloadStart = fixedSize + offset,
            PayloadEnd = end,
        };
        return fault == L2tpHeaderFault.None;
    }

    /// <summary>
    /// Writes the header (reserved bits and padding as zero). False when <paramref name="destination"/> is too small; then nothing
    /// useful was written.
    /// </summary>
    public bool TryWrite(Span<byte> destination, out int written)
    {
        var writer = new WireWriter(destination);
        writer.WriteUInt16((ushort)((ushort)Flags | VersionL2tp));
        if (HasLength)
        {
            writer.WriteUInt16(Length);
        }

        writer.WriteUInt16(TunnelId);
        writer.WriteUInt16(SessionId);
        if (HasSequence)
        {
            writer.WriteUInt16(Ns);
            writer.WriteUInt16(Nr);
        }

        if (HasOffset)
        {
            writer.WriteUInt16(OffsetSize);
            if (writer.TryTake(OffsetSize, out Span<byte> padding))
            {
                padding.Clear();
            }
        }

        written = writer.Overflowed ? 0 : writer.Length;
        return !writer.Overflowed;
    }

    /// <summary>
    /// Fills in what the control channel knows only when it sends: <paramref name="message"/> is a whole control message, such as
    /// <see cref="ControlMessageWriter"/> made it, of at least <see cref="ControlSize"/> octets.
    /// </summary>
    public static void Patch(Span<byte> message, ushort tunnelId, ushort ns, ushort nr)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message[ControlTunnelIdAt..], tunnelId);
        BinaryPrimitives.WriteUInt16BigEndian(message[ControlNsAt..], ns);
        BinaryPrimitives.WriteUInt16BigEndian(message[ControlNrAt..], nr);
    }

    internal static void PatchLength(Span<byte> message, ushort length) =>
        BinaryPrimitives.WriteUInt16BigEndian(message[LengthAt..], length);

    // The version decides what the other bits mean, so it is looked at first.
    private static L2tpHeaderFault CheckFirst(ushort first, L2tpHeaderFlags flags)
    {
        switch (first & VersionMask)
        {
            case VersionL2tp:
                break;
            case 1:
                return L2tpHeaderFault.VersionL2f;
            case 3:
                return L2tpHeaderFault.VersionL2tpV3;
            default:
                return L2tpHeaderFault.UnknownVersion;
        }

        if ((flags & L2tpHeaderFlags.Control) == 0)
        {
            return L2tpHeaderFault.None;
        }

        if ((flags & L2tpHeaderFlags.Length) == 0)
        {
            return L2tpHeaderFault.ControlWithoutLength;
        }

        if ((flags & L2tpHeaderFlags.Sequence) == 0)
        {
            return L2tpHeaderFault.ControlWithoutSequence;
        }

        return (flags & L2tpHeaderFlags.Offset) != 0 ? L2tpHeaderFault.ControlWithOffset : L2tpHeaderFault.None;
    }

    private static L2tpHeaderFault CheckBounds(int datagramLength, int end, int fixedSize, int offset)
    {
        if (end < fixedSize || end > datagramLength)
        {
            return L2tpHeaderFault.BadLength;
        }

        return fixedSize + offset > end ? L2tpHeaderFault.BadOffset : L2tpHeaderFault.None;
    }

    private static int FixedSize(L2tpHeaderFlags flags)
    {
        int size = MinimumSize;
        size += (flags & L2tpHeaderFlags.Length) != 0 ? 2 : 0;
        size += (flags & L2tpHeaderFlags.Sequence) != 0 ? 4 : 0;
        return size + ((flags & L2tpHeaderFlags.Offset) != 0 ? 2 : 0);
    }

    private static ushort TakeIf(ref WireReader reader, L2tpHeaderFlags flags, L2tpHeaderFlags bit) =>
        (flags & bit) != 0 && reader.TryReadUInt16(out ushort value) ? value : (ushort)0;
}
