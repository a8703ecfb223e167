using Culvert.Dataplane;
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
            Tunnels = map.Number("tunnels", defaults.Tunnels, 1, 32_768),
            Sessions = map.Number(
                "sessions",
                defaults.Sessions,
                1,
                SessionTable.DefaultSlotLimit,
                $"a node's session table has {SessionTable.DefaultSlotLimit} places; for more sessions run more nodes"),
            HalfOpenTunnels = map.Number("half-open-tunnels", defaults.HalfOpenTunnels, 1, 65_535),
            HalfOpenTunnelsPerPeer = map.Number("half-open-tunnels-per-peer", defaults.HalfOpenTunnelsPerPeer, 1, 65_535),
            HalfOpenRetransmits = map.Number("half-open-retransmits", defaults.HalfOpenRetransmits, 0, 10),
            PendingStartsAbove = map.Number("pending-starts-above", defaults.PendingStartsAbove, 0, 32_768),
            PendingStarts = map.Number("pending-starts", defaults.PendingStarts, 0, 32_768),
            HalfOpenSessions = map.Number("half-open-sessions", defaults.HalfOpenSessions, 1, 1_000_000),
            AuthenticationsInFlight = map.Number("authentications-in-flight", defaults.AuthenticationsInFlight, 1, 1_000_000),
            StartRate = SharedKeys.Rate(map, "start-rate", defaults.StartRate),
            StartRatePerPeer = SharedKeys.Rate(map, "start-rate-per-peer", defaults.StartRatePerPeer),
            CallRate = SharedKeys.Rate(map, "call-rate", defaults.CallRate),
            EndedTunnelsKept = map.Number("ended-tunnels-kept", defaults.EndedTunnelsKept, 0, 10_000),
            EndedSessionsKept = map.Number("ended-sessions-kept", defaults.EndedSessionsKept, 0, 100_000),
        };
    }
}
