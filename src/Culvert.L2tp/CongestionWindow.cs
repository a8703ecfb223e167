namespace Culvert.L2tp;

/// <summary>
/// Slow start and congestion avoidance (RFC 2661 Appendix A), counted in messages.
/// </summary>
internal struct CongestionWindow(int limit)
{
    // RFC 5681 equation 4.
    private const int LeastThreshold = 2;

    private int _limit = limit;
    private int _threshold = limit;
    private int _acknowledgements;
    private int _sizeBefore;
    private int _thresholdBefore;

    /// <summary>CWND: messages that may be under way, never more than the peer's receive window.</summary>
    public int Size { get; private set; } = 1;

    /// <summary>The peer's receive window became known; SSTHRESH starts there.</summary>
    public void SetLimit(int limit)
    {
        _limit = limit;
        _threshold = limit;
        Size = Math.Min(Size, limit);
    }

    /// <summary>An acknowledgement of something new arrived.</summary>
    public void NoteAcknowledgement()
    {
        if (Size >= _limit)
        {
            return;
        }

        if (Size < _threshold)
        {
            Size++;
            return;
        }

        // Congestion avoidance: 1/CWND per acknowledgement, so one message more after CWND of them.
        if (++_acknowledgements >= Size)
        {
            _acknowledgements = 0;
            Size++;
        }
    }

    /// <summary>A message is missing while later ones arrive (RFC 5681 section 3.2): half as many from now on.</summary>
    public void NoteLoss()
    {
        (_sizeBefore, _thresholdBefore) = (Size, _threshold);
        _threshold = Math.Max(Size / 2, LeastThreshold);
        _acknowledgements = 0;
        Size = Math.Min(_threshold, _limit);
    }

    /// <summary>There was no loss: as it was before.</summary>
    public void Undo()
    {
        Size = Math.Min(Math.Max(Size, _sizeBefore), _limit);
        _threshold = Math.Max(_threshold, _thresholdBefore);
    }

    /// <summary>
    /// The timer went off. The threshold is halved once: further timeouts of the same message say nothing new (RFC 5681 section 3.1).
    /// </summary>
    public void NoteTimeout(bool isRepeated)
    {
        _threshold = isRepeated ? _threshold : Math.Max(Size / 2, LeastThreshold);
        _acknowledgements = 0;
        Size = 1;
    }
}
