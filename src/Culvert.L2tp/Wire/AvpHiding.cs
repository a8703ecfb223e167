using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Culvert.L2tp.Wire;

/// <summary>Why a hidden AVP could not be read.</summary>
public enum AvpHidingFault : byte
{
    None = 0,

    /// <summary>No secret is configured for the peer.</summary>
    NoSecret,

    /// <summary>No Random Vector AVP precedes the hidden one.</summary>
    NoRandomVector,

    /// <summary>The hidden value cannot even hold the length of the original.</summary>
    TooShort,

    /// <summary>The length of the original is larger than what was hidden: most often another secret.</summary>
    BadLength,
}

/// <summary>Hiding of AVP attribute values (RFC 2661 section 4.3).</summary>
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |   Length of Original Value    |   Original Attribute Value ...
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//    ...                          |             Padding ...
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
public static class AvpHiding
{
    /// <summary>Octets of "Length of Original Value".</summary>
    public const int LengthSize = 2;

    private const int BlockSize = MD5.HashSizeInBytes;
    private const int TypicalHashInput = 512;

    /// <summary>Hides a Hidden AVP Subformat in place.</summary>
    /// <param name="subformat">Length of the original value, the value, padding.</param>
    /// <param name="type">The attribute number, the first octets of the first hash.</param>
    public static void Hide(Span<byte> subformat, ushort type, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> randomVector)
    {
        Span<byte> pad = stackalloc byte[BlockSize];
        FirstPad(pad, type, secret, randomVector);
        for (int at = 0; at < subformat.Length; at += BlockSize)
        {
            Span<byte> block = subformat[at..Math.Min(at + BlockSize, subformat.Length)];
            Mix(block, block, pad);
            NextPad(pad, secret, block);
        }

        CryptographicOperations.ZeroMemory(pad);
    }

    /// <summary>Recovers the original value of a hidden AVP.</summary>
    /// <param name="hidden">The attribute value as received.</param>
    /// <param name="destination">Room for at least as many octets as <paramref name="hidden"/> has; must not overlap it.</param>
    /// <param name="value">The original value, inside <paramref name="destination"/>.</param>
    public static AvpHidingFault Unhide(
        ReadOnlySpan<byte> hidden, ushort type, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> randomVector,
        Span<byte> destination, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (secret.IsEmpty)
        {
            return AvpHidingFault.NoSecret;
        }

        if (randomVector.IsEmpty)
        {
            return AvpHidingFault.NoRandomVector;
        }

        if (hidden.Length < LengthSize)
        {
            return AvpHidingFault.TooShort;
        }

        Span<byte> subformat = destination[..hidden.Length];
        Reverse(hidden, subformat, type, secret, randomVector);
        int length = BinaryPrimitives.ReadUInt16BigEndian(subformat);
        if (length > subformat.Length - LengthSize)
        {
            return AvpHidingFault.BadLength;
        }

        value = subformat.Slice(LengthSize, length);
        return AvpHidingFault.None;
    }

    private static void Reverse(
        ReadOnlySpan<byte> hidden, Span<byte> subformat, ushort type, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> randomVector)
    {
        Span<byte> pad = stackalloc byte[BlockSize];
        FirstPad(pad, type, secret, randomVector);
        for (int at = 0; at < hidden.Length; at += BlockSize)
        {
            int end = Math.Min(at + BlockSize, hidden.Length);
            Mix(hidden[at..end], subformat[at..end], pad);
            NextPad(pad, secret, hidden[at..end]);
        }

        CryptographicOperations.ZeroMemory(pad);
    }

    // b1 = MD5(AV + S + RV)
    private static void FirstPad(Span<byte> pad, ushort type, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> randomVector)
    {
        Span<byte> number = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(number, type);
        HashOf(pad, number, secret, randomVector);
    }

    // bi = MD5(S + c(i-1)); the last block is short and nothing follows it
    private static void NextPad(Span<byte> pad, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> hiddenBlock)
    {
        if (hiddenBlock.Length == BlockSize)
        {
            HashOf(pad, secret, hiddenBlock, default);
        }
    }

    private static void Mix(ReadOnlySpan<byte> source, Span<byte> target, ReadOnlySpan<byte> pad)
    {
        for (int i = 0; i < source.Length; i++)
        {
            target[i] = (byte)(source[i] ^ pad[i]);
        }
    }

    internal static void HashOf(Span<byte> digest, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
    {
        int length = a.Length + b.Length + c.Length;
        Span<byte> input = length <= TypicalHashInput ? stackalloc byte[TypicalHashInput] : new byte[length];
        a.CopyTo(input);
        b.CopyTo(input[a.Length..]);
        c.CopyTo(input[(a.Length + b.Length)..]);
        MD5.HashData(input[..length], digest);
        CryptographicOperations.ZeroMemory(input[..length]);
    }
}
