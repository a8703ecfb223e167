using Culvert.Core;
using Culvert.L2tp;
using Culvert.Server.Control;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>Peers by address: what they have, and what was refused to them.</summary>
internal static class PeerRows
{
    public static IReadOnlyList<PeerRow> Describe(AccessNode access)
    {
        ILookup<IpAddress, Tunnel> tunnels = access.Tunnels.ToLookup(t => t.Path.Peer.Address);
        IReadOnlyDictionary<IpAddress, PeerTally> tallies = access.PeerTallies;
        IReadOnlyDictionary<IpAddress, int> waiting = access.ControlGate.WaitingByPeer();
        return
        [
            .. tunnels.Select(g => g.Key).Union(tallies.Keys).Union(waiting.Keys).Order()
                .Select(a => Describe(access, a, [.. tunnels[a]], tallies.GetValueOrDefault(a) ?? new PeerTally(), waiting.GetValueOrDefault(a))),
        ];
    }

    private static PeerRow Describe(AccessNode access, IpAddress address, IReadOnlyList<Tunnel> tunnels, PeerTally tally, int waiting) => new(
        address.ToString(),
        Distinct(tunnels.Select(access.RuleName)),
        Distinct(tunnels.Select(t => t.PeerHostName)),
        tunnels.Count,
        tunnels.Count(t => t.State != TunnelState.Established),
        tunnels.Sum(t => t.SessionCount),
        tally.Refused,
        tally.SecretsWrong,
        tally.RateLimited,
        tally.OverLimit,
        tally.UsersRejected,
        waiting);

    private static string[] Distinct(IEnumerable<string> names) => [.. names.Where(n => n.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
}
