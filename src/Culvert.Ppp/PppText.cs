using System.Text;

namespace Culvert.Ppp;

/// <summary>Text of a peer made safe to show, and text of this end made octets.</summary>
internal static class PppText
{
    /// <summary>Longest text of a peer that is kept: enough for every message seen, too short to fill a log.</summary>
    public const int MaxLength = 128;

    /// <summary>Printable ASCII stays, anything else becomes \xNN; cut after <see cref="MaxLength"/> octets.</summary>
    public static string Escape(ReadOnlySpan<byte> octets)
    {
        var text = new StringBuilder();
        AppendEscaped(text, octets, MaxLength);
        return text.ToString();
    }

    public static void AppendEscaped(StringBuilder target, ReadOnlySpan<byte> octets, int limit = MaxLength)
    {
        int shown = Math.Min(octets.Length, limit);
        foreach (byte octet in octets[..shown])
        {
            if (octet is >= 0x20 and < 0x7F && octet != (byte)'\\')
            {
                _ = target.Append((char)octet);
            }
            else
            {
                _ = target.Append($"\\x{octet:x2}");
            }
        }

        if (shown < octets.Length)
        {
            _ = target.Append("...");
        }
    }

    /// <summary>Writes as much of <paramref name="text"/> as fits, in UTF-8; returns the octets written.</summary>
    public static int Write(string text, Span<byte> target)
    {
        _ = System.Text.Unicode.Utf8.FromUtf16(text, target, out _, out int written);
        return written;
    }
}
