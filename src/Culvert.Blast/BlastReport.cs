using System.Text.Json;
using System.Text.Json.Serialization;
using Culvert.Core;

namespace Culvert.Blast;

/// <summary>What a run has done so far; the last one is the result. Its JSON has the same names in kebab-case; times are in the unit named.</summary>
public sealed record BlastReport
{
    public required string Phase { get; init; }

    public required double ElapsedSeconds { get; init; }

    /// <summary>All that was asked for came up, and came back after each flap.</summary>
    public required bool IsComplete { get; init; }

    public required TunnelReport Tunnels { get; init; }

    public required SessionReport Sessions { get; init; }

    public required SetUpReport SetUp { get; init; }

    /// <summary>Null: no data was asked for.</summary>
    public TrafficReport? Traffic { get; init; }

    public required TransportReport Transport { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, BlastReportContext.Default.BlastReport);

    /// <summary>A copy of what the engine counted.</summary>
    public static BlastReport Of(BlastEngine engine, BlastSettings settings, in TransportFigures transport, Timestamp now)
    {
        BlastCounters counters = engine.Counters;
        bool isOver = engine.Phase >= BlastPhase.Drain;
        int up = isOver ? counters.UpAtEnd : engine.SessionsUp;
        return new BlastReport
        {
            Phase = engine.Phase.ToString(),
            ElapsedSeconds = ((isOver ? counters.Ended : now) - counters.Began).TotalSeconds,
            IsComplete = isOver && !counters.IsCutShort && (settings.IsAnswerer || up == settings.Sessions),
            Tunnels = new(settings.Tunnels, engine.TunnelsUp, counters.TunnelsEstablished, counters.Unclosed, counters.TunnelFailures.ToDictionary()),
            Sessions = SessionsOf(engine, settings, up),
            SetUp = SetUpOf(counters),
            Traffic = settings.Traffic is { } plan ? TrafficOf(counters, plan, isOver ? counters.Ended : now) : null,
            Transport = new(
                counters.DatagramsSent,
                counters.DatagramsReceived,
                counters.ControlSent,
                counters.ControlReceived,
                counters.Retransmissions,
                counters.UnknownTunnel,
                counters.UnknownSession,
                counters.Malformed,
                transport.KernelDrops,
                transport.NotSent,
                transport.Unreachable,
                counters.StartsOfStorm,
                counters.StormCallsPlaced,
                counters.CallsOfStorm,
                counters.PacketsForwarded,
                transport.ResidentOctets,
                transport.CpuSeconds),
        };
    }

    private static SessionReport SessionsOf(BlastEngine engine, BlastSettings settings, int up) => new(
        settings.Sessions,
        up,
        engine.SessionsSettingUp,
        engine.SessionsFailed,
        engine.Counters.SessionsEstablished,
        engine.Counters.CallsPlaced,
        engine.Counters.CallsRefused,
        engine.Counters.LostWithTunnel,
        engine.Counters.Restarted,
        engine.Counters.Rolled,
        engine.Counters.Failures.ToDictionary(),
        engine.Counters.Losses.ToDictionary());

    private static SetUpReport SetUpOf(BlastCounters counters)
    {
        // The first second of a wave has the tunnels' set-up in it and the last is not whole; a quiet one belongs to no wave.
        int[] whole = [.. counters.UpPerSecond.Take(Math.Max(1, counters.UpPerSecond.Count - 1)).Where(n => n > 0).Order()];
        return new SetUpReport(
            counters.RampTime?.TotalSeconds,
            counters.RampTime is { Ticks: > 0 } time ? counters.SessionsEstablishedInRamp / time.TotalSeconds : null,
            whole.Length == 0 ? 0 : whole[whole.Length / 2],
            whole.Length == 0 ? 0 : whole[^1],
            [.. counters.UpPerSecond],
            [.. counters.Milestones],
            [.. counters.Returns.Select(r => r.TotalSeconds)],
            counters.SetUpTimes.ToPercentiles());
    }

    private static TrafficReport TrafficOf(BlastCounters counters, TrafficPlan plan, Timestamp until)
    {
        double seconds = counters.TrafficBegan == Timestamp.Zero ? 0 : Math.Max(0.001, (until - counters.TrafficBegan).TotalSeconds);
        long lost = Math.Max(0, counters.PacketsSent - counters.PacketsReceived);
        return new TrafficReport(
            plan.Mix.Name,
            counters.PacketsSent,
            counters.PacketsReceived,
            counters.PacketsNotSent,
            lost,
            counters.PacketsSent == 0 ? 0 : (double)lost / counters.PacketsSent,
            counters.PacketsLate,
            counters.PacketsTwice,
            counters.OtherPackets,
            seconds == 0 ? 0 : counters.PacketsSent / seconds,
            seconds == 0 ? 0 : counters.PacketsReceived / seconds,
            seconds == 0 ? 0 : counters.OctetsReceived * 8 / seconds,
            counters.Latency.ToPercentiles());
    }
}

/// <summary>What only the owner of the sockets knows.</summary>
/// <param name="KernelDrops">Datagrams that came while a receive buffer was full.</param>
/// <param name="NotSent">Datagrams (or runs) that the kernel did not take.</param>
/// <param name="Unreachable">ICMP errors.</param>
public readonly record struct TransportFigures(long KernelDrops, long NotSent, long Unreachable, long ResidentOctets, double CpuSeconds);

/// <param name="Unclosed">Tunnels whose StopCCN was not acknowledged.</param>
public sealed record TunnelReport(int Wanted, int Up, long Established, int Unclosed, IReadOnlyDictionary<string, long> Failures);

/// <param name="Up">Now; in the result: when the run ended.</param>
/// <param name="Failed">Given up after the last attempt.</param>
/// <param name="Established">How often a session came up, returns included.</param>
public sealed record SessionReport(
    int Wanted,
    int Up,
    int SettingUp,
    int Failed,
    long Established,
    long CallsPlaced,
    long CallsRefused,
    long LostWithTunnel,
    long RestartedByPeer,
    long Rolled,
    IReadOnlyDictionary<string, long> Failures,
    IReadOnlyDictionary<string, long> Losses);

/// <param name="RampSeconds">From the beginning until all were up or given up; null: not (yet).</param>
/// <param name="Average">Sessions per second over the ramp.</param>
/// <param name="Median">Of the sessions that came up in each second.</param>
/// <param name="ThousandsAt">Seconds after the beginning when the first, second, ... thousand had come up.</param>
/// <param name="Times">From ICRQ to IPCP.</param>
public sealed record SetUpReport(
    double? RampSeconds,
    double? Average,
    int Median,
    int Peak,
    IReadOnlyList<int> PerSecond,
    IReadOnlyList<double> ThousandsAt,
    IReadOnlyList<double> ReturnSeconds,
    Percentiles Times);

/// <param name="NotSent">Due, but this process was too slow; not lost by anybody.</param>
/// <param name="Late">Arrived after a later packet of the same session.</param>
public sealed record TrafficReport(
    string Mix,
    long Sent,
    long Received,
    long NotSent,
    long Lost,
    double LostShare,
    long Late,
    long Twice,
    long OtherPackets,
    double SentPerSecond,
    double ReceivedPerSecond,
    double ReceivedBitsPerSecond,
    Percentiles Latency);

public sealed record TransportReport(
    long DatagramsSent,
    long DatagramsReceived,
    long ControlSent,
    long ControlReceived,
    long Retransmissions,
    long UnknownTunnel,
    long UnknownSession,
    long Malformed,
    long KernelDrops,
    long NotSent,
    long Unreachable,
    long StormStarts,
    long StormCalls,
    long StormCallAnswers,
    long PacketsForwarded,
    long ResidentOctets,
    double CpuSeconds);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(BlastReport))]
internal sealed partial class BlastReportContext : JsonSerializerContext;
