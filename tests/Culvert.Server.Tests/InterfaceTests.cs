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
        device.Apply([one, two, three]);
        Assert.True(IsLocal(netlink, "198.51.100.1"));
        Assert.True(IsLocal(netlink, "198.51.100.3"));

        device.Apply([two]);
        Assert.True(IsLocal(netlink, "198.51.100.1"));
        Assert.False(IsLocal(netlink, "198.51.100.3"));

        device.Apply([two with { Ipv4 = IpPrefix.Parse("100.64.3.0/24") }]);
        Assert.True(IsLocal(netlink, "198.51.100.1"));

        device.Apply([]);
        Assert.False(IsLocal(netlink, "198.51.100.1"));
    });

    private static bool IsLocal(Netlink netlink, string address) =>
        netlink.TryGetRoute(IpAddress.Parse(address), out RouteInfo route, out _) && route.IsLocal;

    private static PoolSettings PoolOf(string name, string prefix, string gateway) =>
        new() { Name = name, Ipv4 = IpPrefix.Parse(prefix), Gateway = IpAddress.Parse(gateway) };
}
