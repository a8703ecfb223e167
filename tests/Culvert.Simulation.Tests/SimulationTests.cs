using Culvert.Core;

namespace Culvert.Simulation.Tests;

public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>Run in slices, so that a failure of one seed does not hide the next, and several processors help.</summary>
    private const int Slice = 20;

    public static TheoryData<int> Slices() => [.. Enumerable.Range(0, 15)];

    [Theory]
    [MemberData(nameof(Slices))]
    public void Seeds_without_a_violation(int slice)
    {
        for (int seed = 1 + (slice * Slice); seed <= (slice + 1) * Slice; seed++)
        {
            RunResult result = SimulationRun.Execute((ulong)seed);
            Assert.InRange(result.Packets, 1, int.MaxValue);
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(101)]
    [InlineData(256)]
    public void The_same_seed_gives_the_same_trace(int seed)
    {
        RunResult first = SimulationRun.Execute((ulong)seed);
        RunResult second = SimulationRun.Execute((ulong)seed);
        Assert.Equal(first, second);
    }

    [Fact]
    public void Another_seed_gives_another_trace() =>
        Assert.NotEqual(SimulationRun.Execute(1).Hash, SimulationRun.Execute(2).Hash);

    [Fact]
    public void The_worst_of_everything_at_once()
    {
        var options = new SimulationOptions
        {
            Servers = 2,
            Concentrators = 3,
            LinesEach = 6,
            Branches = 3,
            Loss = 0.3,
            Duplication = 0.3,
            Reordering = 0.5,
            Corruption = 0.1,
            JitterMilliseconds = 300,
            DelayMilliseconds = 100,
            Incidents = 40,
            HasHostilePeer = true,
            HasLiar = true,
            Exchanges = 1,
            Misbehaviour = 0.3,
            HasSecret = true,
            HidesAvps = true,
            Window = 2,
        };
        for (ulong seed = 1; seed <= 3; seed++)
        {
            RunResult result = SimulationRun.Execute(seed, options);
            output.WriteLine($"seed {seed}: agreed {result.HealedAfter:F0} s after the last fault, {result.Packets} packets");
        }
    }

    /// <summary>Outgoing calls, sequencing, status messages, shards and rate limits, with nothing else in the way.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Exchanges_agree_in_what_they_told_each_other(int seed)
    {
        var options = new SimulationOptions { Concentrators = 0, Branches = 1, Exchanges = 2, Loss = 0.1, Reordering = 0.2, JitterMilliseconds = 50, Incidents = 15 };
        RunResult result = SimulationRun.Execute((ulong)seed, options);
        Assert.Equal(result, SimulationRun.Execute((ulong)seed, options));
        Assert.InRange(result.HealedAfter, 0, 900);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_liar_harms_nobody_but_itself(int seed)
    {
        var options = new SimulationOptions { Concentrators = 1, Branches = 1, HasLiar = true, HasTightLimits = seed == 3, HasSecret = seed == 2, Incidents = 0, FaultSeconds = 300 };
        Assert.InRange(SimulationRun.Execute((ulong)seed, options).Packets, 500, int.MaxValue);
    }

    [Fact]
    public void A_failure_names_its_seed_and_shows_the_last_packets_in_words()
    {
        var e = Assert.Throws<InvariantViolatedException>(() =>
            SimulationRun.Execute(4242, new SimulationOptions { Branches = 1, Concentrators = 1, IsSabotaged = true, Incidents = 0, FaultSeconds = 1 }));
        Assert.Contains("seed 4242 at ", e.Message, StringComparison.Ordinal);
        Assert.Contains("--from 4242", e.Message, StringComparison.Ordinal);
        Assert.Contains("l2tp:[T", e.Message, StringComparison.Ordinal);
        Assert.Contains("LCP", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_engine_that_is_due_for_ever_is_caught()
    {
        var world = new SimulatedWorld(1);
        world.Add(new Insomniac());
        var e = Assert.Throws<InvariantViolatedException>(() => world.Pass(1));
        Assert.Contains("time stands still: due for ever are insomniac", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_of_set_up_and_goodput_is_as_it_was()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Snapshots", "control-channel.txt");
        string expected = File.ReadAllText(path);
        string actual = ChannelTable.Make();
        Assert.True(expected == actual, $"The table has changed. If that is meant, write it anew with --table FILE.\n{actual}");
    }

    private sealed class Insomniac() : SimulatedEnd("insomniac", new PeerEndpoint(IpAddress.Parse("192.0.2.9"), 1701))
    {
        public override Timestamp NextDeadline => Timestamp.Zero;

        public override IEnumerable<Culvert.L2tp.Tunnel> Tunnels => [];

        public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now)
        {
        }

        public override void Advance(Timestamp now)
        {
        }

        public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path)
        {
            (length, path) = (0, default);
            return false;
        }

        public override bool TakeEvents(SimulatedWorld world, Timestamp now) => false;

        public override void Restart(Timestamp now)
        {
        }

        public override void Check()
        {
        }
    }
}
