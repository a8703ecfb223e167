namespace Culvert.Ppp.Wire;

/// <summary>What an option's data looks like; the printer and the length check read it.</summary>
public enum OptionFormat : byte
{
    Octets,
    Flag,
    Number16,
    Number32,
    Hexadecimal32,
    IPv4Address,
    TwoIPv4Addresses,
    AuthenticationProtocol,
    CompressionProtocol,
    InterfaceIdentifier,
    EndpointDiscriminator,
    CompressionBits,
}

/// <summary>One configuration option: its number, the word for it, and the shape of its data.</summary>
/// <param name="Type">The number on the wire.</param>
/// <param name="Name">The RFC's name.</param>
/// <param name="Format">How to read and print the data.</param>
/// <param name="MinLength">Least octets of data (without type and length).</param>
/// <param name="MaxLength">Most octets of data, 253 where the option has no fixed length.</param>
public readonly record struct OptionDescription(byte Type, string Name, OptionFormat Format, byte MinLength, byte MaxLength);

public static class LcpOption
{
    public const byte MaximumReceiveUnit = 1;
    public const byte AsyncControlCharacterMap = 2;
    public const byte AuthenticationProtocol = 3;
    public const byte QualityProtocol = 4;
    public const byte MagicNumber = 5;
    public const byte ProtocolFieldCompression = 7;
    public const byte AddressAndControlFieldCompression = 8;
    public const byte FcsAlternatives = 9;
    public const byte MultilinkMrru = 17;
    public const byte EndpointDiscriminator = 19;
}

public static class IpcpOption
{
    public const byte IpAddresses = 1;
    public const byte IpCompressionProtocol = 2;
    public const byte IpAddress = 3;
    public const byte PrimaryDns = 129;
    public const byte PrimaryNbns = 130;
    public const byte SecondaryDns = 131;
    public const byte SecondaryNbns = 132;
}

/// <summary>
/// The options known by name, one table per protocol. Whether one is acceptable is the protocol's business, not the table's.
/// </summary>
public static class OptionTable
{
    private const byte Any = 253;

    /// <summary>RFC 1661 section 6, RFC 1570, RFC 1990, RFC 2484 and the registry.</summary>
    private static readonly OptionDescription[] Lcp =
    [
        new(LcpOption.MaximumReceiveUnit, "MRU", OptionFormat.Number16, 2, 2),
        new(LcpOption.AsyncControlCharacterMap, "ACCM", OptionFormat.Hexadecimal32, 4, 4),
        new(LcpOption.AuthenticationProtocol, "Auth-Prot", OptionFormat.AuthenticationProtocol, 2, Any),
        new(LcpOption.QualityProtocol, "Quality-Prot", OptionFormat.Octets, 2, Any),
        new(LcpOption.MagicNumber, "Magic-Num", OptionFormat.Hexadecimal32, 4, 4),
        new(LcpOption.ProtocolFieldCompression, "PFC", OptionFormat.Flag, 0, 0),
        new(LcpOption.AddressAndControlFieldCompression, "ACFC", OptionFormat.Flag, 0, 0),
        new(LcpOption.FcsAlternatives, "FCS-Alternatives", OptionFormat.Octets, 1, 1),
        new(10, "Self-Describing-Pad", OptionFormat.Octets, 1, 1),
        new(11, "Numbered-Mode", OptionFormat.Octets, 0, Any),
        new(13, "Callback", OptionFormat.Octets, 1, Any),
        new(LcpOption.MultilinkMrru, "MRRU", OptionFormat.Number16, 2, 2),
        new(18, "Short-Sequence", OptionFormat.Flag, 0, 0),
        new(LcpOption.EndpointDiscriminator, "Endpoint-Disc", OptionFormat.EndpointDiscriminator, 1, Any),
        new(23, "Link-Discriminator", OptionFormat.Number16, 2, 2),
        new(28, "Internationalization", OptionFormat.Octets, 4, Any),
    ];

    /// <summary>RFC 1332 section 3 and RFC 1877 section 1.</summary>
    private static readonly OptionDescription[] Ipcp =
    [
        new(IpcpOption.IpAddresses, "IP-Addresses", OptionFormat.TwoIPv4Addresses, 8, 8),
        new(IpcpOption.IpCompressionProtocol, "IP-Comp", OptionFormat.CompressionProtocol, 2, Any),
        new(IpcpOption.IpAddress, "IP-Addr", OptionFormat.IPv4Address, 4, 4),
        new(4, "Mobile-IPv4", OptionFormat.IPv4Address, 4, 4),
        new(IpcpOption.PrimaryDns, "Pri-DNS", OptionFormat.IPv4Address, 4, 4),
        new(IpcpOption.PrimaryNbns, "Pri-NBNS", OptionFormat.IPv4Address, 4, 4),
        new(IpcpOption.SecondaryDns, "Sec-DNS", OptionFormat.IPv4Address, 4, 4),
        new(IpcpOption.SecondaryNbns, "Sec-NBNS", OptionFormat.IPv4Address, 4, 4),
    ];

    /// <summary>RFC 5072 section 4 (printed only: the protocol itself is not spoken yet).</summary>
    private static readonly OptionDescription[] Ipv6cp =
    [
        new(1, "Interface-ID", OptionFormat.InterfaceIdentifier, 8, 8),
        new(2, "IPv6-Comp", OptionFormat.CompressionProtocol, 2, Any),
    ];

    /// <summary>RFC 1962 section 4 and RFC 2118 (printed only).</summary>
    private static readonly OptionDescription[] CompressionControl =
    [
        new(0, "OUI", OptionFormat.Octets, 4, Any),
        new(18, "MPPC", OptionFormat.CompressionBits, 4, 4),
        new(21, "BSD-Compress", OptionFormat.Octets, 1, 1),
        new(24, "Deflate-Draft", OptionFormat.Octets, 2, 2),
        new(26, "Deflate", OptionFormat.Octets, 2, 2),
    ];

    /// <summary>The options of <paramref name="protocol"/>; empty for a protocol without a table.</summary>
    public static ReadOnlySpan<OptionDescription> For(PppProtocol protocol) => protocol switch
    {
        PppProtocol.Lcp => Lcp,
        PppProtocol.Ipcp => Ipcp,
        PppProtocol.Ipv6cp => Ipv6cp,
        PppProtocol.CompressionControl => CompressionControl,
        _ => [],
    };

    public static bool TryFind(PppProtocol protocol, byte type, out OptionDescription description)
    {
        foreach (OptionDescription candidate in For(protocol))
        {
            if (candidate.Type == type)
            {
                description = candidate;
                return true;
            }
        }

        description = default;
        return false;
    }

    /// <summary>The RFC's name of an option, or "option N".</summary>
    public static string NameOf(PppProtocol protocol, byte type) =>
        TryFind(protocol, type, out OptionDescription description) ? description.Name : $"option {type}";
}
