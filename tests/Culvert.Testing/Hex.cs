using System.Text;

namespace Culvert.Testing;

/// <summary>Octets as text and back, for packets typed in from an RFC or a capture.</summary>
public static class Hex
{
    /// <summary>Reads hexadecimal digits. White space, ':', '-', '|' and a comment from '#' or "//" to the end of the line are skipped.</summary>
    /// <exception cref="FormatException">Anything else, or an odd number of digits.</exception>
    public static byte[] Parse(string text)
    {
        var digits = new StringBuilder(text.Length);
        foreach (string line in text.Split('\n'))
        {
            int end = line.IndexOf('#');
            int slashes = line.IndexOf("//", StringComparison.Ordinal);
            if (slashes >= 0 && (end < 0 || slashes < end))
            {
                end = slashes;
            }

            foreach (char c in end < 0 ? line : line[..end])
            {
                if (!char.IsWhiteSpace(c) && c is not (':' or '-' or '|'))
                {
                    digits.Append(c);
                }
            }
        }

        return Convert.FromHexString(digits.ToString());
    }

    /// <summary>"c8 02 00 14 ...", 16 octets a line.</summary>
    public static string Dump(ReadOnlySpan<byte> octets)
    {
        var text = new StringBuilder(octets.Length * 3);
        for (int i = 0; i < octets.Length; i++)
        {
            text.Append(i == 0 ? string.Empty : i % 16 == 0 ? "\n" : " ").Append(octets[i].ToString("x2"));
        }

        return text.ToString();
    }
}
