using Culvert.Core;

namespace Culvert.Ppp;

/// <summary>
/// Whether the peer is still there: after silence it is asked, and silence after several questions is death. Whatever the peer
/// sends is an answer, so a link that carries data is never asked.
/// </summary>
internal struct Keepalive
{
    private Timestamp _lastHeard;
    private Timestamp _askAt;
    private byte _unanswered;

    /// <summary>Questions since the peer was last heard of.</summary>
    public readonly int Unanswered => _unanswered;

    public readonly Timestamp LastHeard => _lastHeard;

    public readonly Timestamp NextDeadline => _askAt;

    /// <summary>The first question comes early by up to a quarter, so that links that came up together do not ask together.</summary>
    public void Start(TimeSpan interval, IRandomSource random, Timestamp now)
    {
        _unanswered = 0;
        _askAt = interval > TimeSpan.Zero ? now + (interval * (0.75 + (random.NextBelow(256) / 1024.0))) : Timestamp.Never;
        _lastHeard = interval > TimeSpan.Zero ? _askAt - interval : now;
    }

    public void Stop() => _askAt = Timestamp.Never;

    public void Heard(Timestamp now)
    {
        _lastHeard = now;
        _unanswered = 0;
    }

    /// <summary>True when an echo request is due. The deadline moves on in any case.</summary>
    public bool TakeDue(TimeSpan interval, Timestamp now)
    {
        if (now < _askAt)
        {
            return false;
        }

        // Data postpones the question here instead of moving a timer with every packet. The last answer, a round trip ago, does not.
        Timestamp quietUntil = _lastHeard + interval;
        if (quietUntil > now + (interval / 8))
        {
            _askAt = quietUntil;
            return false;
        }

        _askAt = now + interval;
        return true;
    }

    public void Asked() => _unanswered++;
}
