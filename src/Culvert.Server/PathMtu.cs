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
    private const int MostPeers = 32_768;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    private readonly Dictionary<IpAddress, (int Mtu, Timestamp Until)> _known = [];
    private readonly HashSet<IpAddress> _outdated = [];

    /// <summary>Peers to be looked into again, among them those for whom an answer turned out to be out of date: sessions that are up have the old one.</summary>
    public PathChanges Changes { get; } = new();

    public int To(IpAddress peer)
    {
        Timestamp now = MonotonicClock.Now;
        bool isKnown = _known.TryGetValue(peer, out (int Mtu, Timestamp Until) entry);
        if (isKnown && now < entry.Until)
        {
            return entry.Mtu;
        }

        if (_known.Count >= MostPeers)
        {
            _known.Clear();
            _outdated.Clear();
        }

        int mtu = Ask(peer);
        _known[peer] = (mtu, now + Lifetime);
        if (isKnown && mtu != entry.Mtu)
        {
            _ = _outdated.Add(peer);
            Changes.Add(peer);
        }

        return mtu;
    }

    /// <summary>Asks the kernel anew; true when sessions that are up may have another answer.</summary>
    public bool Refresh(IpAddress peer)
    {
        if (!_known.TryGetValue(peer, out (int Mtu, Timestamp Until) entry))
        {
            return true;
        }

        int mtu = Ask(peer);
        _known[peer] = (mtu, MonotonicClock.Now + Lifetime);
        return _outdated.Remove(peer) | mtu != entry.Mtu;
    }

    private int Ask(IpAddress peer)
    {
        try
        {
            return netlink.TryGetRoute(peer, out RouteInfo route, out _) && route.Mtu > 0 ? route.Mtu : Usual;
        }
        catch (LinuxException)
        {
            // An interface that is being removed, a kernel without memory: asked again in a minute.
            return Usual;
        }
    }
}
