using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>limits</c>: what peers together can make the node hold.</summary>
internal static class LimitsSection
{
    public static NodeLimits Read(MapReader map)
    {
        var defaults = new NodeLimits();
        return new NodeLimits
        {
            Tunnels = map.Number("tunnels", defaults.Tunnels, 1, 65_535),
            Sessions = map.Number("sessions", defaults.Sessions, 1, 1_000_000),
            HalfOpenTunnels = map.Number("half-open-tunnels", defaults.HalfOpenTunnels, 1, 65_535),
            HalfOpenTunnelsPerPeer = map.Number("half-open-tunnels-per-peer", defaults.HalfOpenTunnelsPerPeer, 1, 65_535),
            HalfOpenSessions = map.Number("half-open-sessions", defaults.HalfOpenSessions, 1, 1_000_000),
        };
    }
}
