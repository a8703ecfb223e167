namespace Culvert.Core;

/// <summary>An address prefix in CIDR form; host bits are zero.</summary>
public readonly record struct IpPrefix
{
    /// <param name="address">Any address inside the prefix; its host bits are cleared.</param>
    /// <param name="length">Prefix length: 0 to 32 or 0 to 128.</param>
    public IpPrefix(IpAddress address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, address.Size * 8);
        Length = length;
        Address = Mask(address, length);
    }

    public IpAddress Address { get; }

    public int Length { get; }

    public bool Contains(IpAddress address) => address.Family == Address.Family && Mask(address, Length) == Address;

    /// <summary>Reads "192.0.2.0/24" or a bare address (a prefix of full length); refuses host bits that are set.</summary>
    public static bool TryParse(string? text, out IpPrefix prefix)
    {
        prefix = default;
        if (text is null)
        {
            return false;
        }

        int slash = text.IndexOf('/');
        if (!IpAddress.TryParse(slash < 0 ? text : text[..slash], out IpAddress address))
        {
            return false;
        }

        int length = address.Size * 8;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), out length) || length < 0 || length > address.Size * 8))
        {
            return false;
        }

        prefix = new IpPrefix(address, length);
        return prefix.Address == address;
    }

    public static IpPrefix Parse(string text) =>
        TryParse(text, out IpPrefix prefix) ? prefix : throw new FormatException($"'{text}' is not a prefix such as 192.0.2.0/24.");

    public override string ToString() => $"{Address}/{Length}";

    private static IpAddress Mask(IpAddress address, int length)
    {
        if (address.IsIPv4)
        {
            return IpAddress.FromUInt32(length == 0 ? 0 : address.ToUInt32() & (uint.MaxValue << (32 - length)));
        }

        (ulong high, ulong low) = address.ToUInt128Parts();
        return IpAddress.FromIPv6(
            length switch { 0 => 0, >= 64 => high, _ => high & (ulong.MaxValue << (64 - length)) },
            length switch { <= 64 => 0, 128 => low, _ => low & (ulong.MaxValue << (128 - length)) });
    }
}
