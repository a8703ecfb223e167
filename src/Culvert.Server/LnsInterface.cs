using Culvert.Core;
using Culvert.Linux;
using Culvert.Server.Configuration;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;

namespace Culvert.Server;

/// <summary>
/// The TUN device that all subscribers share: it has the gateways' addresses, and the pools are routed to it as prefixes, so that
/// the kernel's table does not grow with sessions.
/// </summary>
internal sealed class LnsInterface : IDisposable
{
    public const int UsualMtu = 1500;

    private readonly Netlink _netlink;
    private readonly int _index;
    private IReadOnlyList<PoolSettings> _pools = [];

    /// <exception cref="LinuxException">The device cannot be made.</exception>
    public LnsInterface(InterfaceSettings settings, TunOffloads offloads, Netlink netlink)
    {
        _netlink = netlink;
        Tun = TunDevice.Open(settings.Name, offloads: offloads);
        try
        {
            _index = netlink.TryFindLink(Tun.Name, out LinkInfo link) ? link.Index : throw new NodeException($"the interface {Tun.Name} vanished as it was made");
            netlink.SetLinkMtu(_index, settings.Mtu ?? UsualMtu);
            netlink.SetLinkUp(_index);
        }
        catch
        {
            Tun.Dispose();
            throw;
        }
    }

    public TunDevice Tun { get; }

    /// <summary>Gives the interface the pools' gateways and routes; those of pools that are gone are taken away.</summary>
    public void Apply(IReadOnlyList<PoolSettings> pools)
    {
        foreach (PoolSettings old in _pools.Except(pools))
        {
            _netlink.DeleteRoute(RouteTo(old.Ipv4));
            _netlink.DeleteAddress(_index, old.Gateway, 32);
        }

        foreach (PoolSettings pool in pools.Except(_pools))
        {
            _netlink.ReplaceAddress(_index, pool.Gateway, 32);
            _netlink.ReplaceRoute(RouteTo(pool.Ipv4));
        }

        _pools = pools;
    }

    /// <summary>Routes what no pool covers: networks behind a subscriber, fixed addresses elsewhere.</summary>
    public void AddRoutes(Subscriber subscriber)
    {
        foreach (IpPrefix prefix in OwnPrefixes(subscriber))
        {
            _netlink.ReplaceRoute(RouteTo(prefix));
        }
    }

    public void RemoveRoutes(Subscriber subscriber)
    {
        foreach (IpPrefix prefix in OwnPrefixes(subscriber))
        {
            _netlink.DeleteRoute(RouteTo(prefix));
        }
    }

    public void Dispose() => Tun.Dispose();

    private IEnumerable<IpPrefix> OwnPrefixes(Subscriber subscriber)
    {
        IpAddress address = subscriber.PeerAddress;
        return !address.IsNone && !_pools.Any(p => p.Ipv4.Contains(address))
            ? subscriber.Routes.Prepend(new IpPrefix(address, address.Size * 8))
            : subscriber.Routes;
    }

    private Route RouteTo(IpPrefix prefix) => new(prefix) { InterfaceIndex = _index };
}
