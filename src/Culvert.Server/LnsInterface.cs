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
    private readonly List<TunDevice> _queues = [];
    private IReadOnlyList<PoolSettings> _pools = [];

    /// <exception cref="LinuxException">The device cannot be made.</exception>
    public LnsInterface(InterfaceSettings settings, ForwardingSettings forwarding, int queues, Netlink netlink)
    {
        _netlink = netlink;

        // A device that is there already has one queue as a rule, and is not to be shared with another node by mistake.
        bool isNew = !netlink.TryFindLink(settings.Name, out _);
        Tun = TunDevice.Open(settings.Name, isMultiQueue: isNew && queues > 1, forwarding.Offload.Tun);
        try
        {
            for (int i = 1; Tun.IsMultiQueue && i < queues; i++)
            {
                _queues.Add(Tun.OpenQueue());
            }

            _index = netlink.TryFindLink(Tun.Name, out LinkInfo link) ? link.Index : throw new NodeException($"the interface {Tun.Name} vanished as it was made");
            netlink.SetLinkMtu(_index, settings.Mtu ?? UsualMtu);
            netlink.SetLinkUp(_index);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public TunDevice Tun { get; }

    /// <summary>Further queues of the same device, for the threads that help to forward.</summary>
    public IReadOnlyList<TunDevice> Queues => _queues;

    /// <summary>Gives the interface the pools' gateways and routes; those of pools that are gone are taken away.</summary>
    /// <param name="pools">All that there are from now on.</param>
    /// <param name="served">Who is up: whose pool goes needs a route of its own from now on, and whose address a pool gets needs none.</param>
    public void Apply(IReadOnlyList<PoolSettings> pools, IReadOnlyList<Served> served)
    {
        foreach (Served one in served.Where(s => IsCovered(_pools, s.Address) != IsCovered(pools, s.Address)))
        {
            if (IsCovered(pools, one.Address))
            {
                _netlink.DeleteRoute(RouteTo(HostPrefix(one.Address)));
            }
            else
            {
                _netlink.ReplaceRoute(RouteTo(HostPrefix(one.Address)));
            }
        }

        bool isBare = false;
        foreach (PoolSettings old in _pools.Except(pools))
        {
            _netlink.DeleteRoute(RouteTo(old.Ipv4));

            // Several pools may have one gateway.
            if (pools.All(p => p.Gateway != old.Gateway))
            {
                _netlink.DeleteAddress(_index, old.Gateway, 32);
                isBare = true;
            }
        }

        foreach (PoolSettings pool in pools.Except(_pools))
        {
            _netlink.ReplaceAddress(_index, pool.Gateway, 32);
            _netlink.ReplaceRoute(RouteTo(pool.Ipv4));
        }

        _pools = pools;
        if (isBare)
        {
            // With an interface's last address the kernel takes all of its routes away.
            foreach (IpPrefix prefix in pools.Select(p => p.Ipv4).Concat(served.SelectMany(s => OwnPrefixes(s.Address, s.Routes))))
            {
                _netlink.ReplaceRoute(RouteTo(prefix));
            }
        }
    }

    /// <summary>Routes what no pool covers: networks behind a subscriber, fixed addresses elsewhere.</summary>
    public void AddRoutes(Subscriber subscriber)
    {
        foreach (IpPrefix prefix in OwnPrefixes(subscriber.PeerAddress, subscriber.Routes))
        {
            _netlink.ReplaceRoute(RouteTo(prefix));
        }
    }

    public void RemoveRoutes(Subscriber subscriber)
    {
        foreach (IpPrefix prefix in OwnPrefixes(subscriber.PeerAddress, subscriber.Routes))
        {
            _netlink.DeleteRoute(RouteTo(prefix));
        }
    }

    public void Dispose()
    {
        _queues.ForEach(q => q.Dispose());
        Tun.Dispose();
    }

    private IEnumerable<IpPrefix> OwnPrefixes(IpAddress address, IReadOnlyList<IpPrefix> routes) =>
        !address.IsNone && !IsCovered(_pools, address) ? routes.Prepend(HostPrefix(address)) : routes;

    private static bool IsCovered(IReadOnlyList<PoolSettings> pools, IpAddress address) => pools.Any(p => p.Ipv4.Contains(address));

    private static IpPrefix HostPrefix(IpAddress address) => new(address, address.Size * 8);

    private Route RouteTo(IpPrefix prefix) => new(prefix) { InterfaceIndex = _index };

    /// <param name="Address">A subscriber's address.</param>
    /// <param name="Routes">The networks behind it.</param>
    public readonly record struct Served(IpAddress Address, IReadOnlyList<IpPrefix> Routes);
}
