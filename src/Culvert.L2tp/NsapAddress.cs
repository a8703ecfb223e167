using System.Globalization;

namespace Culvert.L2tp;

/// <summary>
/// Numbers of calls over ATM (RFC 3301 section 5.3): 20 octets of NSAP address in place of text when the broadband bit of the Bearer Type
/// is set. Here they are texts all the same, of 40 hexadecimal digits.
/// </summary>
internal static class NsapAddress
{
    /// <summary>Octets of an address.</summary>
    public const int Size = 20;

    private const uint Broadband = 4;

    public static bool AppliesTo(uint? bearerType) => (bearerType & Broadband) == Broadband;

    /// <summary>40 digits, or null when these octets are no such address.</summary>
    public static string? Read(ReadOnlySpan<byte> octets) => octets.Length == Size ? Convert.ToHexStringLower(octets) : null;

    /// <summary>False when the text is not 40 hexadecimal digits.</summary>
    public static bool TryWrite(string digits, Span<byte> octets)
    {
        if (digits.Length != 2 * Size)
        {
            return false;
        }

        for (int i = 0; i < Size; i++)
        {
            if (!byte.TryParse(digits.AsSpan(2 * i, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out octets[i]))
            {
                return false;
            }
        }

        return true;
    }
}
