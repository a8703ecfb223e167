using System.Text.Json;
using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>What netlink set is read back by iproute2, which nobody here wrote.</summary>
public class NetlinkTests
{
    [Fact]
    public void A_link_takes_its_state_mtu_and_queue()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0");
            tun.Netlink.SetLinkMtu(tun.Index, 1423);
            tun.Netlink.SetTransmitQueueLength(tun.Index, 4321);
            JsonElement link = NetworkNamespace.Ip("link show dev link0")[0];
            Assert.Equal(1423, link.GetProperty("mtu").GetInt32());
            Assert.Equal(4321, link.GetProperty("txqlen").GetInt32());
            Assert.Equal(tun.Index, link.GetProperty("ifindex").GetInt32());
            Assert.True(tun.Netlink.TryFindLink(tun.Index, out LinkInfo found));
            Assert.Equal(new LinkInfo(tun.Index, "link0", 1423, IsUp: true), found);
            tun.Netlink.SetLinkDown(tun.Index);
            Assert.Equal("DOWN", NetworkNamespace.Ip("link show dev link0")[0].GetProperty("operstate").GetString());
        });
    }

    [Fact]
    public void Addresses_are_added_replaced_and_taken_away()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0");
            IpAddress four = IpAddress.Parse("192.0.2.1");
            IpAddress six = IpAddress.Parse("2001:db8::1");
            tun.Netlink.AddAddress(tun.Index, four, 24);
            tun.Netlink.AddAddress(tun.Index, six, 64);
            tun.Netlink.AddAddress(tun.Index, IpAddress.Parse("198.51.100.1"), 32, peer: IpAddress.Parse("198.51.100.2"));
            tun.Netlink.AddAddress(tun.Index, IpAddress.Parse("2001:db8:5::1"), 128, peer: IpAddress.Parse("2001:db8:5::2"));
            Assert.Equal(
                ["192.0.2.1/24", "198.51.100.1>198.51.100.2/32", "2001:db8:5::1>2001:db8:5::2/128", "2001:db8::1/64"], Addresses("link0"));

            Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => tun.Netlink.AddAddress(tun.Index, four, 24)).Error);
            tun.Netlink.ReplaceAddress(tun.Index, four, 24);
            tun.Netlink.ReplaceAddress(tun.Index, six, 64);
            Assert.True(tun.Netlink.DeleteAddress(tun.Index, four, 24));
            Assert.False(tun.Netlink.DeleteAddress(tun.Index, four, 24));
            Assert.True(tun.Netlink.DeleteAddress(tun.Index, six, 64));
            Assert.False(tun.Netlink.DeleteAddress(tun.Index, six, 64));
            Assert.Equal(["198.51.100.1>198.51.100.2/32", "2001:db8:5::1>2001:db8:5::2/128"], Addresses("link0"));
        });
    }

    [Theory]
    [InlineData("192.0.2.1/24", "198.51.100.0/24", "192.0.2.254", "")]
    [InlineData("2001:db8::1/64", "2001:db8:7::/48", "2001:db8::fe", "-6 ")]
    public void Routes_are_added_replaced_and_deleted(string own, string prefix, string gateway, string family)
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0", own);
            var route = new Route(IpPrefix.Parse(prefix)) { InterfaceIndex = tun.Index, Metric = 50, Mtu = 1410 };
            tun.Netlink.AddRoute(route);
            JsonElement shown = NetworkNamespace.Ip($"{family}route show {prefix}")[0];
            Assert.Equal("link0", shown.GetProperty("dev").GetString());
            Assert.Equal("static", shown.GetProperty("protocol").GetString());
            Assert.Equal(50, shown.GetProperty("metric").GetInt32());
            Assert.False(shown.TryGetProperty("gateway", out _));
            Assert.Equal(1410, shown.GetProperty("metrics")[0].GetProperty("mtu").GetInt32());

            Assert.Equal(Errno.EEXIST, Assert.Throws<LinuxException>(() => tun.Netlink.AddRoute(route)).Error);
            Route better = route with { Gateway = IpAddress.Parse(gateway), PreferredSource = IpAddress.Parse(own.Split('/')[0]), Mtu = 0 };
            tun.Netlink.ReplaceRoute(better);
            shown = NetworkNamespace.Ip($"{family}route show {prefix}")[0];
            Assert.Equal(gateway, shown.GetProperty("gateway").GetString());
            Assert.Equal(own.Split('/')[0], shown.GetProperty("prefsrc").GetString());
            Assert.True(tun.Netlink.TryGetRoute(IpPrefix.Parse(prefix).Address, out RouteInfo way, out _));
            Assert.Equal(new RouteInfo(IpAddress.Parse(own.Split('/')[0]), tun.Index, IpAddress.Parse(gateway), 1500), way);

            Assert.True(tun.Netlink.DeleteRoute(better));
            Assert.False(tun.Netlink.DeleteRoute(better));
            Assert.Equal(0, NetworkNamespace.Ip($"{family}route show {prefix}").GetArrayLength());
        });
    }

    [Theory]
    [InlineData("198.51.100.0/24", RouteKind.Unreachable, "unreachable", Errno.EHOSTUNREACH)]
    [InlineData("198.51.100.0/24", RouteKind.Blackhole, "blackhole", Errno.EINVAL)]
    [InlineData("198.51.100.0/24", RouteKind.Prohibit, "prohibit", Errno.EACCES)]
    [InlineData("2001:db8:7::/48", RouteKind.Unreachable, "unreachable", Errno.EHOSTUNREACH)]
    [InlineData("2001:db8:7::/48", RouteKind.Blackhole, "blackhole", Errno.EINVAL)]
    public void A_pool_can_be_closed_off(string prefix, RouteKind kind, string name, Errno expected)
    {
        NetworkNamespace.Run(() =>
        {
            using var netlink = new Netlink();
            var route = new Route(IpPrefix.Parse(prefix)) { Kind = kind, Metric = 4096, Table = 1000 };
            string family = prefix.Contains(':') ? "-6 " : "";
            netlink.AddRoute(route);
            Assert.Equal(name, NetworkNamespace.Ip($"{family}route show table 1000")[0].GetProperty("type").GetString());
            Assert.True(netlink.DeleteRoute(route));

            netlink.AddRoute(route with { Table = Route.MainTable });
            Assert.False(netlink.TryGetRoute(IpPrefix.Parse(prefix).Address, out RouteInfo none, out Errno error));
            Assert.Equal(expected, error);
            Assert.Equal(default, none);
        });
    }

    [Fact]
    public void A_route_to_a_peer_is_pinned_before_the_tunnel_takes_the_default_route()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var access = new TunEnd("access", "192.0.2.1/24");
            using var tunnel = new TunEnd("tunnel", "100.64.0.9/32");
            access.Netlink.SetLinkMtu(access.Index, 1492);
            var everywhere = new Route(IpPrefix.Parse("0.0.0.0/0"));
            IpAddress router = IpAddress.Parse("192.0.2.254");
            access.Netlink.AddRoute(everywhere with { InterfaceIndex = access.Index, Gateway = router, Metric = 100 });

            IpAddress lns = IpAddress.Parse("203.0.113.7");
            Assert.True(access.Netlink.TryGetRoute(lns, out RouteInfo before, out _));
            Assert.Equal(new RouteInfo(IpAddress.Parse("192.0.2.1"), access.Index, router, 1492), before);
            access.Netlink.AddRoute(new Route(new IpPrefix(lns, 32)) { InterfaceIndex = before.InterfaceIndex, Gateway = before.Gateway });
            access.Netlink.AddRoute(everywhere with { InterfaceIndex = tunnel.Index });

            Assert.True(access.Netlink.TryGetRoute(lns, out RouteInfo after, out _));
            Assert.Equal(before, after);
            Assert.True(access.Netlink.TryGetRoute(IpAddress.Parse("203.0.113.8"), out RouteInfo other, out _));
            Assert.Equal(tunnel.Index, other.InterfaceIndex);
        });
    }

    [Fact]
    public void A_gateway_may_be_of_the_other_family()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0", "2001:db8::1/64", "192.0.2.1/32");
            IpAddress gateway = IpAddress.Parse("2001:db8::fe");
            tun.Netlink.AddRoute(new Route(IpPrefix.Parse("198.51.100.0/24")) { InterfaceIndex = tun.Index, Gateway = gateway });
            Assert.True(tun.Netlink.TryGetRoute(IpAddress.Parse("198.51.100.9"), out RouteInfo route, out _));
            Assert.Equal(gateway, route.Gateway);
        });
    }

    [Fact]
    public void No_way_is_an_answer()
    {
        NetworkNamespace.Run(() =>
        {
            using var netlink = new Netlink();
            Assert.False(netlink.TryGetRoute(IpAddress.Parse("203.0.113.7"), out _, out Errno error));
            Assert.Equal(Errno.ENETUNREACH, error);
            Assert.True(netlink.TryGetRoute(IpAddress.Parse("127.0.0.1"), out RouteInfo route, out _));
            Assert.Equal((65536, true), (route.Mtu, route.IsLocal));
        });
    }

    [Fact]
    public void A_long_list_is_read_whole()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            List<TunDevice> devices = [];
            for (int i = 0; i < 40; i++)
            {
                devices.Add(TunDevice.Open("many%d"));
            }

            using var netlink = new Netlink();
            Assert.Equal(
                ["lo", .. devices.Select(device => device.Name)],
                netlink.Links().Select(link => link.Name));
            devices.ForEach(device => device.Dispose());
        });
    }

    [Fact]
    public void A_refusal_says_what_was_attempted_and_the_kernels_reason()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0");
            LinuxException mtu = Assert.Throws<LinuxException>(() => tun.Netlink.SetLinkMtu(tun.Index, 20));
            Assert.Equal(Errno.EINVAL, mtu.Error);
            Assert.Equal("Cannot set the MTU of link0 to 20: Invalid argument (EINVAL): mtu less than device minimum.", mtu.Message);
            LinuxException gone = Assert.Throws<LinuxException>(() => tun.Netlink.SetLinkUp(999));
            Assert.Equal("Cannot set interface 999 up: No such device (ENODEV).", gone.Message);
            var foreign = new Route(IpPrefix.Parse("198.51.100.0/24")) { Gateway = IpAddress.Parse("203.0.113.1") };
            LinuxException route = Assert.Throws<LinuxException>(() => tun.Netlink.AddRoute(foreign));
            Assert.StartsWith("Cannot add the route 198.51.100.0/24 via 203.0.113.1: ", route.Message);
        });
    }

    [Fact]
    public void An_interface_without_IPv6_says_so()
    {
        NetworkNamespace.RunWithTun(() =>
        {
            using var tun = new TunEnd("link0");
            _ = NetworkNamespace.Command("sysctl", "-qw net.ipv6.conf.link0.disable_ipv6=1");
            IpAddress address = IpAddress.Parse("2001:db8::1");
            LinuxException refused = Assert.Throws<LinuxException>(() => tun.Netlink.AddAddress(tun.Index, address, 64));
            Assert.Equal(Errno.EACCES, refused.Error);
            Assert.Contains("IPv6", refused.Message);
            Assert.DoesNotContain("CAP_NET_ADMIN", refused.Message);
        });
    }

    private static string[] Addresses(string device) =>
        [.. NetworkNamespace.Ip($"address show dev {device}")[0].GetProperty("addr_info").EnumerateArray()
            .Where(entry => entry.GetProperty("scope").GetString() == "global")
            .Select(entry => (entry.TryGetProperty("address", out JsonElement peer)
                ? $"{entry.GetProperty("local").GetString()}>{peer.GetString()}"
                : entry.GetProperty("local").GetString()) + $"/{entry.GetProperty("prefixlen").GetInt32()}")
            .Order(StringComparer.Ordinal)];
}
