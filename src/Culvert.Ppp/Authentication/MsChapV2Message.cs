using System.Buffers.Text;
using System.Security.Cryptography;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// The texts in MS-CHAPv2's Success and Failure, which unlike other CHAP messages do affect the protocol (RFC 2759 sections 5 and 6).
/// </summary>
internal static class MsChapV2Message
{
    private const int HexSize = 2 * SHA1.HashSizeInBytes;

    /// <summary>"S=&lt;40 hex&gt;", and " M=&lt;text&gt;" when there is a text.</summary>
    public static byte[] Success(ReadOnlySpan<byte> authenticatorResponse, string text) => AuthenticationText.ToMessage(
        text.Length == 0 ? $"S={Convert.ToHexString(authenticatorResponse)}" : $"S={Convert.ToHexString(authenticatorResponse)} M={text}");

    /// <summary>No retry is offered: an automatic client would only repeat itself. The challenge must be present all the same.</summary>
    public static byte[] Failure(int errorCode, ReadOnlySpan<byte> nextChallenge, string text) =>
        AuthenticationText.ToMessage($"E={errorCode} R=0 C={Convert.ToHexString(nextChallenge)} V=3 M={text}");

    /// <param name="message">The packet's message.</param>
    /// <param name="authenticatorResponse">Receives 20 octets.</param>
    /// <param name="text">What follows "M=", printable; perhaps empty.</param>
    public static bool TryReadSuccess(ReadOnlySpan<byte> message, Span<byte> authenticatorResponse, out string text)
    {
        text = string.Empty;
        if (!message.StartsWith("S="u8) || message.Length < 2 + HexSize)
        {
            return false;
        }

        ReadOnlySpan<byte> hex = message.Slice(2, HexSize);
        for (int i = 0; i < SHA1.HashSizeInBytes; i++)
        {
            if (!char.IsAsciiHexDigit((char)hex[2 * i])
                || !Utf8Parser.TryParse(hex.Slice(2 * i, 2), out authenticatorResponse[i], out int consumed, 'x')
                || consumed != 2)
            {
                return false;
            }
        }

        text = TextOf(message[(2 + HexSize)..]);
        return true;
    }

    /// <summary>E=, R= and M= of a Failure; unknown codes and missing fields are dealt with gracefully (RFC 2759 section 6).</summary>
    public static (int ErrorCode, bool MayRetry, string Text) ReadFailure(ReadOnlySpan<byte> message)
    {
        // E= stands first, and M= last and may contain anything: fields are looked for before it.
        int end = message.IndexOf("M="u8);
        ReadOnlySpan<byte> fields = end < 0 ? message : message[..end];
        int error = fields.IndexOf("E="u8);
        if (error < 0 || !Utf8Parser.TryParse(fields[(error + 2)..], out int errorCode, out _))
        {
            errorCode = AuthenticationVerdict.AuthenticationFailure;
        }

        return (errorCode, fields.IndexOf("R=1"u8) >= 0, TextOf(message));
    }

    /// <summary>RFC 2759 section 6's error codes in words.</summary>
    public static string Explain(int errorCode) => errorCode switch
    {
        646 => "restricted logon hours",
        647 => "account disabled",
        648 => "password expired",
        649 => "no dial-in permission",
        691 => "authentication failure",
        709 => "error changing password",
        _ => "refused",
    };

    private static string TextOf(ReadOnlySpan<byte> rest)
    {
        int start = rest.IndexOf("M="u8);
        if (start < 0)
        {
            return string.Empty;
        }

        ReadOnlySpan<byte> text = rest[(start + 2)..];
        return AuthenticationText.Printable(text[..Math.Min(text.Length, AuthenticationText.MaxMessageSize)]);
    }
}
