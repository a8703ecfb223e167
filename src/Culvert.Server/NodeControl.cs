using System.Globalization;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;
using Culvert.Server.Control;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>Answers the control API by asking the shard.</summary>
internal sealed class NodeControl(Node node, Shard shard) : INodeControl
{
    /// <summary>Rows described in one go; in between, packets are served.</summary>
    private const int RowsPerTurn = 500;

    private readonly RowWriter _rows = new(node, shard.Access);

    public async Task<IReadOnlyList<TunnelRow>> Tunnels()
    {
        Tunnel[] all = await shard.Mailbox.Ask<Tunnel[]>(() => [.. shard.Access.Tunnels]);
        return await InPages(all, tunnels => tunnels.Where(t => t.Ended is null).Select(_rows.Describe));
    }

    public async Task<IReadOnlyList<SessionRow>> Sessions()
    {
        var rows = new List<SessionRow>();
        for (int next = 0; next >= 0;)
        {
            int first = next;
            next = await shard.Mailbox.Ask(() =>
            {
                var page = new List<Subscriber>();
                int then = shard.Access.PageOfSubscribers(first, RowsPerTurn, page);
                rows.AddRange(page.Select(_rows.Describe));
                return then;
            });
        }

        rows.AddRange(await shard.Mailbox.Ask<IReadOnlyList<SessionRow>>(() => [.. shard.Access.OutgoingLines.Select(RowWriter.Describe)]));
        return rows;
    }

    public async Task<IReadOnlyList<PeerRow>> Peers()
    {
        PeerRows rows = await shard.Mailbox.Ask(() => new PeerRows(shard.Access));
        return await InPages(rows.Addresses, addresses => addresses.Select(rows.Describe));
    }

    public Task<IReadOnlyList<PoolRow>> Pools() => shard.Mailbox.Ask<IReadOnlyList<PoolRow>>(() => [.. shard.Access.Pools.Select(RowWriter.Describe)]);

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
        return await shard.Mailbox.Ask(() => node.Reload(next));
    }

    public Task<LiveCapture> StartCapture(CaptureRequest request) => LiveCapture.Start(request, shard);

    private async Task<IReadOnlyList<TRow>> InPages<T, TRow>(T[] all, Func<ArraySegment<T>, IEnumerable<TRow>> describe)
    {
        var rows = new List<TRow>(all.Length);
        for (int first = 0; first < all.Length; first += RowsPerTurn)
        {
            var page = new ArraySegment<T>(all, first, Math.Min(RowsPerTurn, all.Length - first));
            rows.AddRange(await shard.Mailbox.Ask<TRow[]>(() => [.. describe(page)]));
        }

        return rows;
    }

    private Task<IReadOnlyList<LifeRow>> Explain(Func<Timestamp, IReadOnlyList<LifeStory>> ask) => shard.Mailbox.Ask<IReadOnlyList<LifeRow>>(
        () => [.. ask(MonotonicClock.Now).Select(_rows.Describe)]);

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
}
