using Culvert.Server.Captures;

namespace Culvert.Server.Control;

/// <summary>What the control API asks of a node. Calls come from any thread and are carried out on the shards.</summary>
internal interface INodeControl
{
    Task<IReadOnlyList<TunnelRow>> Tunnels();

    Task<IReadOnlyList<SessionRow>> Sessions();

    /// <summary>Peers that have tunnels, or to whom something was refused, by address.</summary>
    Task<IReadOnlyList<PeerRow>> Peers();

    Task<IReadOnlyList<PoolRow>> Pools();

    Task<IReadOnlyList<CounterRow>> Counters();

    /// <summary>What is remembered of the tunnels that have or had this ID, the latest first; empty when nothing is.</summary>
    Task<IReadOnlyList<LifeRow>> ExplainTunnel(string id);

    /// <inheritdoc cref="ExplainTunnel"/>
    Task<IReadOnlyList<LifeRow>> ExplainSession(string id);

    Task<CloseAnswer> CloseTunnels(IReadOnlyList<string> ids, string reason);

    Task<CloseAnswer> CloseSessions(IReadOnlyList<string> ids, string reason);

    Task<CloseAnswer> CloseUsers(IReadOnlyList<string> names, string reason);

    /// <exception cref="NodeException">There is nothing of that name, or too many captures run.</exception>
    Task<LiveCapture> StartCapture(CaptureRequest request);

    /// <exception cref="NodeException">The file has errors; nothing was changed.</exception>
    Task<ReloadAnswer> Reload();
}
