using System.Globalization;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;
using Culvert.Server.Control;
using Culvert.Subscribers;
using Culvert.Subscribers.Pools;

namespace Culvert.Server;

/// <summary>Answers the control API by asking the shard.</summary>
internal sealed class NodeControl(Node node, Shard shard) : INodeControl
{
    /// <summary>Sessions described in one go; in between, packets are served.</summary>
    private const int SessionsPerTurn = 500;

    public Task<IReadOnlyList<TunnelRow>> Tunnels() => shard.Mailbox.Ask<IReadOnlyList<TunnelRow>>(() => [.. shard.Access.Tunnels.Select(Describe)]);

    public async Task<IReadOnlyList<SessionRow>> Sessions()
    {
        var rows = new List<SessionRow>();
        for (int next = 0; next >= 0;)
        {
            int first = next;
            next = await shard.Mailbox.Ask(() =>
            {
                var page = new List<Subscriber>();
                int then = shard.Access.PageOfSubscribers(first, SessionsPerTurn, page);
                rows.AddRange(page.Select(Describe));
                return then;
            });
        }

        return rows;
    }

    public Task<IReadOnlyList<PoolRow>> Pools() => shard.Mailbox.Ask<IReadOnlyList<PoolRow>>(() => [.. shard.Access.Pools.Select(Describe)]);

    public Task<IReadOnlyList<CounterRow>> Counters() => shard.Mailbox.Ask<IReadOnlyList<CounterRow>>(() => [.. NodeCounters.Read(shard)]);

    public Task<IReadOnlyList<LifeRow>> ExplainTunnel(string id) =>
        ushort.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ushort tunnel)
            ? Explain(now => shard.Access.ExplainTunnel(tunnel, now))
            : throw new NodeException($"'{id}' is no tunnel ID; see 'culvert show tunnels'");

    public Task<IReadOnlyList<LifeRow>> ExplainSession(string id) =>
        SessionNames.TryParse(id, out SessionKey key)
            ? Explain(now => shard.Access.ExplainSession(key, now))
            : throw new NodeException($"'{id}' is no session ID (TUNNEL/SESSION); see 'culvert show sessions'");

    public Task<CloseAnswer> CloseTunnels(IReadOnlyList<string> ids, string reason) => CloseEach(
        ids, id => ushort.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ushort tunnel) && shard.Access.CloseTunnel(tunnel, reason, MonotonicClock.Now) ? 1 : 0);

    public Task<CloseAnswer> CloseSessions(IReadOnlyList<string> ids, string reason) => CloseEach(
        ids, id => SessionNames.TryParse(id, out SessionKey key) && shard.Access.CloseSession(key, reason, MonotonicClock.Now) ? 1 : 0);

    public Task<CloseAnswer> CloseUsers(IReadOnlyList<string> names, string reason) =>
        CloseEach(names, name => shard.Access.CloseUser(name, reason, MonotonicClock.Now));

    public async Task<ReloadAnswer> Reload()
    {
        NodeConfiguration next = await node.ReadConfigurationAgain();
        return new ReloadAnswer(await shard.Mailbox.Ask(() => node.Reload(next)));
    }

    public Task<LiveCapture> StartCapture(CaptureRequest request) => LiveCapture.Start(request, shard);

    private Task<IReadOnlyList<LifeRow>> Explain(Func<Timestamp, IReadOnlyList<LifeStory>> ask) => shard.Mailbox.Ask<IReadOnlyList<LifeRow>>(
        () => [.. ask(MonotonicClock.Now).Select(life => new LifeRow(life.Id, life.Summary, life.Ended, life.History))]);

    private Task<CloseAnswer> CloseEach(IReadOnlyList<string> ids, Func<string, int> close) => shard.Mailbox.Ask(() =>
    {
        int closed = 0;
        var unknown = new List<string>();
        foreach (string id in ids)
        {
            int count = close(id);
            closed += count;
            if (count == 0)
            {
                unknown.Add(id);
            }
        }

        return new CloseAnswer(closed, unknown);
    });

    private static double SecondsSince(Timestamp at) => at == Timestamp.Never ? 0 : Math.Round((MonotonicClock.Now - at).TotalSeconds, 3);

    private TunnelRow Describe(Tunnel tunnel) => new(
        tunnel.LocalTunnelId,
        tunnel.PeerTunnelId,
        tunnel.State.ToString().ToLowerInvariant(),
        tunnel.Owner is Dial ? "lac" : "lns",
        tunnel.Path.Peer.ToString(),
        tunnel.Path.Local.ToString(),
        tunnel.PeerHostName,
        tunnel.PeerVendorName,
        shard.Access.RuleName(tunnel),
        tunnel.SessionCount,
        SecondsSince(tunnel.EstablishedAt));

    private SessionRow Describe(Subscriber subscriber)
    {
        SessionCounters counters = shard.Access.CountersOf(subscriber);
        SequenceCounters sequence = shard.Access.SequencingOf(subscriber) ?? default;
        return new SessionRow(
            subscriber.Key.ToString(),
            $"{subscriber.Tunnel.PeerTunnelId}/{subscriber.Session.PeerSessionId}",
            subscriber.IsUp ? "up" : subscriber.Link.Phase.ToString().ToLowerInvariant(),
            subscriber.UserName,
            subscriber.PeerAddress.IsNone ? null : subscriber.PeerAddress.ToString(),
            subscriber.LocalAddress.IsNone ? "" : subscriber.LocalAddress.ToString(),
            [.. subscriber.Routes.Select(r => r.ToString())],
            NodeNames.Method(subscriber.Link),
            subscriber.ProfileName,
            subscriber.Tunnel.Path.Peer.ToString(),
            subscriber.Tunnel.PeerHostName,
            subscriber.Session.Call.CallingNumber ?? "",
            subscriber.Session.Call.CalledNumber ?? "",
            node.InterfaceNameOf(subscriber),
            subscriber.Mtu,
            SecondsSince(subscriber.Since),
            counters.PacketsReceived,
            counters.OctetsReceived,
            counters.PacketsSent,
            counters.OctetsSent,
            counters.DropsTotal,
            sequence.Lost,
            sequence.Late,
            sequence.Duplicates,
            sequence.Reordered);
    }

    private static PoolRow Describe(AddressPool pool) =>
        new(pool.Name, pool.Prefix.ToString(), pool.Gateway.ToString(), pool.InUse, pool.Capacity, pool.Exhausted);
}
