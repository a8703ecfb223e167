namespace Culvert.Simulation.Tests;

/// <summary>A class of its own, so that it runs beside the others: it takes about 16 s of one processor.</summary>
public sealed class StormTests(ITestOutputHelper output)
{
    /// <summary>Over a path of 10 ms with 2 ms of jitter all users of one LAC vanish for half a minute, and come back at once.</summary>
    [Fact]
    public void Twenty_thousand_sessions_come_back()
    {
        StormReport report = StormScenario.Execute(20_000);
        output.WriteLine(report.ToString());
        Assert.InRange(report.BackSeconds, 0.1, 20);
        Assert.InRange(report.OldGoneSeconds, 30, 60);

        // Every queue within its limit: half-open sessions of `limits`, and the windows of RFC 2661 section 5.8.
        Assert.InRange(report.Peaks["LNS: sessions being set up"], 1, 8_000);
        Assert.InRange(report.Peaks["LNS: control messages under way"], 1, 128);
        Assert.InRange(report.Peaks["LAC: control messages under way"], 1, 128);
    }
}
