using Culvert.Core;

namespace Culvert.Blast;

/// <summary>What a run counted. Belongs to the engine's thread; <see cref="BlastReport"/> is the copy for others.</summary>
public sealed class BlastCounters
{
    /// <summary>Seconds of which the sessions set up are kept: a day.</summary>
    private const int MostSeconds = 86_400;

    private const int Milestone = 1000;

    /// <summary>More than a ramp can have; of the returns that follow, only the first ones are noted.</summary>
    private const int MostMilestones = 2000;

    private readonly List<int> _upPerSecond = [];
    private readonly List<double> _milestones = [];
    private readonly List<TimeSpan> _returns = [];
    private Timestamp _waveBegan;
    private long _ups;

    public LatencyHistogram SetUpTimes { get; } = new();

    public LatencyHistogram Latency { get; } = new();

    /// <summary>Why sessions did not come up.</summary>
    public ReasonCounts Failures { get; } = new();

    /// <summary>Why sessions that were up ended.</summary>
    public ReasonCounts Losses { get; } = new();

    public ReasonCounts TunnelFailures { get; } = new();

    /// <summary>How long each flap took from the return's beginning until everybody was back.</summary>
    public IReadOnlyList<TimeSpan> Returns => _returns;

    public Timestamp Began { get; private set; }

    public Timestamp Ended { get; internal set; }

    public Timestamp TrafficBegan { get; internal set; }

    /// <summary>From the beginning until all sessions were up or given up; null: not yet.</summary>
    public TimeSpan? RampTime { get; internal set; }

    /// <summary>Sessions that had come up when <see cref="RampTime"/> was taken.</summary>
    public long SessionsEstablishedInRamp { get; internal set; }

    /// <summary>The duration was over before everything had come up.</summary>
    public bool IsCutShort { get; internal set; }

    public int UpAtEnd { get; internal set; }

    /// <summary>Tunnels whose StopCCN nobody acknowledged.</summary>
    public int Unclosed { get; internal set; }

    public long TunnelsEstablished { get; internal set; }

    public long SessionsEstablished { get; internal set; }

    public long CallsPlaced { get; internal set; }

    public long CallsRefused { get; internal set; }

    /// <summary>Sessions whose LCP the peer began anew.</summary>
    public long Restarted { get; internal set; }

    public long Rolled { get; internal set; }

    public long LostWithTunnel { get; internal set; }

    public long StartsOfStorm { get; internal set; }

    public long StormCallsPlaced { get; internal set; }

    /// <summary>Answers to calls of a storm.</summary>
    public long CallsOfStorm { get; internal set; }

    public long DatagramsSent { get; internal set; }

    public long DatagramsReceived { get; internal set; }

    public long ControlSent { get; internal set; }

    public long ControlReceived { get; internal set; }

    public long Retransmissions { get; internal set; }

    public long UnknownTunnel { get; internal set; }

    public long UnknownSession { get; internal set; }

    public long Malformed { get; internal set; }

    public long QueueOverflows { get; internal set; }

    public long PacketsSent { get; internal set; }

    /// <summary>Packets that were due and that this process was too slow to send.</summary>
    public long PacketsNotSent { get; internal set; }

    public long OctetsSent { get; internal set; }

    /// <summary>Each packet once.</summary>
    public long PacketsReceived { get; internal set; }

    public long OctetsReceived { get; internal set; }

    /// <summary>Of those received, how many came after a later one of their session.</summary>
    public long PacketsLate { get; internal set; }

    public long PacketsTwice { get; internal set; }

    /// <summary>As answerer: packets handed from one session to another.</summary>
    public long PacketsForwarded { get; internal set; }

    /// <summary>IP packets that are not ours: redirects and the like.</summary>
    public long OtherPackets { get; internal set; }

    /// <summary>Sessions that came up in each second since the ramp, or the last return, began.</summary>
    public IReadOnlyList<int> UpPerSecond => _upPerSecond;

    /// <summary>When the first, the second, ... thousand of sessions had come up, seconds after the beginning; returns count too.</summary>
    public IReadOnlyList<double> Milestones => _milestones;

    internal void Begin(Timestamp now)
    {
        Began = now;
        _waveBegan = now;
    }

    /// <summary>Another wave of set-ups begins: its seconds follow those of the last.</summary>
    internal void BeginWave(Timestamp now) => _waveBegan = now - TimeSpan.FromSeconds(_upPerSecond.Count);

    internal void NoteReturn(TimeSpan time) => _returns.Add(time);

    internal void NoteUp(Timestamp now)
    {
        int second = (int)Math.Min(MostSeconds - 1, (now - _waveBegan).TotalSeconds);
        while (_upPerSecond.Count <= second)
        {
            _upPerSecond.Add(0);
        }

        _upPerSecond[second]++;
        if (++_ups % Milestone == 0 && _milestones.Count < MostMilestones)
        {
            _milestones.Add((now - Began).TotalSeconds);
        }
    }
}

/// <summary>How often each reason was given. Peers write texts, so the number of different ones is bounded.</summary>
public sealed class ReasonCounts
{
    /// <summary>More different reasons than anybody reads; further ones count as "other reasons".</summary>
    private const int MostReasons = 64;

    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    public long Total { get; private set; }

    /// <summary>A copy, the most frequent first.</summary>
    public IReadOnlyDictionary<string, long> ToDictionary() =>
        _counts.OrderByDescending(c => c.Value).ToDictionary(c => c.Key, c => c.Value, StringComparer.Ordinal);

    internal void Add(string reason)
    {
        Total++;
        string key = _counts.Count < MostReasons || _counts.ContainsKey(reason) ? reason : "other reasons";
        _counts[key] = _counts.GetValueOrDefault(key) + 1;
    }
}
