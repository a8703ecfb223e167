using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Culvert.Core;

namespace Culvert.Capture;

/// <summary>Writes pcapng, little-endian, one section with one interface whose clock counts nanoseconds, block by block into a buffer.</summary>
public sealed class PcapNgWriter(IBufferWriter<byte> output)
{
    /// <summary>Octets of comments and names that are written; longer ones are cut.</summary>
    public const int MaximumText = 1024;

    /// <summary>Octets that <see cref="WriteStatistics"/> takes.</summary>
    public const int StatisticsSize = 24 + (4 * 12) + EndOptionLength;

    private const int EnhancedPacketOverhead = 32;
    private const int FlagsOptionLength = 8;
    private const int EndOptionLength = 4;
    private const byte Nanoseconds = 9;

    /// <summary>Octets written so far.</summary>
    public long Written { get; private set; }

    /// <summary>Octets that <see cref="WriteFrame"/> takes for a frame.</summary>
    public static int SizeOfFrame(int length, string? comment) => EnhancedPacketOverhead + Padded(length) + FlagsOptionLength
        + EndOptionLength + (comment is null ? 0 : OptionLength(TextLength(comment)));

    /// <summary>Section header and interface description: once, first.</summary>
    /// <param name="application">The program that writes.</param>
    /// <param name="interfaceName">What was captured on.</param>
    /// <param name="description">What was captured, such as a filter in words.</param>
    public void WriteHeader(LinkType linkType, string application, string interfaceName, string description)
    {
        var block = new Block(output, 28 + OptionLength(TextLength(application)) + EndOptionLength, PcapNgBlock.SectionHeader);
        block.Word32(0x1A2B3C4D);
        block.Word16(1);
        block.Word16(0);
        block.Word64(ulong.MaxValue); // the length of the section is not known yet
        block.TextOption(PcapNgOption.SectionApplication, application);
        block.EndOptions();
        Written += block.Finish();

        int options = OptionLength(TextLength(interfaceName)) + OptionLength(TextLength(description)) + OptionLength(1) + EndOptionLength;
        block = new Block(output, 20 + options, PcapNgBlock.InterfaceDescription);
        block.Word16((ushort)linkType);
        block.Word16(0);
        block.Word32(0); // no snapshot length: frames are whole
        block.TextOption(PcapNgOption.InterfaceName, interfaceName);
        block.TextOption(PcapNgOption.InterfaceDescription, description);
        block.Option(PcapNgOption.InterfaceTimeResolution, [Nanoseconds]);
        block.EndOptions();
        Written += block.Finish();
    }

    /// <summary>One whole frame.</summary>
    /// <param name="at">Since 1970.</param>
    public void WriteFrame(Timestamp at, FrameDirection direction, ReadOnlySpan<byte> frame, string? comment = null)
    {
        var block = new Block(output, SizeOfFrame(frame.Length, comment), PcapNgBlock.EnhancedPacket);
        block.Word32(0);
        block.Time(at);
        block.Word32((uint)frame.Length);
        block.Word32((uint)frame.Length);
        block.Octets(frame);
        if (comment is not null)
        {
            block.TextOption(PcapNgOption.Comment, comment);
        }

        Span<byte> flags = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(flags, (uint)direction);
        block.Option(PcapNgOption.PacketFlags, flags);
        block.EndOptions();
        Written += block.Finish();
    }

    /// <summary>How the capture went: last.</summary>
    /// <param name="received">Frames that fitted the filter.</param>
    /// <param name="dropped">Those of them that are missing from the file, for want of room.</param>
    public void WriteStatistics(Timestamp start, Timestamp end, long received, long dropped)
    {
        var block = new Block(output, StatisticsSize, PcapNgBlock.InterfaceStatistics);
        block.Word32(0);
        block.Time(end);
        block.TimeOption(PcapNgOption.StatisticsStart, start);
        block.TimeOption(PcapNgOption.StatisticsEnd, end);
        block.NumberOption(PcapNgOption.StatisticsReceived, (ulong)received);
        block.NumberOption(PcapNgOption.StatisticsDropped, (ulong)dropped);
        block.EndOptions();
        Written += block.Finish();
    }

    private static int Padded(int length) => (length + 3) & ~3;

    private static int OptionLength(int valueLength) => 4 + Padded(valueLength);

    private static int TextLength(string text) => Math.Min(MaximumText, Encoding.UTF8.GetByteCount(text));

    /// <summary>A block under construction; its length is known from the start.</summary>
    private readonly ref struct Block
    {
        private readonly IBufferWriter<byte> _output;
        private readonly int _length;

        public Block(IBufferWriter<byte> output, int length, uint type)
        {
            _output = output;
            _length = length;
            Word32(type);
            Word32((uint)length);
        }

        public void Word16(ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_output.GetSpan(2), value);
            _output.Advance(2);
        }

        public void Word32(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_output.GetSpan(4), value);
            _output.Advance(4);
        }

        public void Word64(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_output.GetSpan(8), value);
            _output.Advance(8);
        }

        /// <summary>A time is two numbers of 32 bits, the upper half first, in either byte order.</summary>
        public void Time(Timestamp at)
        {
            Word32((uint)(at.Nanoseconds >> 32));
            Word32((uint)at.Nanoseconds);
        }

        /// <summary>Octets, then padding to a multiple of four.</summary>
        public void Octets(ReadOnlySpan<byte> octets)
        {
            int padded = Padded(octets.Length);
            Span<byte> target = _output.GetSpan(padded)[..padded];
            octets.CopyTo(target);
            target[octets.Length..].Clear();
            _output.Advance(padded);
        }

        public void Option(ushort code, ReadOnlySpan<byte> value)
        {
            Word16(code);
            Word16((ushort)value.Length);
            Octets(value);
        }

        public void TextOption(ushort code, string text)
        {
            byte[] octets = Encoding.UTF8.GetBytes(text);
            Option(code, octets.AsSpan(0, Math.Min(MaximumText, octets.Length)));
        }

        public void NumberOption(ushort code, ulong value)
        {
            Word16(code);
            Word16(8);
            Word64(value);
        }

        public void TimeOption(ushort code, Timestamp at)
        {
            Word16(code);
            Word16(8);
            Time(at);
        }

        public void EndOptions() => Word32(PcapNgOption.End);

        /// <summary>Closes the block and says how many octets it has.</summary>
        public int Finish()
        {
            Word32((uint)_length);
            return _length;
        }
    }
}
