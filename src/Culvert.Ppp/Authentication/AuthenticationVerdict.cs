using System.Security.Cryptography;

namespace Culvert.Ppp.Authentication;

/// <summary>The answer to an <see cref="AuthenticationRequest"/>, from a local check or from a server.</summary>
public sealed class AuthenticationVerdict
{
    /// <summary>ERROR_AUTHENTICATION_FAILURE (RFC 2759 section 6).</summary>
    public const int AuthenticationFailure = 691;

    private AuthenticationVerdict(bool isAccepted, string message, int errorCode, byte[]? authenticatorResponse)
    {
        IsAccepted = isAccepted;
        Message = message;
        ErrorCode = errorCode;
        AuthenticatorResponse = authenticatorResponse;
    }

    public bool IsAccepted { get; }

    /// <summary>Text for the person at the other end; cut to 255 octets in the packet.</summary>
    public string Message { get; }

    /// <summary>MS-CHAPv2's E= of a refusal (RFC 2759 section 6); 0 when accepted.</summary>
    public int ErrorCode { get; }

    /// <summary>MS-CHAPv2: the 20 octets of S=, without which a Success cannot be sent; null in other methods.</summary>
    public byte[]? AuthenticatorResponse { get; }

    /// <summary>PAP or CHAP-MD5 accepted.</summary>
    public static AuthenticationVerdict Accept(string message = "") => new(isAccepted: true, message, 0, null);

    /// <summary>MS-CHAPv2 accepted.</summary>
    /// <param name="authenticatorResponse">20 octets from GenerateAuthenticatorResponse (RFC 2759 section 8.7).</param>
    /// <param name="message">Text for the person at the other end.</param>
    /// <exception cref="ArgumentException">Not 20 octets.</exception>
    public static AuthenticationVerdict Accept(ReadOnlySpan<byte> authenticatorResponse, string message = "") =>
        authenticatorResponse.Length == SHA1.HashSizeInBytes
            ? new(isAccepted: true, message, 0, authenticatorResponse.ToArray())
            : throw new ArgumentException("An authenticator response has 20 octets.", nameof(authenticatorResponse));

    public static AuthenticationVerdict Reject(string message = "", int errorCode = AuthenticationFailure) =>
        new(isAccepted: false, message, errorCode, null);

    /// <summary>Reads "S=&lt;40 hex&gt; M=&lt;text&gt;" as a server gives it (RFC 2759 section 5).</summary>
    public static bool TryParseMsChapV2Success(ReadOnlySpan<byte> text, out AuthenticationVerdict? verdict)
    {
        Span<byte> response = stackalloc byte[SHA1.HashSizeInBytes];
        verdict = MsChapV2Message.TryReadSuccess(text, response, out string message) ? Accept(response, message) : null;
        return verdict is not null;
    }

    /// <summary>
    /// Reads "E=691 R=0 C=... V=3 M=&lt;text&gt;" as a server gives it (RFC 2759 section 6). A missing code is 691.
    /// </summary>
    public static AuthenticationVerdict ParseMsChapV2Failure(ReadOnlySpan<byte> text)
    {
        (int errorCode, _, string message) = MsChapV2Message.ReadFailure(text);
        return Reject(message, errorCode);
    }

    public override string ToString() => IsAccepted ? $"accept '{Message}'" : $"reject {ErrorCode} '{Message}'";
}
