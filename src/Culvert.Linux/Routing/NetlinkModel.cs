using Culvert.Core;

namespace Culvert.Linux;

/// <summary>A network interface as the kernel lists it.</summary>
/// <param name="Index">The kernel's number for it, never reused while it lives.</param>
/// <param name="Name">At most 15 octets.</param>
/// <param name="Mtu">Octets of the largest IP packet.</param>
/// <param name="IsUp">Set up by the administrator (IFF_UP).</param>
public readonly record struct LinkInfo(int Index, string Name, int Mtu, bool IsUp);

/// <summary>What becomes of a packet that a route matches (RTN_*).</summary>
public enum RouteKind : byte
{
    /// <summary>Sent on.</summary>
    Unicast = 1,

    /// <summary>Dropped without a word.</summary>
    Blackhole = 6,

    /// <summary>Dropped; the sender is told "host unreachable". For the addresses of a pool that nobody uses.</summary>
    Unreachable = 7,

    /// <summary>Dropped; the sender is told "administratively prohibited".</summary>
    Prohibit = 8,
}

/// <summary>A route to add, replace or delete. It is marked "proto static", as one that an administrator made.</summary>
public readonly record struct Route
{
    /// <summary>The main table, which `ip route` shows.</summary>
    public const int MainTable = 254;

    public Route(IpPrefix destination)
    {
        Destination = destination;
    }

    public IpPrefix Destination { get; init; }

    public RouteKind Kind { get; init; } = RouteKind.Unicast;

    /// <summary>The interface to send by; 0 lets the gateway decide.</summary>
    public int InterfaceIndex { get; init; }

    /// <summary>The next router; may be of the other family.</summary>
    public IpAddress Gateway { get; init; }

    /// <summary>The source address that this machine prefers for what it sends itself.</summary>
    public IpAddress PreferredSource { get; init; }

    /// <summary>The lowest wins; 0 leaves it to the kernel (0 for IPv4, 1024 for IPv6).</summary>
    public uint Metric { get; init; }

    public int Table { get; init; } = MainTable;

    /// <summary>The MTU of this route in octets, 0 for the interface's.</summary>
    public int Mtu { get; init; }

    public override string ToString()
    {
        string kind = Kind == RouteKind.Unicast ? "" : $"{Kind} ";
        string via = Gateway.IsNone ? "" : $" via {Gateway}";
        string device = InterfaceIndex == 0 ? "" : $" by interface {InterfaceIndex}";
        return $"{kind}{Destination}{via}{device}";
    }
}

/// <summary>How this machine would send to a destination now.</summary>
/// <param name="Source">The address that it would send from.</param>
/// <param name="InterfaceIndex">The interface that it would send by.</param>
/// <param name="Gateway">The next router, none when the destination is on the link. With the interface it makes a host route that
/// keeps a tunnel's own packets out of the tunnel when the tunnel takes the default route.</param>
/// <param name="Mtu">The largest IP packet: what path MTU discovery learnt, else the route's, else the interface's.</param>
/// <param name="IsLocal">The destination is this machine itself.</param>
public readonly record struct RouteInfo(IpAddress Source, int InterfaceIndex, IpAddress Gateway, int Mtu, bool IsLocal = false);
