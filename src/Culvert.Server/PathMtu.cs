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

    /// <summary>How often the kernel is asked about one peer because of reports, which anybody can forge.</summary>
    private static readonly TimeSpan BetweenRefreshes = TimeSpan.FromSeconds(1);

    private readonly Dictionary<IpAddress, (int Mtu, Timestamp Since)> _known = [];

    public int To(IpAddress peer)
    {
        Timestamp now = MonotonicClock.Now;
        if (_known.TryGetValue(peer, out (int Mtu, Timestamp Since) entry) && now - entry.Since < Lifetime)
        {
            return entry.Mtu;
        }

        if (_known.Count >= MostPeers)
        {
            _known.Clear();
        }

        int mtu = Ask(peer);
        _known[peer] = (mtu, now);
        return mtu;
    }

    /// <summary>Asks the kernel anew, unless it has just been asked; true when the answer differs from the one known.</summary>
    public bool Refresh(IpAddress peer)
    {
        bool isKnown = _known.TryGetValue(peer, out (int Mtu, Timestamp Since) entry);
        if (isKnown && MonotonicClock.Now - entry.Since < BetweenRefreshes)
        {
            return false;
        }

        _known.Remove(peer);
        return To(peer) != (isKnown ? entry.Mtu : 0);
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
