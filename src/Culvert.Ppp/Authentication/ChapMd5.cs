using System.Security.Cryptography;

namespace Culvert.Ppp.Authentication;

/// <summary>The digest of CHAP with MD5 (RFC 1994 section 4.1). L2TP's tunnel authentication uses the same formula.</summary>
public static class ChapMd5
{
    private const int StackLimit = 1024;

    /// <summary>MD5 over identifier, secret and challenge.</summary>
    /// <param name="identifier">Identifier of the Challenge.</param>
    /// <param name="secret">The shared secret.</param>
    /// <param name="challenge">Value of the Challenge.</param>
    /// <param name="digest">Receives 16 octets.</param>
    public static void Digest(byte identifier, ReadOnlySpan<byte> secret, ReadOnlySpan<byte> challenge, Span<byte> digest)
    {
        int length = 1 + secret.Length + challenge.Length;
        Span<byte> input = length <= StackLimit ? stackalloc byte[StackLimit] : new byte[length];
        input = input[..length];
        input[0] = identifier;
        secret.CopyTo(input[1..]);
        challenge.CopyTo(input[(1 + secret.Length)..]);
        MD5.HashData(input, digest);
        CryptographicOperations.ZeroMemory(input);
    }
}
