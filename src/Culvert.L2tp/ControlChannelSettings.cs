namespace Culvert.L2tp;

/// <summary>How a <see cref="ControlChannel"/> behaves (RFC 2661 section 5.8).</summary>
public sealed record ControlChannelSettings
{
    /// <summary>The send window until the peer's Receive Window Size is known, and when it names none (section 4.4.3).</summary>
    public const int DefaultPeerWindow = 4;

    public static ControlChannelSettings Default { get; } = new();

    /// <summary>Messages that the peer may have under way to us: what we advertise as Receive Window Size, 1 to 32768.</summary>
    public int ReceiveWindow { get; init; } = 128;

    /// <summary>
    /// Time before the first retransmission until a round trip has been measured; doubles with each further one. Section 5.8 recommends 1 s.
    /// </summary>
    public TimeSpan RetransmitInitial { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The same once round trips are measured (RFC 6298): never shorter than this, however quick the peer. A ZLB may wait a while for a
    /// message to ride on. Zero keeps <see cref="RetransmitInitial"/> for good.
    /// </summary>
    public TimeSpan RetransmitFloor { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Most time between two retransmissions; section 5.8 wants no less than 8 s.</summary>
    public TimeSpan RetransmitCap { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Retransmissions without an answer before the channel gives up.</summary>
    public int MaxRetransmits { get; init; } = 5;

    /// <summary>Silence of the peer after which a HELLO is due (section 5.5); zero for never.</summary>
    public TimeSpan HelloInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Messages waiting and under way at once. Every session of a tunnel may want to send one at the same moment (a storm of
    /// ICRQs or CDNs), so the limit is a little over the 65,535 sessions that a tunnel can have.
    /// </summary>
    public int QueueLimit { get; init; } = 70_000;

    /// <summary>
    /// The full retransmission cycle: from the first transmission until giving up. 31 s with the defaults, as section 5.7 recommends.
    /// </summary>
    public TimeSpan FullCycle => CycleOf(MaxRetransmits);

    /// <summary>The least time until giving up with so many retransmissions; measured round trips do not shorten it.</summary>
    internal TimeSpan CycleOf(int maxRetransmits)
    {
        TimeSpan sum = TimeSpan.Zero;
        for (int tries = 0; tries <= maxRetransmits; tries++)
        {
            sum += IntervalAfter(tries);
        }

        return sum;
    }

    /// <summary>
    /// Time to wait after the transmission that followed <paramref name="retransmits"/> retransmissions while nothing is measured: 1, 2, 4, 8,
    /// 8... s.
    /// </summary>
    public TimeSpan IntervalAfter(int retransmits)
    {
        TimeSpan interval = RetransmitInitial;
        for (int i = 0; i < retransmits && interval < RetransmitCap; i++)
        {
            interval += interval;
        }

        return interval < RetransmitCap ? interval : RetransmitCap;
    }
}
