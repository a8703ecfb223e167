using System.Globalization;
using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>What a storm did. Times are virtual seconds, peaks are the fullest moments of each queue.</summary>
public sealed record StormReport
{
    public required int Sessions { get; init; }

    /// <summary>From the first SCCRQ until every session was up the first time.</summary>
    public required double FirstSeconds { get; init; }

    /// <summary>From the LAC's return until every session was up again.</summary>
    public required double BackSeconds { get; init; }

    /// <summary>Of those, until 90 of 100 were up again.</summary>
    public required double MostBackSeconds { get; init; }

    /// <summary>From the LAC's return until the LNS had forgotten every session from before.</summary>
    public required double OldGoneSeconds { get; init; }

    /// <summary>Calls that the LNS put off, or that failed otherwise, after the return.</summary>
    public required long FailedCalls { get; init; }

    public required long Packets { get; init; }

    public required IReadOnlyDictionary<string, long> Peaks { get; init; }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Sessions} sessions: up after {FirstSeconds:F1} s; back {BackSeconds:F1} s after the LAC's return (90 % after {MostBackSeconds:F1} s), with {FailedCalls} calls repeated;");
        text.AppendLine(CultureInfo.InvariantCulture, $"the old sessions were forgotten after {OldGoneSeconds:F1} s; {Packets} packets in all. Peaks:");
        foreach ((string queue, long peak) in Peaks.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {queue,-40} {peak,8}");
        }

        return text.ToString();
    }
}

/// <summary>One LAC with many sessions vanishes for half a minute, loses everything, and comes back with all its users at once.</summary>
public sealed class StormScenario
{
    private const string Password = "correct-horse";
    private const double AwaySeconds = 30;

    private readonly SortedDictionary<string, long> _peaks = new(StringComparer.Ordinal);
    private readonly SimulatedWorld _world;
    private readonly AccessEnd _lns;
    private readonly LacEnd _lac;
    private readonly int _sessions;

    private StormScenario(int sessions, ulong seed, LinkConditions? conditions)
    {
        _sessions = sessions;
        _world = new SimulatedWorld(seed, conditions ?? new LinkConditions { Delay = TimeSpan.FromMilliseconds(10), Jitter = TimeSpan.FromMilliseconds(2) });
        var settings = new NodeSettings
        {
            NodeName = "lns",
            Peers = [new PeerRule { Name = "any" }],
            Profiles = [new Profile { Name = "default", Pool = "pool", Authentication = [AuthenticationMethod.ChapMd5] }],
            Pools = [new PoolSettings { Name = "pool", Ipv4 = IpPrefix.Parse("100.64.0.0/15"), Gateway = IpAddress.Parse("100.64.0.1") }],
            Users = [.. Enumerable.Range(0, sessions).Select(i => new User { Name = $"line{i}", Password = Password })],
        };
        _lns = _world.Add(new AccessEnd("lns", new PeerEndpoint(IpAddress.Parse("192.0.2.1"), 1701), settings, seed) { IsRecording = false, WatchesWindows = false });
        _lac = _world.Add(new LacEnd("lac", new PeerEndpoint(IpAddress.Parse("198.51.100.1"), 1701), _lns.At, seed + 1) { WatchesWindows = false });
        for (int i = 0; i < sessions; i++)
        {
            _lac.PlaceCall($"line{i}", Password);
        }

        _world.BeforeTransmit = NotePeaks;
    }

    public static StormReport Execute(int sessions, ulong seed = 1, LinkConditions? conditions = null) =>
        new StormScenario(sessions, seed, conditions).Execute();

    private StormReport Execute()
    {
        Timestamp start = _world.Now;
        Must(_world.RunUntil(() => _lac.UpCount == _sessions, 1200), "not all sessions came up");
        double first = (_world.Now - start).TotalSeconds;
        _world.Pass(70);
        Check();

        _lac.IsOff = true;
        _world.Pass(AwaySeconds);
        _lac.Restart(_world.Now);
        _lac.IsOff = false;
        Timestamp back = _world.Now;
        ushort oldTunnel = _lns.Access.Tunnels.First().LocalTunnelId;
        Must(_world.RunUntil(() => _lac.UpCount >= _sessions * 9 / 10, 1200), $"only {_lac.UpCount} sessions came back");
        double most = (_world.Now - back).TotalSeconds;
        Must(_world.RunUntil(() => _lac.UpCount == _sessions, 1200), $"only {_lac.UpCount} sessions came back");
        double all = (_world.Now - back).TotalSeconds;
        long failed = _lac.FailedCalls;
        Must(_world.RunUntil(() => !_lns.Access.Tunnels.Any(t => t.LocalTunnelId == oldTunnel), 600), "the old tunnel stays");
        double gone = (_world.Now - back).TotalSeconds;
        _world.Pass(10);
        Check();
        Must(_lns.Access.SessionCount == _sessions && _lac.UpCount == _sessions, "a session was lost with the old tunnel");
        return new StormReport
        {
            Sessions = _sessions,
            FirstSeconds = first,
            MostBackSeconds = most,
            BackSeconds = all,
            OldGoneSeconds = gone,
            FailedCalls = failed,
            Packets = _world.Trace.Packets,
            Peaks = _peaks,
        };
    }

    private void Check()
    {
        _lns.Check();
        _lac.Check();
    }

    private void NotePeaks(SimulatedEnd end)
    {
        Peak("network: packets under way", _world.Network.Underway);
        if (end == _lns)
        {
            Peak("LNS: sessions being set up", _lns.Access.SessionsBeingSetUp);
            Peak("LNS: sessions with PPP frames to send", _lns.Access.SessionsWaitingToTransmit);
            Peak("LNS: events told at once", _lns.MostEventsAtOnce);
            Peak("LNS: sessions, old and new", _lns.Access.SessionCount);
        }
        else
        {
            Peak("LAC: sessions being set up", _lac.Endpoint.SessionsBeingSetUp);
            Peak("LAC: sessions with PPP frames to send", _lac.LinesWaitingToTransmit);
            Peak("LAC: events told at once", _lac.MostEventsAtOnce);
        }

        foreach (Tunnel tunnel in end.Tunnels)
        {
            string name = end == _lns ? "LNS" : "LAC";
            Peak($"{name}: control messages queued", tunnel.MessagesQueued);
            Peak($"{name}: control messages under way", tunnel.MessagesInFlight);
        }
    }

    private void Peak(string queue, long value)
    {
        if (!_peaks.TryGetValue(queue, out long peak) || value > peak)
        {
            _peaks[queue] = value;
        }
    }

    private void Must(bool isTrue, string otherwise)
    {
        if (!isTrue)
        {
            throw new InvariantViolatedException($"storm of {_sessions} sessions: {otherwise}; {_lac.DescribeWhatIsHeld()}; {_lns.DescribeWhatIsHeld()}\n{_world.Trace}");
        }
    }
}
