using Culvert.Dataplane;

namespace Culvert.Subscribers.Policy;

/// <summary>How the data messages of a peer's sessions are written and marked, and how they are put into order.</summary>
public sealed record DataPolicy
{
    /// <summary>CS6, network control (RFC 4594 section 3.1): a tunnel must not fall because its HELLOs queue behind data.</summary>
    public const byte DefaultControlDscp = 48;

    public static readonly DataPolicy Default = new();

    /// <summary>Of control messages, unless a per-hop behaviour was agreed (RFC 3308). 0 to 63.</summary>
    public byte ControlDscp { get; init; } = DefaultControlDscp;

    /// <summary>Of data, unless a per-hop behaviour was agreed or <see cref="CopyDscp"/>. 0 to 63.</summary>
    public byte DataDscp { get; init; }

    /// <summary>Outer packets have the DSCP of the packets inside. PPP's own frames are marked as control messages are.</summary>
    public bool CopyDscp { get; init; }

    /// <summary>Offer to propagate ECN (RFC 9601), and do so with peers that do.</summary>
    public bool Ecn { get; init; } = true;

    /// <summary>What may wait for an earlier message, in sessions that sequence.</summary>
    public ReorderLimits Reorder { get; init; } = ReorderLimits.Default;

    /// <summary>Write the Length field into data headers, for peers that want it (RFC 2661 section 3.1: optional).</summary>
    public bool LengthField { get; init; }
}
