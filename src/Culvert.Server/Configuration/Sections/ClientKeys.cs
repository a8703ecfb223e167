using Culvert.Core;
using Culvert.Subscribers.Dhcp;

namespace Culvert.Server.Configuration.Sections;

/// <summary>What a profile's clients are told when they ask by DHCPINFORM.</summary>
internal static class ClientKeys
{
    private const int LongestLabel = 63;
    private const int LongestName = 253;

    public static ValueList<string> DnsSuffix(MapReader map)
    {
        var suffixes = new ValueList<string>(map.List("dns-suffix", map.TextOf).Select(s => s.TrimEnd('.')).Where(s => s.Length > 0));
        if (suffixes.FirstOrDefault(s => !IsDomain(s)) is { } suffix)
        {
            return map.Wrong(
                "dns-suffix",
                $"'{suffix}' is not a domain such as corp.example.com (letters, digits and hyphens, 63 between two dots; names of other alphabets in their xn-- form)",
                new ValueList<string>([]));
        }

        int octets = suffixes.Sum(s => ClientParameters.EncodeName(s).Length);
        return octets <= ClientParameters.MostSuffixOctets ? suffixes : map.Wrong(
            "dns-suffix",
            $"these need {octets} octets, and there is room for {ClientParameters.MostSuffixOctets}; write fewer or shorter ones",
            new ValueList<string>([]));
    }

    public static ValueList<IpPrefix> Routes(MapReader map)
    {
        ValueList<IpPrefix> routes = SharedKeys.Prefixes(map, "client-routes");
        if (routes.Any(r => !r.Address.IsIPv4))
        {
            return map.Wrong("client-routes", $"{routes.First(r => !r.Address.IsIPv4)} is not an IPv4 network, and DHCPINFORM knows no others", new ValueList<IpPrefix>([]));
        }

        return routes.Count <= ClientParameters.MostRoutes ? routes : map.Wrong(
            "client-routes",
            $"these are {routes.Count}, and clients can be told {ClientParameters.MostRoutes}; write larger networks",
            new ValueList<IpPrefix>([]));
    }

    private static bool IsDomain(string text) =>
        text.Length <= LongestName && text.Split('.').All(label =>
            label.Length is > 0 and <= LongestLabel && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') && !label.StartsWith('-') && !label.EndsWith('-'));
}
