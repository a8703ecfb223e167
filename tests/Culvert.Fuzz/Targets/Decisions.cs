using System.Buffers.Binary;

namespace Culvert.Fuzz.Targets;

/// <summary>An input read as a series of decisions: what to do next, and with what. Zeros when it is used up.</summary>
internal ref struct Decisions(ReadOnlySpan<byte> input)
{
    private static readonly ushort[] Edges = [0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255, 256, 1023, 1024, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF];

    private ReadOnlySpan<byte> _rest = input;

    public readonly bool IsOver => _rest.IsEmpty;

    public byte Octet()
    {
        if (_rest.IsEmpty)
        {
            return 0;
        }

        byte octet = _rest[0];
        _rest = _rest[1..];
        return octet;
    }

    /// <summary>Everything that is left, without taking it.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public bool Coin() => (Octet() & 1) != 0;

    /// <summary>A number from 0 to <paramref name="limit"/> - 1, at most 256 different ones.</summary>
    public int Below(int limit) => limit <= 1 ? 0 : Octet() % limit;

    public ushort Word()
    {
        int high = Octet();
        return (ushort)((high << 8) | Octet());
    }

    /// <summary>A value at the edge of what fits.</summary>
    public ushort Edge() => Edges[Below(Edges.Length)];

    /// <summary>Up to so many octets of the input.</summary>
    public ReadOnlySpan<byte> Octets(int most)
    {
        int take = Math.Min(Below(most + 1), _rest.Length);
        ReadOnlySpan<byte> octets = _rest[..take];
        _rest = _rest[take..];
        return octets;
    }

    public ulong Long()
    {
        Span<byte> octets = stackalloc byte[8];
        Octets(8).CopyTo(octets);
        return BinaryPrimitives.ReadUInt64BigEndian(octets);
    }
}
