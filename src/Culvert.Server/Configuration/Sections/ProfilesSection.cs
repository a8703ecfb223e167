using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>profiles</c>: how sessions are run.</summary>
internal static class ProfilesSection
{
    public static Profile Read(MapReader map, IReadOnlyList<PoolSettings> pools)
    {
        var defaults = new Profile { Name = map.RequiredText("name", "home") };
        ValueList<AuthenticationMethod> methods = SharedKeys.Methods(map, "authentication");
        string? pool = map.Text("pool");
        if (pool is not null && pools.All(p => p.Name != pool))
        {
            map.Wrong("pool", $"there is no pool '{pool}'; {SharedKeys.Known("pools", pools.Select(p => p.Name))}", 0);
        }

        var dns = new ValueList<IpAddress>(map.List("dns", map.AddressOf).OfType<IpAddress>());
        if (dns.Count > 2)
        {
            map.Wrong("dns", "PPP tells a client at most two servers (RFC 1877)", 0);
        }

        return defaults with
        {
            Authentication = methods.Count > 0 ? methods : defaults.Authentication,
            Pool = pool ?? (pools.Count == 1 ? pools[0].Name : null),
            Dns = dns,
            DnsSuffix = ClientKeys.DnsSuffix(map),
            ClientRoutes = ClientKeys.Routes(map),
            IdleTimeout = map.Duration("idle-timeout", defaults.IdleTimeout, SharedKeys.LongestTimer),
            SessionTimeout = map.Duration("session-timeout", defaults.SessionTimeout, SharedKeys.LongestTimer),
            EchoInterval = map.Duration("echo-interval", defaults.EchoInterval, SharedKeys.LongestTimer),
            EchoFailures = map.Number("echo-failures", defaults.EchoFailures, 1, 100),
            Mru = map.Number("mru", defaults.Mru, 576, 65_535),
        };
    }
}
