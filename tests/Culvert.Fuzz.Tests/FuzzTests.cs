using Culvert.Fuzz.Targets;

namespace Culvert.Fuzz.Tests;

/// <summary>
/// The fixed slice of every test run: what once failed, the whole corpus, and some thousand mutations of it, always the same ones. The
/// program does the same with coverage and for hours. One class, because the coverage map is one.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const long Inputs = 20_000;
    private const ulong Seed = 20_261;

    /// <summary>A guard for slow machines: the slice then is smaller.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(1.5);

    public static TheoryData<string> Targets() => [.. FuzzTargets.All().Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_slice_finds_nothing(string name)
    {
        FuzzTarget target = FuzzTargets.All().Single(t => t.Name == name);
        FuzzReport report = new FuzzRun(target, Seed).Execute(Inputs, MostTime);
        output.WriteLine(report.ToString());
        Assert.InRange(report.Inputs, FuzzCorpus.Of(name).Count, long.MaxValue);
        Assert.True(report.CorpusBefore > 0);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_once_failed_does_not(string name)
    {
        FuzzTarget target = FuzzTargets.All().Single(t => t.Name == name);
        foreach ((string file, byte[] input) in FuzzCorpus.RegressionsOf(name))
        {
            var story = new Story();
            Exception? e = Record.Exception(() => target.Run(input, story));
            Assert.True(e is null, $"{file}: {e?.Message}\n{story}");
        }
    }

    [Fact]
    public void Every_regression_belongs_to_a_target_and_every_target_has_a_corpus()
    {
        string[] names = [.. FuzzTargets.All().Select(t => t.Name)];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.All(FuzzCorpus.RegressionFiles, file => Assert.Contains(file.Split('/')[1].Split('.')[0], names));
        Assert.All(names, name => Assert.NotEmpty(FuzzCorpus.Of(name)));
    }

    [Fact]
    public void A_failure_is_found_made_small_and_told_in_words()
    {
        var e = Assert.Throws<FuzzFailedException>(() => new FuzzRun(new Fragile(), 1).Execute(1_000_000, TimeSpan.FromMinutes(1)));
        Assert.Contains("fragile: two zeros", e.Message, StringComparison.Ordinal);
        Assert.Contains("seed 1, run ", e.Message, StringComparison.Ordinal);
        Assert.Contains("the least input that does it, 2 of ", e.Message, StringComparison.Ordinal);
        Assert.Contains("octet 0", e.Message, StringComparison.Ordinal);
        Assert.Equal([0, 0], Assert.IsType<byte[]>(e.Data["input"]));
    }

    [Fact]
    public void What_allocates_too_much_fails() =>
        Assert.Contains(
            "octets were allocated", Assert.Throws<FuzzFailedException>(() => new FuzzRun(new Greedy(), 1).Execute(100, TimeSpan.FromMinutes(1))).Message, StringComparison.Ordinal);

    [Fact]
    public void The_same_seed_finds_the_same()
    {
        byte[][] Corpus(ulong seed)
        {
            var run = new FuzzRun(FuzzTargets.All().Single(t => t.Name == "l2tp-message"), seed);
            run.Execute(3000, TimeSpan.FromMinutes(1));
            return [.. run.Corpus];
        }

        Assert.Equal(Corpus(5), Corpus(5));
    }

    [Fact]
    public void Coverage_of_instrumented_code_leads_to_more_inputs()
    {
        using var console = new StringWriter();
        Assert.Equal(0, FuzzProgram.Run(["--target", "l2tp-header", "--inputs", "2000"], console));
        string report = console.ToString();
        Assert.Matches(@"^\d{4,} blocks instrumented", report);
        Assert.Matches(@"l2tp-header .* [1-9]\d+ edges, corpus [1-9]\d* to", report);
    }

    [Theory]
    [InlineData("--target", "nothing")]
    [InlineData("--target")]
    [InlineData("--inputs", "many")]
    [InlineData("--frob", "1")]
    public void Wrong_usage_is_told(params string[] args)
    {
        using var console = new StringWriter();
        Assert.Equal(2, FuzzProgram.Run(args, console));
        Assert.NotEmpty(console.ToString());
    }

    /// <summary>Fails for two zeros in a row.</summary>
    private sealed class Fragile : FuzzTarget
    {
        public override string Name => "fragile";

        public override string Description => "breaks easily";

        public override IEnumerable<byte[]> Seeds() => [[.. Enumerable.Range(1, 40).Select(i => (byte)i)]];

        public override int Run(ReadOnlySpan<byte> input, Story? story)
        {
            foreach (byte octet in input)
            {
                story?.Tell($"octet {octet}");
            }

            Claim.Must(input.IndexOf("\0\0"u8) < 0, "two zeros");
            return 1;
        }
    }

    /// <summary>Takes memory for every octet.</summary>
    private sealed class Greedy : FuzzTarget
    {
        public override string Name => "greedy";

        public override string Description => "takes too much";

        public override long AllocationLimit => 1000;

        public override IEnumerable<byte[]> Seeds() => [[1]];

        public override int Run(ReadOnlySpan<byte> input, Story? story) => Math.Max(1, new byte[input.Length * 500].Length / 1_000_000);
    }
}
