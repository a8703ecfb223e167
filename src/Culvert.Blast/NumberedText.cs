using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Culvert.Blast;

/// <summary>
/// A text with numbers in it, made anew for each session without allocating: {n} stands for the session's number in the run, {t} for
/// its tunnel's, {s} for its number in the tunnel; {n:5} is padded with zeros to five digits.
/// </summary>
public sealed class NumberedText
{
    /// <summary>Longest result, octets: what the one-octet lengths of PAP and CHAP can say.</summary>
    public const int MaxSize = 255;

    /// <summary>Most digits of a number, padding included.</summary>
    private const int MostDigits = 20;

    private readonly List<Part> _parts = [];
    private readonly string _pattern;

    /// <exception cref="FormatException">A brace that is not one of the placeholders, or a text that may become too long.</exception>
    public NumberedText(string pattern)
    {
        _pattern = pattern;
        int position = 0;
        while (position < pattern.Length)
        {
            int open = pattern.IndexOf('{', position);
            int end = open < 0 ? pattern.Length : open;
            if (end > position)
            {
                _parts.Add(new Part(Encoding.UTF8.GetBytes(pattern[position..end]), default, 0));
            }

            position = open < 0 ? end : AddPlaceholder(pattern, open);
        }

        if (_parts.Sum(p => p.Literal?.Length ?? MostDigits) > MaxSize)
        {
            throw new FormatException($"'{pattern}' is too long: {MaxSize} octets at most");
        }
    }

    /// <summary>True when all sessions get the same text.</summary>
    public bool IsConstant => _parts.TrueForAll(p => p.Literal is not null);

    /// <summary>Writes the text in UTF-8 and returns its length; <paramref name="destination"/> has room for <see cref="MaxSize"/>.</summary>
    public int Write(Span<byte> destination, int number, int tunnel, int inTunnel)
    {
        int length = 0;
        foreach (Part part in _parts)
        {
            if (part.Literal is { } literal)
            {
                literal.CopyTo(destination[length..]);
                length += literal.Length;
                continue;
            }

            int value = part.Placeholder switch { 'n' => number, 't' => tunnel, _ => inTunnel };
            var format = new System.Buffers.StandardFormat('D', part.Digits == 0 ? System.Buffers.StandardFormat.NoPrecision : part.Digits);
            _ = Utf8Formatter.TryFormat(value, destination[length..], out int written, format);
            length += written;
        }

        return length;
    }

    public string ToString(int number, int tunnel, int inTunnel)
    {
        Span<byte> octets = stackalloc byte[MaxSize];
        return Encoding.UTF8.GetString(octets[..Write(octets, number, tunnel, inTunnel)]);
    }

    public override string ToString() => _pattern;

    private int AddPlaceholder(string pattern, int open)
    {
        int close = pattern.IndexOf('}', open);
        ReadOnlySpan<char> inside = close < 0 ? default : pattern.AsSpan(open + 1, close - open - 1);
        byte digits = 0;
        bool isKnown = inside.Length > 0 && inside[0] is 'n' or 't' or 's';
        bool isPlain = inside.Length == 1;
        bool isPadded = inside.Length > 2 && inside[1] == ':' &&
            byte.TryParse(inside[2..], NumberStyles.None, CultureInfo.InvariantCulture, out digits) && digits is > 0 and <= MostDigits;
        if (!isKnown || !(isPlain || isPadded))
        {
            throw new FormatException($"'{pattern}' is not a pattern: {{n}}, {{t}}, {{s}} and, for five digits, {{n:5}} stand for numbers");
        }

        _parts.Add(new Part(null, inside[0], digits));
        return close + 1;
    }

    private readonly record struct Part(byte[]? Literal, char Placeholder, byte Digits);
}
