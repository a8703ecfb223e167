using Culvert.Core;
using Culvert.L2tp;

namespace Culvert.Subscribers.Policy;

/// <summary>What peers together can make this node hold.</summary>
public sealed record NodeLimits
{
    /// <summary>Tunnels in all: 16-bit IDs of which half stay free, so that a random one is found at once.</summary>
    public int Tunnels { get; init; } = 20_000;

    /// <summary>Sessions in all.</summary>
    public int Sessions { get; init; } = 60_000;

    /// <summary>Tunnels not yet established, in all: what a flood of spoofed SCCRQs can occupy.</summary>
    public int HalfOpenTunnels { get; init; } = 2_000;

    /// <summary>Tunnels not yet established, from one address.</summary>
    public int HalfOpenTunnelsPerPeer { get; init; } = 32;

    /// <summary>Retransmissions of an SCCRP: few, because the SCCRQ may have carried somebody else's address.</summary>
    public int HalfOpenRetransmits { get; init; } = EndpointLimits.Default.HalfOpenRetransmits;

    /// <summary>Half-open tunnels above which a further SCCRQ is answered from a small record in place of a tunnel.</summary>
    public int PendingStartsAbove { get; init; } = EndpointLimits.Default.PendingStartsAbove;

    /// <summary>Such records, of about 350 octets; zero for none.</summary>
    public int PendingStarts { get; init; } = EndpointLimits.Default.PendingStarts;

    /// <summary>Sessions not yet established, in all.</summary>
    public int HalfOpenSessions { get; init; } = 8_000;

    /// <summary>
    /// Users whose identity is being judged by somebody who takes his time, in all. While there are so many, new calls are refused with
    /// "try again later": a server with 100 ms per answer clears this many in 10 s when it takes 20 at a time, about a user's patience.
    /// </summary>
    public int AuthenticationsInFlight { get; init; } = 2_000;

    /// <summary>SCCRQs per second in all; more are dropped unread.</summary>
    public RateLimit StartRate { get; init; } = EndpointLimits.Default.StartRate;

    /// <summary>SCCRQs per second from one address; more are dropped unread.</summary>
    public RateLimit StartRatePerPeer { get; init; } = EndpointLimits.Default.StartRatePerPeer;

    /// <summary>ICRQs and OCRQs per second in all; more are refused with "try again later".</summary>
    public RateLimit CallRate { get; init; } = EndpointLimits.Default.CallRate;

    /// <summary>Ended tunnels whose history is kept.</summary>
    public int EndedTunnelsKept { get; init; } = EndpointLimits.Default.EndedTunnelsKept;

    /// <summary>Ended sessions whose history is kept.</summary>
    public int EndedSessionsKept { get; init; } = EndpointLimits.Default.EndedSessionsKept;

    /// <summary>
    /// What is in force after a reload: all of <paramref name="next"/> but those by which tables and queues were made when the node
    /// started.
    /// </summary>
    public NodeLimits TakeOver(NodeLimits next) => next with
    {
        Tunnels = Tunnels,
        Sessions = Sessions,
        PendingStarts = PendingStarts,
        EndedTunnelsKept = EndedTunnelsKept,
        EndedSessionsKept = EndedSessionsKept,
    };
}
