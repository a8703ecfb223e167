using System.Security.Cryptography;
using System.Text;

namespace Culvert.Ppp.Authentication;

/// <summary>The functions of RFC 2759 section 8, with the RFC's names. Sizes are the RFC's; a wrong one is a programming error.</summary>
public static class MsChapV2
{
    public const int ChallengeSize = 16;
    public const int PasswordHashSize = Md4.HashSize;
    public const int NtResponseSize = 24;

    /// <summary>Value field of a Response: peer challenge 16, reserved 8, NT-Response 24, flags 1 (section 4).</summary>
    public const int ResponseSize = 49;

    private const int ChallengeHashSize = 8;
    private const int StackLimit = 512;

    private static ReadOnlySpan<byte> ServerToClient => "Magic server to client signing constant"u8;

    private static ReadOnlySpan<byte> MoreIterations => "Pad to make it do more than one iteration"u8;

    /// <summary>What is hashed of a name: the part after the domain ("BIGCO\johndoe" gives "johndoe"; section 4).</summary>
    public static ReadOnlySpan<byte> UserNameOf(ReadOnlySpan<byte> name) => name[(name.LastIndexOf((byte)'\\') + 1)..];

    /// <summary>Section 8.2.</summary>
    public static void ChallengeHash(
        ReadOnlySpan<byte> peerChallenge, ReadOnlySpan<byte> authenticatorChallenge, ReadOnlySpan<byte> userName, Span<byte> challenge)
    {
        Span<byte> input = stackalloc byte[(2 * ChallengeSize) + AuthenticationSettings.MaxNameSize];
        peerChallenge.CopyTo(input);
        authenticatorChallenge.CopyTo(input[ChallengeSize..]);
        userName.CopyTo(input[(2 * ChallengeSize)..]);
        Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(input[..((2 * ChallengeSize) + userName.Length)], digest);
        digest[..ChallengeHashSize].CopyTo(challenge);
    }

    /// <summary>Section 8.3: MD4 over the password in UTF-16LE. Octets that are not UTF-8 count as U+FFFD.</summary>
    public static void NtPasswordHash(ReadOnlySpan<byte> utf8Password, Span<byte> passwordHash)
    {
        // UTF-16 never has more code units than UTF-8 has octets.
        Span<char> text = utf8Password.Length <= StackLimit ? stackalloc char[StackLimit] : new char[utf8Password.Length];
        int count = Encoding.UTF8.GetChars(utf8Password, text);
        Span<byte> unicode = count <= StackLimit ? stackalloc byte[2 * StackLimit] : new byte[2 * count];
        unicode = unicode[..Encoding.Unicode.GetBytes(text[..count], unicode)];
        Md4.Hash(unicode, passwordHash);
        CryptographicOperations.ZeroMemory(unicode);
        text.Clear();
    }

    /// <summary>Section 8.4.</summary>
    public static void HashNtPasswordHash(ReadOnlySpan<byte> passwordHash, Span<byte> passwordHashHash) =>
        Md4.Hash(passwordHash, passwordHashHash);

    /// <summary>Section 8.5: the challenge encrypted three times, under seven octets each of the hash padded with zeros to 21.</summary>
    public static void ChallengeResponse(ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> passwordHash, Span<byte> response)
    {
        Span<byte> padded = stackalloc byte[3 * Des.UnexpandedKeySize];
        padded.Clear();
        passwordHash[..PasswordHashSize].CopyTo(padded);
        for (int i = 0; i < 3; i++)
        {
            ReadOnlySpan<byte> key = padded.Slice(i * Des.UnexpandedKeySize, Des.UnexpandedKeySize);
            Des.EncryptWithUnexpandedKey(key, challenge, response.Slice(i * Des.BlockSize, Des.BlockSize));
        }

        CryptographicOperations.ZeroMemory(padded);
    }

    /// <summary>Section 8.1, from the password hash.</summary>
    public static void GenerateNtResponse(
        ReadOnlySpan<byte> authenticatorChallenge,
        ReadOnlySpan<byte> peerChallenge,
        ReadOnlySpan<byte> userName,
        ReadOnlySpan<byte> passwordHash,
        Span<byte> response)
    {
        Span<byte> challenge = stackalloc byte[ChallengeHashSize];
        ChallengeHash(peerChallenge, authenticatorChallenge, userName, challenge);
        ChallengeResponse(challenge, passwordHash, response);
    }

    /// <summary>Section 8.7, from the password hash; the 20 octets that "S=" spells in hexadecimal.</summary>
    public static void GenerateAuthenticatorResponse(
        ReadOnlySpan<byte> passwordHash,
        ReadOnlySpan<byte> ntResponse,
        ReadOnlySpan<byte> peerChallenge,
        ReadOnlySpan<byte> authenticatorChallenge,
        ReadOnlySpan<byte> userName,
        Span<byte> authenticatorResponse)
    {
        // 16 + 24 + 39 octets first, then 20 + 8 + 41.
        Span<byte> input = stackalloc byte[PasswordHashSize + NtResponseSize + ServerToClient.Length];
        HashNtPasswordHash(passwordHash, input);
        ntResponse[..NtResponseSize].CopyTo(input[PasswordHashSize..]);
        ServerToClient.CopyTo(input[(PasswordHashSize + NtResponseSize)..]);
        Span<byte> digest = stackalloc byte[SHA1.HashSizeInBytes];
        SHA1.HashData(input, digest);

        digest.CopyTo(input);
        ChallengeHash(peerChallenge, authenticatorChallenge, userName, input.Slice(digest.Length, ChallengeHashSize));
        MoreIterations.CopyTo(input[(digest.Length + ChallengeHashSize)..]);
        SHA1.HashData(input[..(digest.Length + ChallengeHashSize + MoreIterations.Length)], authenticatorResponse);
        CryptographicOperations.ZeroMemory(input);
    }
}
