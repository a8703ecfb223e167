using System.Buffers.Binary;

namespace Culvert.Capture;

/// <summary>
/// Reads a capture, pcap or pcapng, from any stream, in memory that does not depend on its length. What a file says wrong never
/// throws: reading ends there and <see cref="Problem"/> says in words what and where.
/// </summary>
public abstract class CaptureReader
{
    /// <summary>Octets kept of one frame; the largest snapshot length that the usual capture programs set.</summary>
    public const int MaximumFrame = 262_144;

    private const int MagicLength = 4;
    private const uint PcapNgMagic = 0x0A0D0D0A;

    private protected CaptureReader()
    {
    }

    /// <summary>Why reading ended before the file did; null while all is well.</summary>
    public string? Problem { get; private protected set; }

    /// <summary>Frames read so far.</summary>
    public long FrameCount { get; private protected set; }

    /// <summary>Frames that the capturing program says it lost (pcapng statistics); 0 where it says nothing.</summary>
    public long LostCount { get; private protected set; }

    /// <summary>Recognizes the format. Always gives a reader: of an unknown file it reads nothing, and its problem says why.</summary>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public static CaptureReader Open(Stream stream)
    {
        var source = new CaptureStream(stream);
        if (!source.TryPeek(MagicLength, out ReadOnlySpan<byte> magic))
        {
            return new NothingReader(magic.IsEmpty ? "is empty" : $"is no capture: it has only {magic.Length} octets");
        }

        uint first = BinaryPrimitives.ReadUInt32BigEndian(magic);
        return first switch
        {
            PcapNgMagic => new PcapNgReader(source),
            0xA1B2C3D4 => new PcapReader(source, isBigEndian: true, isNanoseconds: false),
            0xD4C3B2A1 => new PcapReader(source, isBigEndian: false, isNanoseconds: false),
            0xA1B23C4D => new PcapReader(source, isBigEndian: true, isNanoseconds: true),
            0x4D3CB2A1 => new PcapReader(source, isBigEndian: false, isNanoseconds: true),
            _ when first >> 16 is 0x1F8B => new NothingReader("is compressed with gzip; give it to gunzip first: gunzip -c FILE | culvert decode -"),
            _ when first is 0x28B52FFD => new NothingReader("is compressed with zstd; give it to zstd first: zstd -dc FILE | culvert decode -"),
            _ => new NothingReader($"is neither pcap nor pcapng: it begins with {first:x8}"),
        };
    }

    /// <summary>The next frame; false at the end of the file, or at a <see cref="Problem"/>.</summary>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public abstract bool TryRead(out CapturedFrame frame);

    private sealed class NothingReader : CaptureReader
    {
        public NothingReader(string problem) => Problem = problem;

        public override bool TryRead(out CapturedFrame frame)
        {
            frame = default;
            return false;
        }
    }
}
