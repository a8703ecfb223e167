using Culvert.Core;
using Culvert.Subscribers.Policy;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>peers</c>: who may open tunnels, and how these are run.</summary>
internal static class PeersSection
{
    public static PeerRule Read(MapReader map, IReadOnlyList<Profile> profiles)
    {
        (string name, string? hostName, IpPrefix? address) = ReadMatch(map);
        string? profile = map.Text("profile");
        SharedKeys.CheckProfile(map, profile, profiles);
        PeerRule rule = TunnelKeys.Read(map, new PeerRule { Name = name });
        return rule with
        {
            HostName = hostName,
            Address = address,
            MaxSessions = map.Number("max-sessions", rule.MaxSessions, 1, 65_535),
            IncomingCalls = map.Flag("incoming-calls", rule.IncomingCalls),
            Profile = profile,
            ProxyAuthentication = ReadProxyPolicy(map),
        };
    }

    private static ProxyPolicy ReadProxyPolicy(MapReader map)
    {
        const string Key = "proxy-authentication";
        return map.Text(Key) switch
        {
            null or "accept" => ProxyPolicy.Accept,
            "renegotiate" => ProxyPolicy.Renegotiate,
            { } other => map.Wrong(Key, $"'{other}' is neither accept nor renegotiate", ProxyPolicy.Accept),
        };
    }

    private static (string Name, string? HostName, IpPrefix? Address) ReadMatch(MapReader map)
    {
        if (!map.TryNode("match", out YamlNode node))
        {
            map.Errors.Add(map.Start, "this entry of 'peers' lacks 'match'; write match: any, or match: { host-name: \"lac*\", address: 192.0.2.0/24 }");
            return ("any", null, null);
        }

        if (node is YamlScalarNode { Value: "any" })
        {
            return ("any", null, null);
        }

        if (node is not YamlMappingNode)
        {
            map.Errors.Add(node, "match is either any, or { host-name: PATTERN, address: NETWORK }");
            return ("any", null, null);
        }

        string? hostName = null;
        IpPrefix? address = null;
        map.Map("match", m =>
        {
            hostName = m.Text("host-name");
            address = m.Prefix("address");
            return "";
        });
        return (string.Join(' ', new[] { hostName, address?.ToString() }.OfType<string>()), hostName, address);
    }
}
