using Culvert.Core;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>pools</c>: where addresses come from.</summary>
internal static class PoolsSection
{
    public static PoolSettings Read(MapReader map)
    {
        string name = map.RequiredText("name", "default");
        IpPrefix? prefix = map.Prefix("ipv4");
        if (!map.Has("ipv4"))
        {
            map.Errors.Add(map.Start, $"pool '{name}' lacks 'ipv4'; write for example ipv4: 100.64.0.0/16");
        }

        if (prefix is { } p && (!p.Address.IsIPv4 || p.Length is < AddressPool.ShortestPrefixLength or > 31))
        {
            prefix = map.Wrong<IpPrefix?>(
                "ipv4", $"{p} cannot be a pool: an IPv4 network of length {AddressPool.ShortestPrefixLength} to 31 is needed (write a larger one as several pools)", null);
        }

        IpPrefix usable = prefix ?? IpPrefix.Parse("192.0.2.0/24");
        IpAddress gateway = map.Address("gateway") ?? IpAddress.FromUInt32(usable.Address.ToUInt32() + 1);
        if (prefix is not null && !gateway.IsIPv4)
        {
            map.Wrong("gateway", $"{gateway} is not an IPv4 address", 0);
        }

        return new PoolSettings { Name = name, Ipv4 = usable, Gateway = gateway };
    }

    public static void CheckOverlap(MapReader root, IReadOnlyList<PoolSettings> pools)
    {
        for (int i = 0; i < pools.Count; i++)
        {
            for (int j = i + 1; j < pools.Count; j++)
            {
                if (pools[i].Ipv4.Contains(pools[j].Ipv4.Address) || pools[j].Ipv4.Contains(pools[i].Ipv4.Address))
                {
                    root.Wrong("pools", $"'{pools[i].Name}' ({pools[i].Ipv4}) and '{pools[j].Name}' ({pools[j].Ipv4}) overlap: an address would be handed out twice", 0);
                }
            }
        }
    }
}
