using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What peers were denied lately, for a log: told at once the first time, and then in sums.</summary>
/// <param name="Reason">The counter that says why.</param>
/// <param name="Count">How often since it was last told.</param>
/// <param name="Last">Who was the last; the source of an SCCRQ may be forged.</param>
public readonly record struct AdmissionReport(L2tpCounter Reason, long Count, PeerEndpoint Last)
{
    public override string ToString()
    {
        string what = Reason switch
        {
            L2tpCounter.StartRateExceeded => "SCCRQs dropped: too many per second, from one address or in all",
            L2tpCounter.HalfOpenPerPeerLimit => "SCCRQs dropped: too many half-open tunnels with one address",
            L2tpCounter.CallRateExceeded => "calls refused for now (CDN 4): too many per second, in one tunnel or in all",
            L2tpCounter.CallsDeferred => "calls refused for now (CDN 4): too many authentications are under way",
            L2tpCounter.HalfOpenSessionLimit => "calls not taken or placed: too many are being set up",
            _ => Reason.ToString(),
        };
        return $"{Count} {what}; the last from {Last}";
    }
}

/// <summary>Keeps the sums of <see cref="AdmissionReport"/>s, so that a flood cannot fill a log.</summary>
internal sealed class AdmissionLog
{
    /// <summary>Between two reports of the same reason.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private static readonly L2tpCounter[] Reasons =
    [
        L2tpCounter.StartRateExceeded, L2tpCounter.HalfOpenPerPeerLimit, L2tpCounter.CallRateExceeded, L2tpCounter.CallsDeferred,
        L2tpCounter.HalfOpenSessionLimit,
    ];

    private readonly (long Count, PeerEndpoint Last, Timestamp DueAt)[] _sums = new (long, PeerEndpoint, Timestamp)[Reasons.Length];

    /// <summary>When the next report may be taken.</summary>
    public Timestamp NextDeadline { get; private set; } = Timestamp.Never;

    public void Note(L2tpCounter reason, in PeerEndpoint peer)
    {
        int i = Array.IndexOf(Reasons, reason);
        _sums[i] = (_sums[i].Count + 1, peer, _sums[i].DueAt);
        NextDeadline = Timestamp.Min(NextDeadline, _sums[i].DueAt);
    }

    public bool TryTake(Timestamp now, out AdmissionReport report)
    {
        for (int i = 0; NextDeadline <= now && i < _sums.Length; i++)
        {
            (long count, PeerEndpoint last, Timestamp dueAt) = _sums[i];
            if (count > 0 && dueAt <= now)
            {
                _sums[i] = (0, default, now + Interval);
                FindNextDeadline();
                report = new(Reasons[i], count, last);
                return true;
            }
        }

        report = default;
        return false;
    }

    private void FindNextDeadline()
    {
        NextDeadline = Timestamp.Never;
        foreach ((long count, PeerEndpoint _, Timestamp dueAt) in _sums)
        {
            NextDeadline = count > 0 ? Timestamp.Min(NextDeadline, dueAt) : NextDeadline;
        }
    }
}
