using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Culvert.Ppp.Authentication;

/// <summary>Between octets on the wire and text for people.</summary>
internal static class AuthenticationText
{
    /// <summary>Longest message in a verdict: what PAP's one-octet Msg-Length can say (RFC 1334 section 2.2.2).</summary>
    public const int MaxMessageSize = 255;

    private const char Replacement = '\uFFFD';

    /// <summary>
    /// Decodes UTF-8; whatever is not text, or would move a terminal's cursor or hide in a log line, becomes U+FFFD. Such a string
    /// never equals a configured name, so no other user's entry is found by it.
    /// </summary>
    public static string Printable(ReadOnlySpan<byte> octets)
    {
        string text = Encoding.UTF8.GetString(octets);
        return text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0
            ? text
            : string.Create(text.Length, text, static (target, source) =>
            {
                for (int i = 0; i < source.Length; i++)
                {
                    target[i] = IsPrintable(source[i]) ? source[i] : Replacement;
                }
            });
    }

    /// <summary>UTF-8 of <paramref name="text"/>, cut between characters to fit into a message.</summary>
    public static byte[] ToMessage(string text)
    {
        Span<byte> octets = stackalloc byte[MaxMessageSize];
        _ = Utf8.FromUtf16(text, octets, out _, out int written);
        return octets[..written].ToArray();
    }

    private static bool IsPrintable(char c) => CharUnicodeInfo.GetUnicodeCategory(c) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
