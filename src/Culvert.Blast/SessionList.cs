using System.Globalization;
using Culvert.Core;

namespace Culvert.Blast;

/// <summary>How one session's data messages look from here: for those who want to imitate or to read them.</summary>
/// <param name="Local">The address and port that they come from.</param>
/// <param name="TunnelId">The peer's.</param>
/// <param name="SessionId">The peer's.</param>
/// <param name="Address">The client end's.</param>
public readonly record struct ListedSession(PeerEndpoint Local, ushort TunnelId, ushort SessionId, IpAddress Address)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Local} {TunnelId} {SessionId} {Address}");
}

public sealed partial class BlastEngine
{
    /// <summary>The sessions that are up now.</summary>
    /// <param name="local">The sockets' addresses, by their numbers.</param>
    public IReadOnlyList<ListedSession> ListSessions(IReadOnlyList<PeerEndpoint> local)
    {
        var sessions = new ListedSession[_upCount];
        for (int i = 0; i < sessions.Length; i++)
        {
            ref BlastSession session = ref _sessions[_up[i]];
            BlastTunnel tunnel = _tunnels[session.Tunnel];
            sessions[i] = new ListedSession(local[tunnel.Socket], tunnel.Channel!.PeerTunnelId, session.PeerSessionId, IpAddress.FromUInt32(session.Address));
        }

        return sessions;
    }
}
