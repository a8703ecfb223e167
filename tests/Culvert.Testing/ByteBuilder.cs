namespace Culvert.Testing;

/// <summary>Collects big-endian fields. Slow, simple, and nothing to do with production code's writers.</summary>
public sealed class ByteBuilder
{
    private readonly List<byte> _octets = [];

    public int Length => _octets.Count;

    public ByteBuilder U8(int value)
    {
        _octets.Add((byte)value);
        return this;
    }

    public ByteBuilder U16(int value) => U8(value >> 8).U8(value);

    public ByteBuilder U32(long value) => U16((int)(value >> 16)).U16((int)value);

    public ByteBuilder U64(ulong value) => U32((long)(value >> 32)).U32((long)(value & 0xFFFF_FFFF));

    public ByteBuilder Bytes(params byte[] octets)
    {
        _octets.AddRange(octets);
        return this;
    }

    public ByteBuilder Text(string ascii) => Bytes(System.Text.Encoding.ASCII.GetBytes(ascii));

    public ByteBuilder Zeros(int count) => Bytes(new byte[count]);

    /// <summary>Overwrites two octets written before.</summary>
    public ByteBuilder Patch16(int offset, int value)
    {
        _octets[offset] = (byte)(value >> 8);
        _octets[offset + 1] = (byte)value;
        return this;
    }

    public byte[] ToArray() => [.. _octets];
}
