namespace Culvert.Core;

/// <summary>A piece of a larger buffer, in octets.</summary>
public readonly record struct BufferRange(int Offset, int Length)
{
    public int End => Offset + Length;
}
