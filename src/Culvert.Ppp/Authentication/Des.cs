using System.Buffers.Binary;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// DES encryption of single blocks (FIPS 46-3). .NET's own refuses weak keys, and MS-CHAP meets one for about one password hash in
/// 65,536, whose last two octets are zero. Tables are indexed by data, so timing may depend on it: MS-CHAP runs it only on a node's
/// own passwords, once per log-in.
/// </summary>
public static class Des
{
    public const int BlockSize = 8;
    public const int KeySize = 8;

    /// <summary>A key as MS-CHAP has it: 56 bits without parity (RFC 2759 section 8.6).</summary>
    public const int UnexpandedKeySize = 7;

    private const int Rounds = 16;
    private const int HalfKeyBits = 28;
    private const uint HalfKeyMask = (1u << HalfKeyBits) - 1;

    // Each S-box followed by permutation P: 8 boxes of 64 entries.
    private static readonly uint[] SubstituteAndPermute = BuildSubstitution();

    // Bits are counted from 1 at the left, as the standard does.
    private static ReadOnlySpan<byte> InitialPermutation =>
    [
        58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
        57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
    ];

    private static ReadOnlySpan<byte> FinalPermutation =>
    [
        40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
        36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
    ];

    private static ReadOnlySpan<byte> PermutedChoice1 =>
    [
        57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
        63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
    ];

    private static ReadOnlySpan<byte> PermutedChoice2 =>
    [
        14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
        41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
    ];

    private static ReadOnlySpan<byte> KeyShifts => [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

    private static ReadOnlySpan<byte> Permutation =>
    [
        16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
    ];

    // Boxes S1 to S8, four rows of sixteen each.
    private static ReadOnlySpan<byte> SubstitutionBoxes =>
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8,
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5,
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1,
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9,
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6,
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8,
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6,
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2,
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ];

    /// <param name="key">8 octets; the parity bits are ignored, and no key is refused.</param>
    /// <param name="source">8 octets.</param>
    /// <param name="destination">Receives 8 octets.</param>
    public static void Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source, Span<byte> destination)
    {
        ulong chosen = Permute(BinaryPrimitives.ReadUInt64BigEndian(key), 64, PermutedChoice1);
        uint c = (uint)(chosen >> HalfKeyBits);
        uint d = (uint)chosen & HalfKeyMask;
        ulong block = Permute(BinaryPrimitives.ReadUInt64BigEndian(source), 64, InitialPermutation);
        uint left = (uint)(block >> 32);
        uint right = (uint)block;
        for (int round = 0; round < Rounds; round++)
        {
            c = RotateHalfKey(c, KeyShifts[round]);
            d = RotateHalfKey(d, KeyShifts[round]);
            ulong roundKey = Permute(((ulong)c << HalfKeyBits) | d, 2 * HalfKeyBits, PermutedChoice2);
            (left, right) = (right, left ^ Cipher(right, roundKey));
        }

        BinaryPrimitives.WriteUInt64BigEndian(destination, Permute(((ulong)right << 32) | left, 64, FinalPermutation));
    }

    /// <summary>Encrypts under a key of 7 octets, which are spread over 8 with room for parity bits.</summary>
    public static void EncryptWithUnexpandedKey(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source, Span<byte> destination)
    {
        ulong bits = 0;
        foreach (byte octet in key[..UnexpandedKeySize])
        {
            bits = (bits << 8) | octet;
        }

        Span<byte> expanded = stackalloc byte[KeySize];
        for (int i = KeySize - 1; i >= 0; i--, bits >>= 7)
        {
            expanded[i] = (byte)(bits << 1);
        }

        Encrypt(expanded, source, destination);
        expanded.Clear();
    }

    // The cipher function f(R, K). Expansion E gives box n the bits 4n to 4n+5 of R, counted around the end.
    private static uint Cipher(uint right, ulong roundKey)
    {
        ulong around = ((ulong)(right & 1) << 33) | ((ulong)right << 1) | (right >> 31);
        uint output = 0;
        for (int box = 0; box < 8; box++)
        {
            uint index = (uint)((around >> (28 - (4 * box))) ^ (roundKey >> (42 - (6 * box)))) & 63;
            output |= SubstituteAndPermute[(64 * box) + (int)index];
        }

        return output;
    }

    private static uint RotateHalfKey(uint half, int by) => ((half << by) | (half >> (HalfKeyBits - by))) & HalfKeyMask;

    private static ulong Permute(ulong source, int sourceBits, ReadOnlySpan<byte> table)
    {
        ulong result = 0;
        foreach (byte position in table)
        {
            result = (result << 1) | ((source >> (sourceBits - position)) & 1);
        }

        return result;
    }

    private static uint[] BuildSubstitution()
    {
        var table = new uint[8 * 64];
        for (int i = 0; i < table.Length; i++)
        {
            // The outer two bits of the six choose the row, the inner four the column.
            int box = i / 64;
            int row = ((i >> 4) & 2) | (i & 1);
            int column = (i >> 1) & 15;
            uint nibble = SubstitutionBoxes[(64 * box) + (16 * row) + column];
            table[i] = (uint)Permute((ulong)nibble << (28 - (4 * box)), 32, Permutation);
        }

        return table;
    }
}
