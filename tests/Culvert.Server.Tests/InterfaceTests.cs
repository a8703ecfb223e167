using Culvert.Core;
using Culvert.Linux;
using Culvert.Linux.Tests;
using Culvert.Server.Configuration;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Tests;

/// <summary>What a reload does to the interface that all subscribers share.</summary>
public sealed class InterfaceTests
{
    /// <summary>The gateway's address went with the first pool that had it, and the other pool's subscribers had none until a restart.</summary>
    [Fact]
    public void A_gateway_stays_as_long_as_one_pool_has_it() => NetworkNamespace.RunWithTun(() =>
    {
        using var netlink = new Netlink();
        using var device = new LnsInterface(
            new InterfaceSettings { Name = "subs0" }, new ForwardingSettings { Offload = OffloadSettings.None }, queues: 1, netlink);
        PoolSettings one = PoolOf("one", "100.64.0.0/24", "198.51.100.1");
        PoolSettings two = PoolOf("two", "100.64.1.0/24", "198.51.100.1");
        PoolSettings three = PoolOf("three", "100.64.2.0/24", "198.51.100.3");
        device.Apply([one, two, three], []);
        Assert.True(IsLocal(netlink, "198.51.100.1"));
        Assert.True(IsLocal(netlink, "198.51.100.3"));

        device.Apply([two], []);
        Assert.True(IsLocal(netlink, "198.51.100.1"));
        Assert.False(IsLocal(netlink, "198.51.100.3"));

        device.Apply([two with { Ipv4 = IpPrefix.Parse("100.64.3.0/24") }], []);
        Assert.True(IsLocal(netlink, "198.51.100.1"));

        device.Apply([], []);
        Assert.False(IsLocal(netlink, "198.51.100.1"));
    });

    /// <summary>They were up and nothing reached them until they came again; and a host route that a new pool made needless stayed for ever.</summary>
    [Fact]
    public void Subscribers_keep_their_way_when_their_pool_goes_and_need_no_own_when_one_comes() => NetworkNamespace.RunWithTun(() =>
    {
        using var netlink = new Netlink();
        using var device = new LnsInterface(
            new InterfaceSettings { Name = "subs0" }, new ForwardingSettings { Offload = OffloadSettings.None }, queues: 1, netlink);
        PoolSettings one = PoolOf("one", "100.64.0.0/24", "198.51.100.1");
        PoolSettings two = PoolOf("two", "100.64.1.0/24", "198.51.100.1");
        LnsInterface.Served[] inUse = [new(IpAddress.Parse("100.64.0.7"), []), new(IpAddress.Parse("100.64.1.7"), [IpPrefix.Parse("192.0.2.0/24")])];
        device.Apply([one, two], []);
        Assert.Equal(["100.64.0.0/24", "100.64.1.0/24"], Routes());

        device.Apply([two], inUse);
        Assert.Equal(["100.64.0.7", "100.64.1.0/24"], Routes());
        netlink.ReplaceRoute(new Route(IpPrefix.Parse("192.0.2.0/24")) { InterfaceIndex = netlink.Links().Single(l => l.Name == "subs0").Index });

        device.Apply([one], inUse);
        Assert.Equal(["100.64.0.0/24", "100.64.1.7", "192.0.2.0/24"], Routes());

        device.Apply([one with { Gateway = IpAddress.Parse("198.51.100.9") }], inUse);
        Assert.Equal(["100.64.0.0/24", "100.64.1.7", "192.0.2.0/24"], Routes());

        device.Apply([], inUse);
        Assert.Equal(["100.64.0.7", "100.64.1.7", "192.0.2.0/24"], Routes());
    });

    private static string[] Routes() =>
        [.. NetworkNamespace.Command("ip", "route show dev subs0").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[0]).Order(StringComparer.Ordinal)];

    private static bool IsLocal(Netlink netlink, string address) =>
        netlink.TryGetRoute(IpAddress.Parse(address), out RouteInfo route, out _) && route.IsLocal;

    private static PoolSettings PoolOf(string name, string prefix, string gateway) =>
        new() { Name = name, Ipv4 = IpPrefix.Parse(prefix), Gateway = IpAddress.Parse(gateway) };
}
