using Culvert.Core;
using Culvert.Linux;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>
/// The kernel's knowledge of path MTUs (interface, routes, what ICMP said), asked once per peer and minute. Belongs to one shard.
/// </summary>
internal sealed class PathMtu(Netlink netlink) : IPathMtu
{
    /// <summary>What Ethernet carries; taken when there is no route to ask about.</summary>
    private const int Usual = 1500;

    /// <summary>Peers remembered; beyond that everything is asked again, which is only slower.</summary>
    private const int MostPeers = 4096;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    private readonly Dictionary<IpAddress, (int Mtu, Timestamp Until)> _known = [];

    public int To(IpAddress peer)
    {
        Timestamp now = MonotonicClock.Now;
        if (_known.TryGetValue(peer, out (int Mtu, Timestamp Until) entry) && now < entry.Until)
        {
            return entry.Mtu;
        }

        if (_known.Count >= MostPeers)
        {
            _known.Clear();
        }

        int mtu = netlink.TryGetRoute(peer, out RouteInfo route, out _) && route.Mtu > 0 ? route.Mtu : Usual;
        _known[peer] = (mtu, now + Lifetime);
        return mtu;
    }

    /// <summary>Asks the kernel anew; true when the answer differs from the one known.</summary>
    public bool Refresh(IpAddress peer)
    {
        int before = _known.TryGetValue(peer, out (int Mtu, Timestamp Until) entry) ? entry.Mtu : 0;
        _known.Remove(peer);
        return To(peer) != before;
    }
}
