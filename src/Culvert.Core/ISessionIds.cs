namespace Culvert.Core;

/// <summary>
/// Hands out local session IDs. The data plane implements it, because an ID is chosen so that its slot in the session table is
/// free; L2TP only asks. IDs are random, unique within their tunnel and never 0.
/// </summary>
public interface ISessionIds
{
    /// <summary>Reserves an ID within <paramref name="localTunnelId"/>; false when the table is full.</summary>
    bool TryReserve(ushort localTunnelId, out ushort localSessionId);

    /// <summary>Gives an ID back. Unknown IDs are ignored.</summary>
    void Release(ushort localTunnelId, ushort localSessionId);
}
