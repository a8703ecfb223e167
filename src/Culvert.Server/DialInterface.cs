using Culvert.Core;
using Culvert.Linux;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;

namespace Culvert.Server;

/// <summary>
/// The TUN device of one dialled connection. It exists as long as the connection is configured, and is up, with addresses and
/// routes, while the connection is.
/// </summary>
internal sealed class DialInterface : IDisposable
{
    private readonly Netlink _netlink;
    private readonly int _index;
    private readonly List<Route> _routes = [];
    private (IpAddress Local, IpAddress Peer) _addresses;

    /// <param name="settings">Which connection.</param>
    /// <param name="start">
    /// Begins to dial; called last. Without an interface a connection could not be stopped by a reload, and what it receives would go
    /// to the subscribers' interface.
    /// </param>
    /// <param name="offloads">What the device exchanges beside finished packets.</param>
    /// <param name="netlink">Of the namespace that the device is made in.</param>
    /// <exception cref="LinuxException">The device cannot be made. Nothing was begun.</exception>
    public DialInterface(DialSettings settings, Func<DialSettings, Dial> start, TunOffloads offloads, Netlink netlink)
    {
        _netlink = netlink;
        Tun = TunDevice.Open(settings.Interface ?? "culvert%d", offloads: offloads);
        try
        {
            _index = netlink.TryFindLink(Tun.Name, out LinkInfo link) ? link.Index : throw new NodeException($"the interface {Tun.Name} vanished as it was made");
            Dial = start(settings);
        }
        catch
        {
            Tun.Dispose();
            throw;
        }
    }

    public Dial Dial { get; }

    public TunDevice Tun { get; }

    public void Up(Subscriber subscriber)
    {
        Down();
        _netlink.SetLinkMtu(_index, subscriber.Mtu);
        _addresses = (subscriber.LocalAddress, subscriber.PeerAddress);
        _netlink.ReplaceAddress(_index, subscriber.LocalAddress, 32, subscriber.PeerAddress);
        _netlink.SetLinkUp(_index);
        foreach (IpPrefix prefix in Dial.Settings.Routes)
        {
            Add(new Route(prefix) { InterfaceIndex = _index });
        }

        if (Dial.Settings.DefaultRoute)
        {
            TakeDefaultRoute(subscriber.Tunnel.Path.Peer.Address);
        }
    }

    /// <summary>The path changed while the connection is up.</summary>
    public void SetMtu(int mtu) => _netlink.SetLinkMtu(_index, mtu);

    /// <summary>Takes away what <see cref="Up"/> gave. Does nothing when it is down.</summary>
    public void Down()
    {
        foreach (Route route in _routes)
        {
            _netlink.DeleteRoute(route);
        }

        _routes.Clear();
        if (!_addresses.Local.IsNone)
        {
            _netlink.DeleteAddress(_index, _addresses.Local, 32, _addresses.Peer);
            _addresses = default;

            // Gone when somebody removed it.
            if (_netlink.TryFindLink(Tun.Name, out _))
            {
                _netlink.SetLinkDown(_index);
            }

        }
    }

    public void Dispose()
    {
        Down();
        Tun.Dispose();
    }

    /// <summary>
    /// Two halves instead of a default route, so that the system's own stays as it is and comes back by itself; and the LNS keeps
    /// the way that it has now, or the tunnel would be routed into itself.
    /// </summary>
    private void TakeDefaultRoute(IpAddress lns)
    {
        if (_netlink.TryGetRoute(lns, out RouteInfo route, out _))
        {
            Add(new Route(new IpPrefix(lns, lns.Size * 8)) { InterfaceIndex = route.InterfaceIndex, Gateway = route.Gateway });
        }

        Add(new Route(IpPrefix.Parse("0.0.0.0/1")) { InterfaceIndex = _index });
        Add(new Route(IpPrefix.Parse("128.0.0.0/1")) { InterfaceIndex = _index });
    }

    private void Add(in Route route)
    {
        _netlink.ReplaceRoute(route);
        _routes.Add(route);
    }
}
