using Culvert.Core;
using Culvert.L2tp;

namespace Culvert.Blast;

internal enum BlastTunnelState : byte
{
    /// <summary>Away: not wanted (now), or (answerer) free.</summary>
    Idle,

    /// <summary>Its deadline is the next attempt.</summary>
    Waiting,

    /// <summary>SCCRQ sent or, as answerer, SCCRP sent.</summary>
    Starting,

    Established,

    /// <summary>StopCCN sent, and not yet acknowledged.</summary>
    Closing,

    /// <summary>No attempt is left.</summary>
    Failed,
}

/// <summary>One tunnel: its reliable channel, and which of its sessions wait for their turn.</summary>
internal sealed class BlastTunnel(int index, int socket, int firstSession)
{
    public int Index { get; } = index;

    public int Socket { get; set; } = socket;

    /// <summary>Index of its first session; the others follow.</summary>
    public int FirstSession { get; } = firstSession;

    public BlastTunnelState State { get; set; }

    public ControlChannel? Channel { get; set; }

    public UdpPath Path { get; set; }

    public ushort LocalTunnelId { get; set; }

    /// <summary>The Challenge that we sent, while its answer is awaited.</summary>
    public byte[]? Challenge { get; set; }

    public int Attempts { get; set; }

    /// <summary>First of the sessions in the queue (answerer: of the free ones), or <see cref="BlastSession.None"/>.</summary>
    public int QueueHead { get; set; } = BlastSession.None;

    public int QueueTail { get; set; } = BlastSession.None;

    /// <summary>It stands in the queue of tunnels that can place a call.</summary>
    public bool IsReady { get; set; }

    /// <summary>It stands in the queue of tunnels that may have something to send.</summary>
    public bool IsToTransmit { get; set; }

    /// <summary>Counts calls of a storm, which have Session IDs of their own.</summary>
    public int StormCalls { get; set; }

    /// <summary>A channel that takes more only piles it up: calls wait in the queue instead, where they cost nothing.</summary>
    public bool HasRoom => State == BlastTunnelState.Established && Channel!.Unacknowledged < 2 * Channel.PeerWindow;
}
