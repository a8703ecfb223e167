using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Subscribers.Policy;

/// <summary>
/// What an operator decided, as values: who may build tunnels, how their users are authenticated, which addresses they get.
/// Immutable; a reload brings a new one, which applies to new tunnels and sessions.
/// </summary>
public sealed record NodeSettings
{
    /// <summary>The Host Name AVP that we send (RFC 2661 section 4.4.3).</summary>
    public required string NodeName { get; init; }

    /// <summary>The first rule that matches decides; no match means refused.</summary>
    public IReadOnlyList<PeerRule> Peers { get; init; } = [];

    public IReadOnlyList<Profile> Profiles { get; init; } = [];

    public IReadOnlyList<PoolSettings> Pools { get; init; } = [];

    public IReadOnlyList<User> Users { get; init; } = [];

    public IReadOnlyList<DialSettings> Dial { get; init; } = [];

    public NodeLimits Limits { get; init; } = new();
}

/// <summary>
/// A rule for tunnels that peers open. Its name in logs is its host-name or address pattern, or "any".
/// </summary>
public sealed record PeerRule : TunnelPolicy
{
    /// <summary>A glob (* and ?) over the peer's Host Name AVP, without regard to case; null matches every name.</summary>
    public string? HostName { get; init; }

    /// <summary>Where the peer must come from; null for anywhere.</summary>
    public IpPrefix? Address { get; init; }

    /// <summary>Sessions at once in one tunnel.</summary>
    public int MaxSessions { get; init; } = 65_535;

    /// <summary>Whether the peer may place calls, as a LAC does.</summary>
    public bool IncomingCalls { get; init; } = true;

    /// <summary>Name of the profile for this peer's sessions; null for the first profile.</summary>
    public string? Profile { get; init; }

    /// <summary>Whether PPP goes on where this peer, as a LAC, has begun it.</summary>
    public ProxyPolicy ProxyAuthentication { get; init; }

    public bool Matches(IpAddress address, string hostName) =>
        (Address is not { } prefix || prefix.Contains(address)) && (HostName is null || Glob.IsMatch(HostName, hostName));
}

/// <summary>What a LAC's proxied LCP and authentication (RFC 2661 section 4.4.5) are good for.</summary>
public enum ProxyPolicy : byte
{
    /// <summary>Used as far as they fit the profile; the user's proof is verified here all the same.</summary>
    Accept,

    /// <summary>Never used: LCP and authentication begin anew, so that the LAC's challenge need not be trusted.</summary>
    Renegotiate,
}

/// <summary>How sessions are run: authentication, addresses, timers.</summary>
public sealed record Profile
{
    public required string Name { get; init; }

    /// <summary>In order of preference; never empty.</summary>
    public IReadOnlyList<AuthenticationMethod> Authentication { get; init; } =
        new ValueList<AuthenticationMethod>([AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5]);

    /// <summary>Name of the pool for users without a fixed address.</summary>
    public string? Pool { get; init; }

    /// <summary>At most two are told to a client (RFC 1877).</summary>
    public IReadOnlyList<IpAddress> Dns { get; init; } = [];

    /// <summary>
    /// Domains that clients who ask by DHCPINFORM are told (RFC 2132 section 3.17, RFC 3397): the first is their own, all are searched.
    /// </summary>
    public IReadOnlyList<string> DnsSuffix { get; init; } = new ValueList<string>([]);

    /// <summary>
    /// IPv4 networks that such clients are to send through the tunnel (RFC 3442), at most <see cref="Dhcp.ClientParameters.MostRoutes"/>.
    /// A client that is told some takes no other default route: it gets one only if 0.0.0.0/0 is among them.
    /// </summary>
    public IReadOnlyList<IpPrefix> ClientRoutes { get; init; } = new ValueList<IpPrefix>([]);

    /// <summary>No data either way for so long ends the session; zero for never.</summary>
    public TimeSpan IdleTimeout { get; init; }

    /// <summary>The session ends after so long; zero for never.</summary>
    public TimeSpan SessionTimeout { get; init; }

    /// <summary>LCP echo interval; zero sends none.</summary>
    public TimeSpan EchoInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Echo-Requests without an answer after which the link is down.</summary>
    public int EchoFailures { get; init; } = 4;

    /// <summary>Largest MRU that we offer and accept, in octets; the path may make it smaller.</summary>
    public int Mru { get; init; } = 1500;
}

public sealed record PoolSettings
{
    public required string Name { get; init; }

    public required IpPrefix Ipv4 { get; init; }

    /// <summary>Our address towards the subscribers of this pool.</summary>
    public required IpAddress Gateway { get; init; }
}

public sealed record User
{
    public required string Name { get; init; }

    public required string Password { get; init; }

    /// <summary>A fixed address; null takes one from the profile's pool.</summary>
    public IpAddress? Ipv4 { get; init; }

    /// <summary>Networks behind this user, routed to its session.</summary>
    public IReadOnlyList<IpPrefix> Routes { get; init; } = [];

    /// <summary>Overrides the profile of the peer's rule.</summary>
    public string? Profile { get; init; }

    public override string ToString() => $"User {Name}";
}

/// <summary>A connection that this node opens itself.</summary>
public sealed record DialSettings : TunnelPolicy
{
    /// <summary>Host names or addresses, each with an optional :port, tried in turn.</summary>
    public required IReadOnlyList<string> Lns { get; init; }

    public required string User { get; init; }

    public required string Password { get; init; }

    /// <summary>Send a Tie Breaker, so that one tunnel is left when both ends open one at once.</summary>
    public bool TieBreaker { get; init; }

    /// <summary>Methods that the LNS may ask us for.</summary>
    public IReadOnlyList<AuthenticationMethod> Authentication { get; init; } =
        new ValueList<AuthenticationMethod>([AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap]);

    /// <summary>Interface name; null lets the system choose.</summary>
    public string? Interface { get; init; }

    public IReadOnlyList<IpPrefix> Routes { get; init; } = [];

    public bool DefaultRoute { get; init; }

    public TimeSpan EchoInterval { get; init; } = TimeSpan.FromSeconds(30);

    public int EchoFailures { get; init; } = 4;

    public int Mru { get; init; } = 1500;

    /// <summary>Dial again after a failure or a disconnect. The `dial` command gives up when the first attempt fails.</summary>
    public bool Redial { get; init; } = true;

    public override string ToString() => $"Dial {Name}";
}
