namespace Culvert.Simulation;

/// <summary>What befalls a run. Drawn from the seed, so that every run is another mixture.</summary>
public sealed record SimulationOptions
{
    public int Servers { get; init; } = 1;

    public int Concentrators { get; init; } = 2;

    public int LinesEach { get; init; } = 4;

    /// <summary>Nodes that dial by themselves.</summary>
    public int Branches { get; init; } = 2;

    public double Loss { get; init; }

    public double Duplication { get; init; }

    public double Reordering { get; init; }

    public double Corruption { get; init; }

    public double JitterMilliseconds { get; init; }

    public double DelayMilliseconds { get; init; } = 10;

    /// <summary>Partitions, clogs, restarts, clock jumps, hang-ups and reloads, drawn one after the other.</summary>
    public int Incidents { get; init; } = 12;

    /// <summary>How long the faults last, in virtual seconds.</summary>
    public double FaultSeconds { get; init; } = 240;

    /// <summary>Somebody sends rubbish, repeats what was overheard, and floods with SCCRQs in other names.</summary>
    public bool HasHostilePeer { get; init; }

    /// <summary>A LAC damages a part of what it sends.</summary>
    public double Misbehaviour { get; init; }

    /// <summary>
    /// Pairs of bare endpoints that keep incoming and outgoing calls up, tell line status, number their data, and have rate limits, a
    /// restart policy and a shard's share of tunnel IDs.
    /// </summary>
    public int Exchanges { get; init; }

    /// <summary>A peer that knows the protocol lies to the first server.</summary>
    public bool HasLiar { get; init; }

    /// <summary>The lines have a wrong password, so that they never come up: to see that a failure is seen.</summary>
    public bool IsSabotaged { get; init; }

    /// <summary>The servers may hold so little that their limits are reached all the time.</summary>
    public bool HasTightLimits { get; init; }

    public bool HasSecret { get; init; }

    public bool HidesAvps { get; init; }

    /// <summary>The LNS's receive window towards these peers; RFC 2661's least useful one shows most.</summary>
    public int Window { get; init; } = 128;
}
