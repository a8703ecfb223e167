using System.Buffers;
using System.Globalization;
using System.Text;

namespace Culvert.L2tp.Wire;

/// <summary>
/// Octets from a peer as text that can stand in a log line: printable UTF-8 as it is, everything else (control characters, line
/// separators, direction overrides, octets that are not UTF-8) as \xNN.
/// </summary>
public static class SafeText
{
    public static string ToString(ReadOnlySpan<byte> octets)
    {
        if (octets.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E) < 0)
        {
            return Encoding.ASCII.GetString(octets);
        }

        var text = new StringBuilder(octets.Length);
        Append(text, octets);
        return text.ToString();
    }

    public static void Append(StringBuilder text, ReadOnlySpan<byte> octets)
    {
        while (!octets.IsEmpty)
        {
            bool isValid = Rune.DecodeFromUtf8(octets, out Rune rune, out int consumed) == OperationStatus.Done;
            if (isValid && IsPrintable(rune))
            {
                text.Append(rune);
            }
            else
            {
                AppendEscaped(text, octets[..consumed]);
            }

            octets = octets[consumed..];
        }
    }

    /// <summary>
    /// Appends in double quotes, with quotes and backslashes escaped too and at most <paramref name="limit"/> octets shown, so that
    /// where the text ends cannot be forged.
    /// </summary>
    public static void AppendQuoted(StringBuilder text, ReadOnlySpan<byte> octets, int limit)
    {
        ReadOnlySpan<byte> shown = octets[..Math.Min(limit, octets.Length)];
        text.Append('"');
        while (!shown.IsEmpty)
        {
            int plain = shown.IndexOfAny((byte)'"', (byte)'\\');
            Append(text, plain < 0 ? shown : shown[..plain]);
            shown = plain < 0 ? default : shown[plain..];
            if (!shown.IsEmpty)
            {
                AppendEscaped(text, shown[..1]);
                shown = shown[1..];
            }
        }

        text.Append('"');
        if (octets.Length > limit)
        {
            text.Append($"...(+{octets.Length - limit})");
        }
    }

    private static void AppendEscaped(StringBuilder text, ReadOnlySpan<byte> octets)
    {
        foreach (byte octet in octets)
        {
            text.Append("\\x").Append(octet.ToString("x2"));
        }
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
