namespace Culvert.Ppp;

/// <summary>Timers and counters of RFC 1661 section 4.6, shared by all protocols of all links of a profile.</summary>
public sealed class NegotiationSettings
{
    public static NegotiationSettings Default { get; } = new();

    /// <summary>Restart timer: between two transmissions of a Configure-Request or Terminate-Request.</summary>
    public TimeSpan RestartInterval
    {
        get;
        init => field = value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value));
    } = TimeSpan.FromSeconds(3);

    /// <summary>Configure-Requests sent without an answer before the peer is given up; 1 to 255.</summary>
    public byte MaxConfigure { get; init; } = 10;

    /// <summary>Terminate-Requests sent without an answer; 1 to 255.</summary>
    public byte MaxTerminate { get; init; } = 2;

    /// <summary>Configure-Naks sent without a Configure-Ack before Naks become Rejects; 1 to 100.</summary>
    public byte MaxFailure { get; init; } = 5;

    /// <summary>
    /// Naks and Rejects, sent and received, before a negotiation counts as not converging; 1 to 255. Above twice Max-Failure, so that
    /// the RFC's own way out is tried first in both directions.
    /// </summary>
    public byte MaxRounds { get; init; } = 30;

    /// <summary>How long a link lingers after it acknowledged the peer's Terminate-Request (zrc: "an appropriate value").</summary>
    public TimeSpan TerminatePause { get; init; } = TimeSpan.FromSeconds(1);
}
