using System.Runtime.CompilerServices;

namespace Culvert.Fuzz;

/// <summary>What must be true. The words for when it is not are only made then.</summary>
public static class Claim
{
    public static void Must(bool isTrue, [InterpolatedStringHandlerArgument(nameof(isTrue))] ref ClaimText otherwise)
    {
        if (!isTrue)
        {
            throw new FuzzFailedException(otherwise.ToString());
        }
    }

    public static void Must(bool isTrue, string otherwise)
    {
        if (!isTrue)
        {
            throw new FuzzFailedException(otherwise);
        }
    }
}

/// <summary>An interpolated string that is put together only when the claim is false.</summary>
[InterpolatedStringHandler]
public ref struct ClaimText
{
    private DefaultInterpolatedStringHandler _text;

    public ClaimText(int literalLength, int formattedCount, bool isTrue, out bool isWanted)
    {
        isWanted = !isTrue;
        _text = isWanted ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string format) => _text.AppendFormatted(value, format);

    public override string ToString() => _text.ToStringAndClear();
}
