using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

public enum DialState : byte
{
    /// <summary>The host names are being looked up.</summary>
    Resolving,

    Connecting,
    Up,

    /// <summary>Everything failed; the next round starts at <see cref="Dial.NextAttempt"/>.</summary>
    Waiting,

    /// <summary>It ended and will not be dialled again.</summary>
    Ended,
}

/// <summary>A connection that this node opens and keeps open: one after the other, the addresses of its LNSes are tried.</summary>
public sealed class Dial
{
    internal Dial(int index, DialSettings settings, TunnelSettings tunnelSettings)
    {
        Index = index;
        Settings = settings;
        TunnelSettings = tunnelSettings;
    }

    public DialSettings Settings { get; }

    public DialState State { get; internal set; }

    /// <summary>The session of this connection while it is being set up or is up.</summary>
    public Subscriber? Subscriber { get; internal set; }

    public Timestamp NextAttempt { get; internal set; } = Timestamp.Never;

    internal int Index { get; }

    internal TunnelSettings TunnelSettings { get; }

    internal IReadOnlyList<PeerEndpoint> Candidates { get; set; } = [];

    internal int NextCandidate { get; set; }

    internal Tunnel? Tunnel { get; set; }

    internal Dictionary<int, PppLinkSettings> LinkSettingsByMru { get; } = [];

    /// <summary>Rounds that failed since the connection was last up.</summary>
    internal int FailedRounds { get; set; }

    internal string LastProblem { get; set; } = "";

    public override string ToString() => $"dial {Settings.Name}";
}
