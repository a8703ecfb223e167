using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>What becomes of tunnels: established, ended, replaced by another of a peer that has restarted, forgotten.</summary>
public sealed partial class L2tpEndpoint
{
    /// <summary>How long an older tunnel of a peer that opens another may stay silent before it is asked whether it lives.</summary>
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Older tunnels with the same address and port that are looked at when another is established. Others wait for their HELLO.
    /// </summary>
    private const int OlderTunnelsLookedAt = 64;

    internal void MovePath(Tunnel tunnel, in UdpPath path) => _directory.Move(tunnel, path);

    internal void NoteTime(Timestamp now) => _now = Timestamp.Max(_now, now);

    /// <summary>Keeps what explains an end, for a while.</summary>
    internal void Remember(Tunnel tunnel, Session? session, Disconnect why) =>
        (session is null ? _endedTunnels : _endedSessions).Add(new(tunnel, session, why, _now));

    internal void NoteWaiting(Tunnel tunnel, bool isWaiting)
    {
        if (isWaiting)
        {
            _directory.AddWaiting(tunnel);
        }
        else
        {
            _directory.RemoveWaiting(tunnel);
        }
    }

    internal void NoteEnded(Tunnel tunnel)
    {
        Counters.Add(L2tpCounter.TunnelsClosed);
        _directory.NoteEnded(tunnel);
    }

    internal void NoteEstablished(Tunnel tunnel, Timestamp now)
    {
        Counters.Add(L2tpCounter.TunnelsEstablished);
        _directory.RemoveHalfOpen(tunnel);
        _directory.NotePeerId(tunnel);
        Tell(new(L2tpEventKind.TunnelEstablished, tunnel));
        if (!tunnel.IsStartedHere)
        {
            LookForRestart(tunnel, now);
        }
    }

    /// <summary>
    /// A peer that has now proved itself may have lost its memory of older tunnels. One with the same ID at the same peer is certainly
    /// lost; others are asked, for several tunnels with one address and port are legal.
    /// </summary>
    private void LookForRestart(Tunnel tunnel, Timestamp now)
    {
        Tunnel? older = tunnel.OlderOnPath;
        for (int i = 0; i < OlderTunnelsLookedAt && older is not null; i++)
        {
            Tunnel? next = older.OlderOnPath;
            if (older.State == TunnelState.Established && !older.IsStartedHere)
            {
                HandleOlder(tunnel, older, now);
            }

            older = next;
        }
    }

    private void HandleOlder(Tunnel tunnel, Tunnel older, Timestamp now)
    {
        bool isSameName = string.Equals(older.PeerHostName, tunnel.PeerHostName, StringComparison.Ordinal);
        Disconnect why = Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "the peer has restarted: it opened another tunnel");
        if (older.PeerTunnelId == tunnel.PeerTunnelId)
        {
            tunnel.Notice(L2tpNotice.PeerRestarted);
            older.Abandon(why);
        }
        else if (isSameName && tunnel.Settings.OnRestart == RestartDetection.CloseOlder)
        {
            tunnel.Notice(L2tpNotice.PeerRestarted);
            older.Close(why, now);
        }
        else if (isSameName && tunnel.Settings.OnRestart == RestartDetection.Probe)
        {
            older.IsProbed = true;
            older.Channel.ProbeAfter(ProbePatience, now);
            Touch(older, now);
        }
    }

    internal void Forget(Tunnel tunnel)
    {
        if (!tunnel.IsForgotten)
        {
            tunnel.IsForgotten = true;
            tunnel.Channel.DropHeld();
            _deadlines.Remove(tunnel.LocalTunnelId);
            _directory.Remove(tunnel);
        }
    }
}
