using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Capture;

/// <summary>
/// The classic format: a header of 24 octets, then records in the byte order of the machine that wrote them.
/// <code>
/// | magic | major, minor | zone | accuracy | snapshot length | link type |
/// | seconds | micro- or nanoseconds | octets kept | octets on the wire | frame ...
/// </code>
/// </summary>
internal sealed class PcapReader : CaptureReader
{
    private const int FileHeaderLength = 24;
    private const int LinkTypeAt = 20;
    private const int RecordHeaderLength = 16;

    // The upper bits say how long a frame check sequence is.
    private const uint LinkTypeMask = 0x0FFF_FFFF;
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly CaptureStream _source;
    private readonly bool _isBigEndian;
    private readonly bool _isNanoseconds;
    private readonly LinkType _linkType;

    public PcapReader(CaptureStream source, bool isBigEndian, bool isNanoseconds)
    {
        _source = source;
        _isBigEndian = isBigEndian;
        _isNanoseconds = isNanoseconds;
        if (source.TryTake(FileHeaderLength, out ReadOnlySpan<byte> header))
        {
            _linkType = (LinkType)(Word(header, LinkTypeAt) & LinkTypeMask);
        }
        else
        {
            Problem = $"ends at offset {header.Length}, within the file header of {FileHeaderLength} octets";
        }
    }

    public override bool TryRead(out CapturedFrame frame)
    {
        frame = default;
        if (Problem is not null)
        {
            return false;
        }

        long offset = _source.Offset;
        if (!_source.TryTake(RecordHeaderLength, out ReadOnlySpan<byte> header))
        {
            Problem = header.IsEmpty ? null : $"ends in the header of the record at offset {offset}";
            return false;
        }

        long fraction = Word(header, 4);
        uint length = Word(header, 8);
        uint original = Word(header, 12);
        var at = new Timestamp((Word(header, 0) * NanosecondsPerSecond) + (_isNanoseconds ? fraction : fraction * 1000));
        if (length > MaximumFrame)
        {
            Problem = $"is corrupt: the record at offset {offset} says that it has {length} octets, more than {MaximumFrame}";
            return false;
        }

        if (!_source.TryTake((int)length, out ReadOnlySpan<byte> octets))
        {
            Problem = $"ends in the record at offset {offset}: {octets.Length} of {length} octets are there";
            return false;
        }

        FrameCount++;
        frame = new CapturedFrame { At = at, LinkType = _linkType, Octets = octets, OriginalLength = original };
        return true;
    }

    private uint Word(ReadOnlySpan<byte> header, int at) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(header[at..]) : BinaryPrimitives.ReadUInt32LittleEndian(header[at..]);
}
