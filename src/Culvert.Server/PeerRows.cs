using Culvert.Core;
using Culvert.L2tp;
using Culvert.Server.Control;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>Peers by address: what they have, and what was refused to them. Made and asked on the shard's thread, a page at a time.</summary>
internal sealed class PeerRows
{
    private readonly AccessNode _access;
    private readonly ILookup<IpAddress, Tunnel> _tunnels;
    private readonly IReadOnlyDictionary<IpAddress, int> _waiting;

    public PeerRows(AccessNode access)
    {
        _access = access;
        _tunnels = access.Tunnels.ToLookup(t => t.Path.Peer.Address);
        _waiting = access.ControlGate.WaitingByPeer();
        Addresses = [.. _tunnels.Select(g => g.Key).Union(access.PeerTallies.Keys).Union(_waiting.Keys).Order()];
    }

    public IpAddress[] Addresses { get; }

    public PeerRow Describe(IpAddress address)
    {
        List<Tunnel> tunnels = [.. _tunnels[address].Where(t => t.Ended is null)];
        PeerTally tally = _access.PeerTallies.GetValueOrDefault(address) ?? new PeerTally();
        return new PeerRow(
            address.ToString(),
            Distinct(tunnels.Select(_access.RuleName)),
            Distinct(tunnels.Select(t => t.PeerHostName)),
            tunnels.Count,
            tunnels.Count(t => t.State != TunnelState.Established),
            tunnels.Sum(t => t.SessionCount),
            tally.Refused,
            tally.SecretsWrong,
            tally.RateLimited,
            tally.OverLimit,
            tally.UsersRejected,
            _waiting.GetValueOrDefault(address));
    }

    private static string[] Distinct(IEnumerable<string> names) => [.. names.Where(n => n.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
}
