using System.Buffers.Binary;

namespace Culvert.L2tp;

/// <summary>The maps of an SLI (RFC 2661 section 4.4.6): what an LNS negotiated, for the LAC's asynchronous line.</summary>
/// <param name="Send">Characters that the LAC must escape in what it sends.</param>
/// <param name="Receive">Characters that the LAC must discard in what it receives.</param>
public sealed record Accm(uint Send, uint Receive)
{
    /// <summary>What holds until an SLI comes (section 6.14).</summary>
    public static Accm Default { get; } = new(uint.MaxValue, uint.MaxValue);
}

/// <summary>The counters of a WEN (RFC 2661 section 4.4.6), since the call was established.</summary>
public sealed record CallErrors
{
    internal const int Size = 26;
    private const int ReservedSize = 2;

    public uint Crc { get; init; }

    public uint Framing { get; init; }

    public uint HardwareOverruns { get; init; }

    public uint BufferOverruns { get; init; }

    public uint Timeouts { get; init; }

    public uint Alignment { get; init; }

    internal static CallErrors Read(ReadOnlySpan<byte> value) => new()
    {
        Crc = Counter(value, 0),
        Framing = Counter(value, 1),
        HardwareOverruns = Counter(value, 2),
        BufferOverruns = Counter(value, 3),
        Timeouts = Counter(value, 4),
        Alignment = Counter(value, 5),
    };

    internal void Write(Span<byte> value)
    {
        value[..ReservedSize].Clear();
        ReadOnlySpan<uint> counters = [Crc, Framing, HardwareOverruns, BufferOverruns, Timeouts, Alignment];
        for (int i = 0; i < counters.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(value[(ReservedSize + (sizeof(uint) * i))..], counters[i]);
        }
    }

    private static uint Counter(ReadOnlySpan<byte> value, int index) =>
        BinaryPrimitives.ReadUInt32BigEndian(value[(ReservedSize + (sizeof(uint) * index))..]);
}
