using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>
/// How long to wait for an acknowledgement: RFC 6298's estimate, measured on one message at a time, never on a repeated one (Karn's rule:
/// nobody knows which copy was acknowledged). Until there is a measurement the configured interval holds.
/// </summary>
internal struct RoundTripTimer(ControlChannelSettings settings)
{
    /// <summary>Times in a row that the timer may go off without a measurement in between before it keeps its doublings.</summary>
    private const int UnmeasuredTolerated = 2;

    private TimeSpan _smoothed;
    private TimeSpan _variation;
    private TimeSpan _slowest;
    private Timestamp _timedAt;
    private ushort _timedNs;
    private bool _isTiming;
    private int _backOff;
    private int _unmeasured;
    private bool _hasFired;

    public bool HasMeasured { get; private set; }

    /// <summary>The smoothed round trip; zero before the first measurement.</summary>
    public readonly TimeSpan RoundTrip => _smoothed;

    /// <summary>From a transmission until its repetition.</summary>
    public readonly TimeSpan Interval
    {
        get
        {
            TimeSpan interval = Base;
            for (int i = 0; i < _backOff && interval < settings.RetransmitCap; i++)
            {
                interval += interval;
            }

            return interval < settings.RetransmitCap ? interval : settings.RetransmitCap;
        }
    }

    // A peer that answers most messages at once and others late, such as a ZLB that waits for something to ride on, is not hurried:
    // half as long again as its slowest acknowledgement of late is the least.
    private readonly TimeSpan Base
    {
        get
        {
            if (!HasMeasured || settings.RetransmitFloor <= TimeSpan.Zero)
            {
                return settings.RetransmitInitial;
            }

            TimeSpan estimate = Longer(_smoothed + (4 * _variation), 1.5 * _slowest);
            return Longer(estimate, settings.RetransmitFloor);
        }
    }

    /// <summary>A message was sent for the first time.</summary>
    public void NoteSent(ushort ns, Timestamp now)
    {
        if (!_isTiming)
        {
            (_timedNs, _timedAt, _isTiming) = (ns, now, true);
        }
    }

    /// <summary>Something was or will be sent again, so that what is under way measures nothing any more.</summary>
    public void Cancel() => _isTiming = false;

    /// <summary>The timer went off: twice as long next time (section 5.8).</summary>
    public void BackOff()
    {
        Cancel();
        _hasFired = true;
        _backOff = Interval < settings.RetransmitCap ? _backOff + 1 : _backOff;
    }

    /// <summary>Everything before <paramref name="oldestNs"/> is acknowledged.</summary>
    public void NoteAcknowledged(ushort oldestNs, Timestamp now)
    {
        if (_isTiming && (short)(oldestNs - _timedNs) > 0)
        {
            (_isTiming, _hasFired, _backOff, _unmeasured) = (false, false, 0, 0);
            Measure(now - _timedAt);
            return;
        }

        // Karn's rule in full would keep the doubled interval until something is measured. On a lossy path that lasts, and makes each
        // further loss dear. So it is kept only when the timer goes off time after time without a measurement in between: then the peer has
        // really become slow.
        _unmeasured += _hasFired ? 1 : 0;
        _hasFired = false;
        _backOff = HasMeasured ? Math.Min(_backOff, Math.Max(0, _unmeasured - UnmeasuredTolerated)) : 0;
    }

    // RFC 6298 section 2.
    private void Measure(TimeSpan sample)
    {
        if (!HasMeasured)
        {
            (HasMeasured, _smoothed, _variation, _slowest) = (true, sample, sample / 2, sample);
            return;
        }

        _variation = (0.75 * _variation) + (0.25 * (_smoothed - sample).Duration());
        _smoothed = (0.875 * _smoothed) + (0.125 * sample);
        _slowest = Longer(sample, _slowest - (_slowest / 32));
    }

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
