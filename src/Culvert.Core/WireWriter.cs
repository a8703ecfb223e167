using System.Buffers.Binary;

namespace Culvert.Core;

/// <summary>
/// Writes big-endian fields into a span. When room runs out nothing more is written and <see cref="Overflowed"/> stays true,
/// so a caller writes a whole structure and checks once at the end.
/// </summary>
public ref struct WireWriter(Span<byte> destination)
{
    private readonly Span<byte> _buffer = destination;
    private int _length;

    /// <summary>Octets written so far.</summary>
    public readonly int Length => _length;

    /// <summary>True once a write did not fit.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>What has been written.</summary>
    public readonly Span<byte> Written => _buffer[.._length];

    public void WriteByte(byte value)
    {
        if (TryTake(1, out Span<byte> target))
        {
            target[0] = value;
        }
    }

    public void WriteUInt16(ushort value)
    {
        if (TryTake(2, out Span<byte> target))
        {
            BinaryPrimitives.WriteUInt16BigEndian(target, value);
        }
    }

    public void WriteUInt32(uint value)
    {
        if (TryTake(4, out Span<byte> target))
        {
            BinaryPrimitives.WriteUInt32BigEndian(target, value);
        }
    }

    public void WriteUInt64(ulong value)
    {
        if (TryTake(8, out Span<byte> target))
        {
            BinaryPrimitives.WriteUInt64BigEndian(target, value);
        }
    }

    public void WriteBytes(scoped ReadOnlySpan<byte> value)
    {
        if (TryTake(value.Length, out Span<byte> target))
        {
            value.CopyTo(target);
        }
    }

    /// <summary>Overwrites two octets written before, for lengths that are known only at the end.</summary>
    public readonly void PatchUInt16(int offset, ushort value)
    {
        if (!Overflowed)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_buffer[..(_length)][offset..], value);
        }
    }

    /// <summary>Takes the next <paramref name="length"/> octets for the caller to fill.</summary>
    public bool TryTake(int length, out Span<byte> target)
    {
        if (Overflowed || length > _buffer.Length - _length)
        {
            Overflowed = true;
            target = default;
            return false;
        }

        target = _buffer.Slice(_length, length);
        _length += length;
        return true;
    }
}
