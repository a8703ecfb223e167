using System.Runtime.CompilerServices;
using System.Text.Json;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Authentication;

namespace Culvert.Blast.Tests;

/// <summary>Whole runs, caller against answerer, in virtual time.</summary>
public sealed class BlastEngineTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private static readonly BlastSettings Small = new()
    {
        Tunnels = 3,
        SessionsPerTunnel = 70,
        Hold = TimeSpan.FromSeconds(2),
        Secret = new Secret("s3kr1t"),
        Ppp = new PppSettings { Method = AuthenticationMethod.ChapMd5 },
    };

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void Everything_comes_up_and_is_closed_in_order(AuthenticationMethod method)
    {
        BlastSettings settings = Small with { Ppp = new PppSettings { Method = method } };
        var world = new EngineWorld(settings);
        Assert.True(world.Run(() => world.Caller.Phase == BlastPhase.Hold, Limit));
        Assert.Equal((3, 210, 0), (world.Caller.TunnelsUp, world.Caller.SessionsUp, world.Caller.SessionsSettingUp));
        Assert.Equal(210, world.Answerer.SessionsUp);
        world.RunToEnd(Limit);
        BlastReport report = world.Report(settings);
        Assert.True(report.IsComplete);
        Assert.Equal(210, report.Sessions.Up);
        Assert.Equal(0, report.Tunnels.Unclosed);
        Assert.Equal(210, report.SetUp.PerSecond.Sum());
        Assert.Equal((0, 0), (world.Answerer.TunnelsUp, world.Answerer.SessionsUp));
    }

    [Fact]
    public void The_list_names_each_session_as_its_peer_knows_it()
    {
        var world = new EngineWorld(Small);
        Assert.True(world.Run(() => world.Caller.Phase == BlastPhase.Hold, Limit));
        PeerEndpoint caller = new(IpAddress.Parse("192.0.2.1"), 4000);
        IReadOnlyList<ListedSession> listed = world.Caller.ListSessions([caller]);
        Assert.Equal(210, listed.DistinctBy(s => (s.TunnelId, s.SessionId)).Count());
        Assert.Equal(
            Enumerable.Range(0, 210).Select(i => IpAddress.FromUInt32(IpAddress.Parse("100.64.0.2").ToUInt32() + (uint)i)),
            listed.Select(s => s.Address).OrderBy(a => a.ToUInt32()));
        Assert.Equal($"192.0.2.1:4000 {listed[0].TunnelId} {listed[0].SessionId} {listed[0].Address}", listed[0].ToString());
    }

    [Fact]
    public void The_ramp_keeps_its_pace()
    {
        var world = new EngineWorld(Small with { Ramp = 50 });
        world.RunToEnd(Limit);
        Assert.InRange(world.Caller.Counters.RampTime!.Value.TotalSeconds, 210 / 50.0 - 0.1, 210 / 50.0 + 0.3);
    }

    [Fact]
    public void Each_thousand_has_its_time()
    {
        BlastSettings settings = Small with { SessionsPerTunnel = 700, Ramp = 500 };
        var world = new EngineWorld(settings);
        world.RunToEnd(Limit);
        IReadOnlyList<double> at = world.Report(settings).SetUp.ThousandsAt;
        Assert.Equal(2, at.Count);
        Assert.InRange(at[0], 1.9, 2.3);
        Assert.InRange(at[1] - at[0], 1.9, 2.1);
    }

    [Theory]
    [InlineData(FlapKind.All, true)]
    [InlineData(FlapKind.All, false)]
    [InlineData(FlapKind.Rolling, true)]
    [InlineData(FlapKind.Rolling, false)]
    public void After_a_flap_all_are_back(FlapKind kind, bool isSilent)
    {
        BlastSettings settings = Small with { Flap = new FlapPlan(kind, TimeSpan.FromSeconds(5), isSilent, Count: 2), Tries = 50 };
        var world = new EngineWorld(settings, new BlastSettings { Secret = Small.Secret, Tunnels = 30, SessionsPerTunnel = 1000 });
        world.RunToEnd(Limit);
        BlastReport report = world.Report(settings);
        Assert.True(report.IsComplete);
        Assert.Equal(2, report.SetUp.ReturnSeconds.Count);
        Assert.Equal(3 * 210, report.Sessions.Established);
        Assert.Empty(report.Sessions.Losses);
    }

    [Fact]
    public void Packets_are_all_accounted_for()
    {
        BlastSettings settings = Small with { Traffic = new TrafficPlan(20, PacketMix.Imix) };
        var world = new EngineWorld(settings);
        world.RunToEnd(Limit);
        TrafficReport traffic = world.Report(settings).Traffic!;
        Assert.InRange(traffic.Sent, 210 * 20 * 2 * 0.98, 210 * 20 * 2 * 1.02);
        Assert.Equal((traffic.Sent, 0, 0, 0), (traffic.Received, traffic.Lost, traffic.Late, traffic.Twice));
        Assert.InRange(traffic.Latency.P50, 2, 2.1); // a millisecond each way
    }

    [Fact]
    public void Losses_and_repetitions_on_purpose_are_seen()
    {
        BlastSettings settings = Small with
        {
            Traffic = new TrafficPlan(50, PacketMix.Imix),
            Faults = new FaultPlan { Loss = 0.05, Duplicates = 0.1 },
            Tries = 20,
        };
        var world = new EngineWorld(settings);
        world.RunToEnd(Limit);
        BlastReport report = world.Report(settings);
        Assert.True(report.IsComplete);
        Assert.InRange(report.Traffic!.LostShare, 0.06, 0.11); // 5 % each way, some saved by their twins
        Assert.InRange((double)report.Traffic.Twice / report.Traffic.Sent, 0.06, 0.11);
        Assert.True(report.Transport.Retransmissions > 0);
    }

    [Fact]
    public void Without_ZLBs_the_run_succeeds_all_the_same()
    {
        BlastSettings settings = Small with { Faults = new FaultPlan { NoZlb = true } };
        int zlbs = 0;
        var world = new EngineWorld(settings) { Watch = d => zlbs += d.Length == L2tpHeader.ControlSize && (d[0] & 0x80) != 0 ? 1 : 0 };
        world.RunToEnd(Limit);
        Assert.True(world.Report(settings).IsComplete);
        Assert.Equal(0, zlbs);
    }

    [Fact]
    public void Storms_are_never_completed()
    {
        BlastSettings settings = Small with { Faults = new FaultPlan { StartStorm = 100, CallStorm = 100 } };
        var world = new EngineWorld(settings, new BlastSettings { Secret = Small.Secret, Tunnels = 2000, SessionsPerTunnel = 400 });
        world.RunToEnd(Limit);
        BlastCounters counters = world.Caller.Counters;
        Assert.InRange(counters.StartsOfStorm, 150, 350);
        Assert.InRange(counters.StormCallsPlaced, 150, 350);
        Assert.Equal(counters.StormCallsPlaced, counters.CallsOfStorm); // each was answered, with ICRP or CDN
        Assert.Equal(3, counters.TunnelsEstablished);
    }

    [Fact]
    public void A_refusal_is_told_in_words_and_tried_again_only_so_often()
    {
        BlastSettings settings = Small with { Tries = 3, RetryDelay = TimeSpan.FromSeconds(1) };
        var world = new EngineWorld(settings, new BlastSettings { Secret = Small.Secret, Tunnels = 3, SessionsPerTunnel = 50 });
        world.RunToEnd(Limit);
        BlastReport report = world.Report(settings);
        Assert.False(report.IsComplete);
        Assert.Equal((150, 60), (report.Sessions.Up, report.Sessions.Failed));
        Assert.Equal(60 * 3, report.Sessions.Failures["CDN 4: lack of facilities (temporary)"]);
    }

    [Fact]
    public void Another_secret_ends_in_words_too()
    {
        BlastSettings settings = Small with { Tries = 2, Hold = TimeSpan.Zero };
        var world = new EngineWorld(settings, new BlastSettings { Secret = new Secret("other"), Tunnels = 9, SessionsPerTunnel = 70 });
        world.RunToEnd(Limit);
        BlastReport report = world.Report(settings);
        Assert.Equal(0, report.Sessions.Up);
        Assert.Equal(210, report.Sessions.Failed);
        Assert.Equal(6, report.Tunnels.Failures["SCCRP: wrong Challenge Response (another secret?)"]);
    }

    [Fact]
    public void Nobody_there_ends_with_the_duration()
    {
        BlastSettings settings = Small with { Tries = 100, Duration = TimeSpan.FromSeconds(90), Faults = new FaultPlan { Loss = 1 } };
        var world = new EngineWorld(settings);
        Timestamp began = world.Now;
        world.RunToEnd(Limit);
        Assert.InRange((world.Now - began).TotalSeconds, 90, 96);
        Assert.False(world.Report(settings).IsComplete);
    }

    [Fact]
    public void A_stop_in_the_middle_closes_the_tunnels()
    {
        var world = new EngineWorld(Small with { Hold = TimeSpan.FromHours(1), Duration = TimeSpan.FromHours(2) });
        Assert.True(world.Run(() => world.Caller.SessionsUp > 20, Limit));
        world.Caller.Stop(world.Now);
        world.RunToEnd(TimeSpan.FromSeconds(10));
        Assert.Equal((0, 0), (world.Answerer.TunnelsUp, world.Caller.Counters.Unclosed));
    }

    [Fact]
    public void The_report_is_JSON_with_names_in_kebab_case()
    {
        var world = new EngineWorld(Small);
        world.RunToEnd(Limit);
        using var document = JsonDocument.Parse(world.Report(Small).ToJson());
        Assert.Equal(210, document.RootElement.GetProperty("sessions").GetProperty("up").GetInt32());
        Assert.True(document.RootElement.GetProperty("set-up").GetProperty("times").GetProperty("p99").GetDouble() > 0);
    }

    /// <summary>A few hundred octets for each session, everything included: here, well below two hundred.</summary>
    [Fact]
    public void Sixty_thousand_sessions_take_little_memory()
    {
        Assert.InRange(Unsafe.SizeOf<BlastSession>(), 1, 96);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var engine = new BlastEngine(
            new BlastSettings { Tunnels = 10, SessionsPerTunnel = 6000 }, new Nowhere(), new SeededRandom(1), Timestamp.Zero);
        long perSession = (GC.GetTotalMemory(forceFullCollection: true) - before) / 60_000;
        GC.KeepAlive(engine);
        Assert.InRange(perSession, 50, 150);
    }

    private sealed class Nowhere : IDatagramSink
    {
        private readonly byte[] _room = new byte[BlastEngine.MaxDatagramSize];

        public Span<byte> Reserve(int socket) => _room;

        public void Commit(int socket, int length, in UdpPath path)
        {
        }
    }
}
