using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Culvert.Ppp.Authentication;

/// <summary>MD4 (RFC 1320), which .NET lacks and NT password hashes are made of.</summary>
public static class Md4
{
    public const int HashSize = 16;

    private const int BlockSize = 64;
    private const int LengthSize = 8;

    // Section 3.4 and 3.5: square roots of 2 and 3.
    private const uint Round2Constant = 0x5A827999;
    private const uint Round3Constant = 0x6ED9EBA1;

    // The order in which rounds 2 and 3 take the block's words.
    private static ReadOnlySpan<byte> Round2Order => [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];

    private static ReadOnlySpan<byte> Round3Order => [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15];

    // Shifts of each round's four steps.
    private static ReadOnlySpan<byte> Shifts => [3, 7, 11, 19, 3, 5, 9, 13, 3, 9, 11, 15];

    /// <param name="source">Any length.</param>
    /// <param name="hash">Receives 16 octets; may overlap <paramref name="source"/>.</param>
    public static void Hash(ReadOnlySpan<byte> source, Span<byte> hash)
    {
        Span<uint> state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476];
        ReadOnlySpan<byte> rest = source;
        for (; rest.Length >= BlockSize; rest = rest[BlockSize..])
        {
            Transform(state, rest);
        }

        // Sections 3.1 and 3.2: a one bit, zeros, and the length in bits, in one block or two.
        Span<byte> tail = stackalloc byte[2 * BlockSize];
        tail.Clear();
        rest.CopyTo(tail);
        tail[rest.Length] = 0x80;
        int tailSize = rest.Length < BlockSize - LengthSize ? BlockSize : 2 * BlockSize;
        BinaryPrimitives.WriteUInt64LittleEndian(tail[(tailSize - LengthSize)..], (ulong)source.Length * 8);
        for (int offset = 0; offset < tailSize; offset += BlockSize)
        {
            Transform(state, tail[offset..]);
        }

        for (int i = 0; i < state.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(hash[(4 * i)..], state[i]);
        }

        CryptographicOperations.ZeroMemory(tail);
    }

    private static void Transform(Span<uint> state, ReadOnlySpan<byte> block)
    {
        (uint a, uint b, uint c, uint d) = (state[0], state[1], state[2], state[3]);
        for (int step = 0; step < 48; step++)
        {
            int round = step / 16;
            (uint mixed, int word) = round switch
            {
                0 => ((b & c) | (~b & d), step),
                1 => (((b & c) | (b & d) | (c & d)) + Round2Constant, Round2Order[step - 16]),
                _ => ((b ^ c ^ d) + Round3Constant, Round3Order[step - 32]),
            };
            uint sum = a + mixed + BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * word)..]);
            (a, d, c, b) = (d, c, b, BitOperations.RotateLeft(sum, Shifts[(4 * round) + (step % 4)]));
        }

        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
    }
}
