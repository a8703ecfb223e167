using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What peers may make an endpoint hold (one shard's share of a node).</summary>
public sealed record EndpointLimits
{
    public static EndpointLimits Default { get; } = new();

    /// <summary>
    /// Tunnels at once, those that linger after their end included; 1 to 32,768. IDs are drawn at random until a free one comes,
    /// so half of the 65,535 stay free.
    /// </summary>
    public int MaxTunnels { get; init; } = 16_384;

    /// <summary>Tunnels that a peer has begun and not completed. A SCCRQ may be spoofed, so this bounds what a flood can hold.</summary>
    public int MaxHalfOpenTunnels { get; init; } = 1024;

    /// <summary>
    /// Half-open tunnels above which a further SCCRQ is answered from a record of about 350 octets in place of a tunnel: more than
    /// concentrators begin at once after a restart, so that only a flood gets there.
    /// </summary>
    public int PendingStartsAbove { get; init; } = 256;

    /// <summary>
    /// Such records: about 3 MB, taken when the first is needed; 0 for none. The oldest makes room, so a flood of 50,000 SCCRQs per second
    /// leaves an honest peer 160 ms for its SCCCN. Each lasts as long as that needs, or until the peer's SCCRQ comes again.
    /// </summary>
    public int PendingStarts { get; init; } = 8192;

    /// <summary>Of those, how many one address may have: a peer starts few at once, and one address shall not push others out.</summary>
    public int MaxHalfOpenTunnelsPerPeer { get; init; } = 64;

    /// <summary>
    /// Retransmissions of an SCCRP. Few, because whoever sent the SCCRQ may have given somebody else's address; the peer itself
    /// repeats its SCCRQ when nothing arrives.
    /// </summary>
    public int HalfOpenRetransmits { get; init; } = 3;

    /// <summary>Sessions at once in all tunnels.</summary>
    public int MaxSessions { get; init; } = 65_536;

    /// <summary>Sessions being set up at once in all tunnels: each may cost an authentication.</summary>
    public int MaxHalfOpenSessions { get; init; } = 32_768;

    /// <summary>
    /// SCCRQs judged per second in all; more are dropped unread, without an answer, for that would go to a forged address. An SCCRQ costs
    /// some 4 us, so this leaves nine tenths of a core to others; with less, a flood would shut out peers that
    /// <see cref="PendingStarts"/> can serve.
    /// </summary>
    public RateLimit StartRate { get; init; } = new(25_000, 25_000);

    /// <summary>
    /// SCCRQs judged per second and address; more are dropped unread. A peer repeats its SCCRQ after a second or two, and an answer to a
    /// forged one would go to somebody else. Room for a concentrator that opens hundreds of tunnels after a restart.
    /// </summary>
    public RateLimit StartRatePerPeer { get; init; } = new(200, 1000);

    /// <summary>Addresses of which <see cref="StartRatePerPeer"/> keeps account: about 60 octets each.</summary>
    public int RatedPeers { get; init; } = 8192;

    /// <summary>
    /// ICRQs and OCRQs taken per second in all tunnels; more are refused with CDN 4, so that the peer tries again later. A call with its
    /// PPP costs some 0.1 ms, so this leaves half a core for packets; the burst lets a concentrator's subscribers return at once.
    /// </summary>
    public RateLimit CallRate { get; init; } = new(5000, 20_000);

    /// <summary>
    /// Octets kept in all tunnels of control messages that came before an earlier one. A tunnel may have a whole receive window of them,
    /// 260 kB, so tunnels by the thousand whose peers never send what is missing could take gigabytes. This is room for 250 such
    /// tunnels, or for 2 messages of usual length in each of 100,000: a concentrator's mass reconnect over a path that loses. Beyond it
    /// early messages are not kept, and the peer sends them again (RFC 2661 section 5.8).
    /// </summary>
    public long HeldOctets { get; init; } = 64 * 1024 * 1024;

    /// <summary>Ended tunnels whose history is kept: up to 1 kB each.</summary>
    public int EndedTunnelsKept { get; init; } = 64;

    /// <summary>Ended sessions whose history is kept: up to 400 octets each. A flap of thousands leaves the last of them.</summary>
    public int EndedSessionsKept { get; init; } = 256;

    /// <summary>Answers without a tunnel behind them that wait to be sent: as many as one turn of a loop may cause.</summary>
    public int MaxPendingReplies { get; init; } = 256;
}

/// <summary>
/// The tunnel IDs that one shard may assign: those that leave <paramref name="Remainder"/> when divided by <paramref name="Divisor"/>,
/// so that a socket filter can steer datagrams back to the shard. 0 is never assigned.
/// </summary>
public readonly record struct TunnelIdSpace(ushort Divisor, ushort Remainder)
{
    public static TunnelIdSpace All => new(1, 0);

    internal bool Contains(int id) => id != 0 && id % Divisor == Remainder;
}
