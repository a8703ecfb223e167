using System.Buffers.Binary;
using System.Numerics;

namespace Culvert.Fuzz;

/// <summary>Changes inputs in place, quickly and repeatably.</summary>
internal sealed class InputMutator(ulong seed, int maximumLength, IReadOnlyList<byte[]> words)
{
    private static readonly byte[] Edges = [0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x10, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xC8, 0xFE, 0xFF];
    private static readonly ushort[] WideEdges =
        [0, 1, 2, 4, 6, 8, 0x00FF, 0x0100, 0x03FF, 0x0400, 0x05DC, 0x7FFF, 0x8000, 0x8006, 0x8008, 0xC008, 0xC802, 0xFF03, 0xFFFE, 0xFFFF];

    private readonly byte[] _buffer = new byte[maximumLength];
    private ulong _state = seed == 0 ? 1 : seed * 0x9E3779B97F4A7C15;
    private int _length;

    /// <summary>The mutated input; valid until the next call.</summary>
    public ReadOnlySpan<byte> Input => _buffer.AsSpan(0, _length);

    /// <summary>A number from 0 to <paramref name="limit"/> - 1.</summary>
    public int Below(int limit) => (int)(((Next() >> 32) * (ulong)limit) >> 32);

    /// <summary>Makes a changed copy of one input, sometimes with parts of another.</summary>
    public void Mutate(ReadOnlySpan<byte> input, ReadOnlySpan<byte> other)
    {
        _length = Math.Min(input.Length, _buffer.Length);
        input[.._length].CopyTo(_buffer);
        for (int changes = 1 << Below(4); changes > 0; changes--)
        {
            Change(other);
        }
    }

    private void Change(ReadOnlySpan<byte> other)
    {
        if (_length < 2)
        {
            InsertRandom();
            return;
        }

        int at = Below(_length);
        switch (Below(15))
        {
            case 0 or 1:
                _buffer[at] ^= (byte)(1 << Below(8));
                break;
            case 2 or 3:
                _buffer[at] = (byte)Next();
                break;
            case 4:
                _buffer[at] = Edges[Below(Edges.Length)];
                break;
            case 5:
                WriteWord(Below(_length - 1), WideEdges[Below(WideEdges.Length)]);
                break;
            case 6:
                _buffer[at] += (byte)(Below(33) - 16);
                break;
            case 7:
                // Something like a length: 16 bits that say about how much is left.
                int wordAt = Below(_length - 1);
                WriteWord(wordAt, (ushort)(_length - wordAt + Below(9) - 4));
                break;
            case 8:
                Remove(at, 1 + Below(Math.Min(_length - at, 1 << Below(6))));
                break;
            case 9:
                InsertRandom();
                break;
            case 10:
                // A part once more, elsewhere.
                Insert(Below(_length + 1), Part(_buffer.AsSpan(0, _length)).ToArray());
                break;
            case 11 when words.Count > 0:
                Overwrite(at, words[Below(words.Count)]);
                break;
            case 12 when words.Count > 0:
                Insert(at, words[Below(words.Count)]);
                break;
            case 13 when !other.IsEmpty:
                Insert(at, Part(other));
                break;
            case 14 when !other.IsEmpty:
                // The rest from another.
                ReadOnlySpan<byte> rest = other[Below(other.Length)..];
                _length = at;
                Insert(at, rest);
                break;
            default:
                Overwrite(at, other.IsEmpty ? Part(_buffer.AsSpan(0, _length)).ToArray() : Part(other));
                break;
        }
    }

    private ReadOnlySpan<byte> Part(ReadOnlySpan<byte> of)
    {
        int start = Below(of.Length);
        return of.Slice(start, 1 + Below(Math.Min(of.Length - start, 1 << Below(8))));
    }

    private void InsertRandom()
    {
        Span<byte> octets = stackalloc byte[1 + Below(1 << Below(5))];
        for (int i = 0; i < octets.Length; i++)
        {
            octets[i] = (byte)Next();
        }

        Insert(Below(_length + 1), octets);
    }

    private void Insert(int at, ReadOnlySpan<byte> octets)
    {
        int take = Math.Min(octets.Length, _buffer.Length - _length);
        _buffer.AsSpan(at, _length - at).CopyTo(_buffer.AsSpan(at + take));
        octets[..take].CopyTo(_buffer.AsSpan(at));
        _length += take;
    }

    private void Overwrite(int at, ReadOnlySpan<byte> octets)
    {
        int take = Math.Min(octets.Length, _length - at);
        octets[..take].CopyTo(_buffer.AsSpan(at));
    }

    private void Remove(int at, int count)
    {
        _buffer.AsSpan(at + count, _length - at - count).CopyTo(_buffer.AsSpan(at));
        _length -= count;
    }

    private void WriteWord(int at, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(_buffer.AsSpan(at), value);

    // splitmix64
    private ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return BitOperations.RotateLeft(z ^ (z >> 31), 17);
    }
}
