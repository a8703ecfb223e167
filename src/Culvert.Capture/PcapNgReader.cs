using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Capture;

/// <summary>
/// pcapng: blocks, each with its length in front and behind; sections may differ in byte order, interfaces in link type and clock.
/// <code>
/// | block type | block length | body, padded to 4 octets ... | block length |
/// </code>
/// </summary>
internal sealed class PcapNgReader(CaptureStream source) : CaptureReader
{
    private const int BlockHeaderLength = 8;
    private const int BlockTrailerLength = 4;

    /// <summary>A packet block holds a frame, fixed fields and options: comments are short.</summary>
    private const uint MaximumBlock = MaximumFrame + (1 << 16);

    /// <summary>More interfaces than any machine that is captured on has in one section; a hostile file must not make us remember without end.</summary>
    private const int MaximumInterfaces = 4096;

    private const uint ByteOrderMagic = 0x1A2B3C4D;

    private readonly List<Interface> _interfaces = [];
    private bool _isBigEndian;

    public override bool TryRead(out CapturedFrame frame)
    {
        frame = default;
        while (Problem is null)
        {
            long offset = source.Offset;
            if (!TryReadBlock(offset, out uint type, out ReadOnlySpan<byte> body))
            {
                return false;
            }

            switch (type)
            {
                case PcapNgBlock.SectionHeader:
                    _interfaces.Clear();
                    break;
                case PcapNgBlock.InterfaceDescription:
                    AddInterface(offset, body);
                    break;
                case PcapNgBlock.InterfaceStatistics when body.Length >= 12:
                    CountLost(body[12..]);
                    break;
                case PcapNgBlock.EnhancedPacket or PcapNgBlock.ObsoletePacket or PcapNgBlock.SimplePacket:
                    if (TryReadPacket(type, offset, body, out frame))
                    {
                        FrameCount++;
                        return true;
                    }

                    break;
                default:
                    break;
            }
        }

        return false;
    }

    /// <summary>A whole block that matters, or an empty one for one that was passed over.</summary>
    private bool TryReadBlock(long offset, out uint type, out ReadOnlySpan<byte> body)
    {
        body = default;
        type = 0;
        if (!source.TryPeek(BlockHeaderLength, out ReadOnlySpan<byte> header))
        {
            Problem = header.IsEmpty ? null : $"ends in the header of the block at offset {offset}";
            return false;
        }

        type = DoubleWord(header);
        if (type == PcapNgBlock.SectionHeader && !TryReadByteOrder(offset))
        {
            return false;
        }

        _ = source.TryTake(BlockHeaderLength, out header);
        uint length = DoubleWord(header[4..]);
        if (length < BlockHeaderLength + BlockTrailerLength || length % 4 != 0)
        {
            Problem = $"is corrupt: the block at offset {offset} says that it has {length} octets";
            return false;
        }

        bool matters = type is PcapNgBlock.InterfaceDescription or PcapNgBlock.InterfaceStatistics or PcapNgBlock.EnhancedPacket
            or PcapNgBlock.ObsoletePacket or PcapNgBlock.SimplePacket;
        return matters ? TryTakeBody(offset, length, out body) : TrySkipBody(offset, length);
    }

    private bool TryReadByteOrder(long offset)
    {
        if (!source.TryPeek(BlockHeaderLength + sizeof(uint), out ReadOnlySpan<byte> start))
        {
            Problem = $"ends in the section header at offset {offset}";
            return false;
        }

        uint magic = BinaryPrimitives.ReadUInt32BigEndian(start[BlockHeaderLength..]);
        _isBigEndian = magic == ByteOrderMagic;
        if (!_isBigEndian && BinaryPrimitives.ReverseEndianness(magic) != ByteOrderMagic)
        {
            Problem = $"is corrupt: the section header at offset {offset} has no byte order ({magic:x8})";
            return false;
        }

        return true;
    }

    private bool TryTakeBody(long offset, uint length, out ReadOnlySpan<byte> body)
    {
        body = default;
        if (length > MaximumBlock)
        {
            Problem = $"is corrupt: the block at offset {offset} says that it has {length} octets, more than {MaximumBlock}";
            return false;
        }

        int rest = (int)length - BlockHeaderLength;
        if (!source.TryTake(rest, out ReadOnlySpan<byte> octets))
        {
            Problem = $"ends in the block at offset {offset}: {BlockHeaderLength + octets.Length} of {length} octets are there";
            return false;
        }

        body = octets[..^BlockTrailerLength];
        uint again = DoubleWord(octets[^BlockTrailerLength..]);
        Problem = again == length ? null : $"is corrupt: the block at offset {offset} says {length} octets in front and {again} behind";
        return Problem is null;
    }

    private bool TrySkipBody(long offset, uint length)
    {
        bool isWhole = source.TrySkip(length - BlockHeaderLength);
        Problem = isWhole ? null : $"ends in the block at offset {offset}, which should have {length} octets";
        return isWhole;
    }

    private void AddInterface(long offset, ReadOnlySpan<byte> body)
    {
        if (body.Length < 8 || _interfaces.Count == MaximumInterfaces)
        {
            Problem = body.Length < 8
                ? $"is corrupt: the interface description at offset {offset} is too short"
                : $"has more than {MaximumInterfaces} interfaces in one section (offset {offset})";
            return;
        }

        byte resolution = 6;
        long secondsToAdd = 0;
        var options = new OptionReader(body[8..], _isBigEndian);
        while (options.MoveNext())
        {
            if (options.Code == PcapNgOption.InterfaceTimeResolution && options.Value.Length >= 1)
            {
                resolution = options.Value[0];
            }
            else if (options.Code == PcapNgOption.InterfaceTimeOffset && options.Value.Length >= 8)
            {
                secondsToAdd = (long)QuadWord(options.Value);
            }
        }

        _interfaces.Add(new Interface((LinkType)Word(body), DoubleWord(body[4..]), resolution, secondsToAdd));
    }

    private bool TryReadPacket(uint type, long offset, ReadOnlySpan<byte> body, out CapturedFrame frame)
    {
        frame = default;
        bool isSimple = type == PcapNgBlock.SimplePacket;
        int fixedLength = isSimple ? 4 : 20;
        if (body.Length < fixedLength)
        {
            Problem = $"is corrupt: the packet block at offset {offset} is too short";
            return false;
        }

        uint number = isSimple ? 0 : type == PcapNgBlock.EnhancedPacket ? DoubleWord(body) : Word(body);
        if (number >= _interfaces.Count)
        {
            Problem = $"is corrupt: the packet block at offset {offset} names interface {number}, which was not described";
            return false;
        }

        Interface at = _interfaces[(int)number];
        uint original = DoubleWord(body[(fixedLength - 4)..]);
        uint kept = isSimple ? KeptOfSimple(original, at, body.Length - fixedLength) : DoubleWord(body[12..]);
        if (kept > body.Length - fixedLength)
        {
            Problem = $"is corrupt: the packet block at offset {offset} says that it keeps {kept} octets and has room for {body.Length - fixedLength}";
            return false;
        }

        ReadOnlySpan<byte> rest = body[fixedLength..];
        ulong ticks = isSimple ? 0 : ((ulong)DoubleWord(body[4..]) << 32) | DoubleWord(body[8..]);
        ReadPacketOptions(rest[Math.Min(rest.Length, ((int)kept + 3) & ~3)..], out FrameDirection direction, out ReadOnlySpan<byte> comment);
        frame = new CapturedFrame
        {
            At = isSimple ? Timestamp.Zero : at.ToTime(ticks),
            LinkType = at.LinkType,
            Direction = direction,
            Octets = rest[..(int)kept],
            OriginalLength = original,
            Comment = comment,
        };
        return true;
    }

    private void ReadPacketOptions(ReadOnlySpan<byte> area, out FrameDirection direction, out ReadOnlySpan<byte> comment)
    {
        direction = FrameDirection.Unknown;
        comment = default;
        var options = new OptionReader(area, _isBigEndian);
        while (options.MoveNext())
        {
            if (options.Code == PcapNgOption.PacketFlags && options.Value.Length >= 4)
            {
                direction = (FrameDirection)(DoubleWord(options.Value) & 3);
                direction = direction > FrameDirection.Sent ? FrameDirection.Unknown : direction;
            }
            else if (options.Code == PcapNgOption.Comment && comment.IsEmpty)
            {
                comment = options.Value;
            }
        }
    }

    private static uint KeptOfSimple(uint original, in Interface at, int room)
    {
        uint kept = at.SnapshotLength == 0 ? original : Math.Min(original, at.SnapshotLength);
        return Math.Min(kept, (uint)room);
    }

    private void CountLost(ReadOnlySpan<byte> area)
    {
        var options = new OptionReader(area, _isBigEndian);
        while (options.MoveNext())
        {
            if (options.Code == PcapNgOption.StatisticsDropped && options.Value.Length >= 8)
            {
                LostCount += (long)Math.Min(QuadWord(options.Value), long.MaxValue / 2);
                LostCount = LostCount < 0 ? long.MaxValue : LostCount;
            }
        }
    }

    private ushort Word(ReadOnlySpan<byte> at) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at);

    private uint DoubleWord(ReadOnlySpan<byte> at) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(at) : BinaryPrimitives.ReadUInt32LittleEndian(at);

    private ulong QuadWord(ReadOnlySpan<byte> at) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(at) : BinaryPrimitives.ReadUInt64LittleEndian(at);

    /// <param name="Resolution">A tick is 10 to the power of minus this; of 2 where the highest bit is set.</param>
    private readonly record struct Interface(LinkType LinkType, uint SnapshotLength, byte Resolution, long SecondsToAdd)
    {
        private const long NanosecondsPerSecond = 1_000_000_000;

        /// <summary>Saturates: what a corrupt file says lies somewhere in the far past or future, and that is all there is to say.</summary>
        public Timestamp ToTime(ulong ticks)
        {
            int exponent = Resolution & 0x7F;
            Int128 nanoseconds;
            if ((Resolution & 0x80) != 0)
            {
                nanoseconds = exponent < 64 ? ((Int128)ticks * NanosecondsPerSecond) >> exponent : 0;
            }
            else if (exponent <= 9)
            {
                nanoseconds = (Int128)ticks * PowerOfTen(9 - exponent);
            }
            else
            {
                nanoseconds = exponent <= 28 ? ticks / PowerOfTen(exponent - 9) : 0;
            }

            nanoseconds += (Int128)SecondsToAdd * NanosecondsPerSecond;
            return new Timestamp((long)Int128.Clamp(nanoseconds, 0, long.MaxValue));
        }

        private static Int128 PowerOfTen(int exponent)
        {
            Int128 power = 1;
            for (int i = 0; i < exponent; i++)
            {
                power *= 10;
            }

            return power;
        }
    }

    /// <summary>Walks over options; a malformed one ends the walk, as they only add to what is known.</summary>
    private ref struct OptionReader(ReadOnlySpan<byte> area, bool isBigEndian)
    {
        private ReadOnlySpan<byte> _rest = area;

        public ushort Code { get; private set; }

        public ReadOnlySpan<byte> Value { get; private set; }

        public bool MoveNext()
        {
            if (_rest.Length < 4)
            {
                return false;
            }

            Code = isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(_rest) : BinaryPrimitives.ReadUInt16LittleEndian(_rest);
            int length = isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]) : BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]);
            if (Code == PcapNgOption.End || length > _rest.Length - 4)
            {
                return false;
            }

            Value = _rest.Slice(4, length);
            _rest = _rest[Math.Min(_rest.Length, 4 + ((length + 3) & ~3))..];
            return true;
        }
    }
}
