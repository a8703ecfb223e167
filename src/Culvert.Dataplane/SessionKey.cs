namespace Culvert.Dataplane;

/// <summary>
/// A session by the two IDs that this node assigned: the name under which the data plane, the routes and the counters know it.
/// It stays the same when the table grows. The default value is "no session" (session ID 0 is never assigned).
/// </summary>
public readonly record struct SessionKey(uint Value)
{
    public SessionKey(ushort localTunnelId, ushort localSessionId)
        : this(((uint)localTunnelId << 16) | localSessionId)
    {
    }

    public ushort LocalTunnelId => (ushort)(Value >> 16);

    public ushort LocalSessionId => (ushort)Value;

    public bool IsNone => Value == 0;

    public override string ToString() => $"{LocalTunnelId}/{LocalSessionId}";
}
