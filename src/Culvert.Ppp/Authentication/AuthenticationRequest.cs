using System.Security.Cryptography;
using System.Text;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// What a peer presented, complete enough for a local check, a RADIUS server or a proxying access concentrator. It never prints
/// what it carries; a PAP password in it is overwritten once the verdict is in.
/// </summary>
public sealed class AuthenticationRequest
{
    private const int PeerChallengeOffset = 0;
    private const int NtResponseOffset = MsChapV2.ChallengeSize + 8;

    private readonly byte[] _name;

    private AuthenticationRequest(
        AuthenticationMethod method, byte identifier, ReadOnlySpan<byte> name, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> response)
    {
        Method = method;
        Identifier = identifier;
        _name = name.ToArray();
        Challenge = challenge.ToArray();
        Response = response.ToArray();
    }

    public AuthenticationMethod Method { get; }

    /// <summary>Identifier of the packet; part of what CHAP-MD5 digests.</summary>
    public byte Identifier { get; internal set; }

    /// <summary>The peer's name as text: whatever is not printable UTF-8 became U+FFFD.</summary>
    public string Name => AuthenticationText.Printable(_name);

    /// <summary>The peer's name as received; 0 to 255 octets.</summary>
    public ReadOnlySpan<byte> NameOctets => _name;

    /// <summary>CHAP: the value that the peer was challenged with; 16 octets in MS-CHAPv2. Empty in PAP.</summary>
    public byte[] Challenge { get; }

    /// <summary>CHAP: the Value field of the Response, 16 octets (MD5) or 49 (MS-CHAPv2). PAP: the password.</summary>
    public byte[] Response { get; }

    /// <summary>PAP: the password, 0 to 255 octets; empty otherwise.</summary>
    public ReadOnlySpan<byte> Password => Method == AuthenticationMethod.Pap ? Response : default;

    /// <summary>MS-CHAPv2: 16 octets chosen by the peer; empty otherwise.</summary>
    public ReadOnlySpan<byte> PeerChallenge => Method == AuthenticationMethod.MsChapV2
        ? Response.AsSpan(PeerChallengeOffset, MsChapV2.ChallengeSize)
        : default;

    /// <summary>MS-CHAPv2: the 24 octets that prove the password; empty otherwise.</summary>
    public ReadOnlySpan<byte> NtResponse => Method == AuthenticationMethod.MsChapV2
        ? Response.AsSpan(NtResponseOffset, MsChapV2.NtResponseSize)
        : default;

    /// <summary>A PAP request; false when name or password is longer than 255 octets.</summary>
    public static bool TryCreatePap(
        byte identifier, ReadOnlySpan<byte> name, ReadOnlySpan<byte> password, out AuthenticationRequest? request)
    {
        bool fits = name.Length <= AuthenticationSettings.MaxNameSize && password.Length <= AuthenticationCredentials.MaxPasswordSize;
        request = fits ? new AuthenticationRequest(AuthenticationMethod.Pap, identifier, name, default, password) : null;
        return fits;
    }

    /// <summary>
    /// A CHAP-MD5 or MS-CHAPv2 request; false when a size is not the method's (response 16 or 49 octets, MS-CHAPv2 challenge 16,
    /// otherwise 1 to 255).
    /// </summary>
    public static bool TryCreateChap(
        AuthenticationMethod method,
        byte identifier,
        ReadOnlySpan<byte> name,
        ReadOnlySpan<byte> challenge,
        ReadOnlySpan<byte> response,
        out AuthenticationRequest? request)
    {
        bool fits = name.Length <= AuthenticationSettings.MaxNameSize && method switch
        {
            AuthenticationMethod.ChapMd5 => response.Length == MD5.HashSizeInBytes && challenge.Length is >= 1 and <= 255,
            AuthenticationMethod.MsChapV2 => response.Length == MsChapV2.ResponseSize && challenge.Length == MsChapV2.ChallengeSize,
            _ => false,
        };
        request = fits ? new AuthenticationRequest(method, identifier, name, challenge, response) : null;
        return fits;
    }

    /// <summary>Judges the request against the password that this node knows, in time that does not depend on where they differ.</summary>
    public AuthenticationVerdict Check(string password)
    {
        byte[] octets = Encoding.UTF8.GetBytes(password);
        try
        {
            return Check(octets);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(octets);
        }
    }

    /// <inheritdoc cref="Check(string)"/>
    /// <param name="password">UTF-8; MS-CHAPv2 hashes it as UTF-16LE (RFC 2759 section 8.3).</param>
    public AuthenticationVerdict Check(ReadOnlySpan<byte> password)
    {
        switch (Method)
        {
            case AuthenticationMethod.Pap:
                return ToVerdict(EqualInFixedTime(Response, password));
            case AuthenticationMethod.ChapMd5:
                Span<byte> digest = stackalloc byte[MD5.HashSizeInBytes];
                ChapMd5.Digest(Identifier, password, Challenge, digest);
                return ToVerdict(CryptographicOperations.FixedTimeEquals(digest, Response));
            default:
                Span<byte> passwordHash = stackalloc byte[MsChapV2.PasswordHashSize];
                MsChapV2.NtPasswordHash(password, passwordHash);
                AuthenticationVerdict verdict = CheckNtPasswordHash(passwordHash);
                CryptographicOperations.ZeroMemory(passwordHash);
                return verdict;
        }
    }

    /// <summary>As <see cref="Check(string)"/>, for a node that keeps NT password hashes (16 octets). Rejects all but MS-CHAPv2.</summary>
    public AuthenticationVerdict CheckNtPasswordHash(ReadOnlySpan<byte> passwordHash)
    {
        if (Method != AuthenticationMethod.MsChapV2 || passwordHash.Length != MsChapV2.PasswordHashSize)
        {
            return ToVerdict(isAccepted: false);
        }

        Span<byte> expected = stackalloc byte[MsChapV2.NtResponseSize];
        ReadOnlySpan<byte> user = MsChapV2.UserNameOf(_name);
        MsChapV2.GenerateNtResponse(Challenge, PeerChallenge, user, passwordHash, expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, NtResponse))
        {
            return ToVerdict(isAccepted: false);
        }

        Span<byte> answer = stackalloc byte[SHA1.HashSizeInBytes];
        MsChapV2.GenerateAuthenticatorResponse(passwordHash, NtResponse, PeerChallenge, Challenge, user, answer);
        return AuthenticationVerdict.Accept(answer, GrantedText);
    }

    public override string ToString() => $"{Method.DisplayName()} request {Identifier} of '{Name}'";

    /// <summary>Overwrites a password; digests are of no use to anyone.</summary>
    internal void Clear()
    {
        if (Method == AuthenticationMethod.Pap)
        {
            CryptographicOperations.ZeroMemory(Response);
        }
    }

    /// <summary>A retransmission of the same PAP request under another identifier?</summary>
    internal bool IsSamePap(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password) =>
        name.SequenceEqual(_name) & EqualInFixedTime(password, Response);

    private const string GrantedText = "Access granted";
    private const string DeniedText = "Access denied";

    private static AuthenticationVerdict ToVerdict(bool isAccepted) =>
        isAccepted ? AuthenticationVerdict.Accept(GrantedText) : AuthenticationVerdict.Reject(DeniedText);

    // FixedTimeEquals gives up early on different lengths; digests have one length.
    private static bool EqualInFixedTime(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Span<byte> digests = stackalloc byte[2 * SHA256.HashSizeInBytes];
        SHA256.HashData(a, digests);
        SHA256.HashData(b, digests[SHA256.HashSizeInBytes..]);
        bool equal = CryptographicOperations.FixedTimeEquals(digests[..SHA256.HashSizeInBytes], digests[SHA256.HashSizeInBytes..]);
        CryptographicOperations.ZeroMemory(digests);
        return equal;
    }
}
