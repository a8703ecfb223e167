using Culvert.Core;

namespace Culvert.Subscribers.Dhcp;

/// <summary>
/// How many messages of one session are read, in 8 octets: the time at which all that were let through would have been, had they come
/// evenly ("virtual scheduling"). A client asks once for each connection and repeats that three or four times.
/// </summary>
internal struct DhcpPace
{
    /// <summary>At once; afterwards one per <see cref="Interval"/>.</summary>
    public const int Burst = 8;

    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private Timestamp _accountedUntil;

    public bool TryTake(Timestamp now)
    {
        Timestamp from = Timestamp.Max(_accountedUntil, now);
        if (from - now > Interval * (Burst - 1))
        {
            return false;
        }

        _accountedUntil = from + Interval;
        return true;
    }
}
