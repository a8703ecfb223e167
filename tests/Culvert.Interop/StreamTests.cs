using System.Text.Json;
using Culvert.Interop.Checker;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>iperf3 through LAC and LNS with everything on: streams that never pause, for some seconds, one and four, each way.</summary>
public sealed class StreamTests
{
    private const int Seconds = 3;

    /// <summary>Octets of a full segment here, roughly: what a retransmission is counted against.</summary>
    private const int Segment = 1400;

    [Theory(Timeout = 120_000)]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Streams_flow_without_pause_and_little_is_sent_again(int streams)
    {
        Requirements.Namespaces();
        Requirements.Streams();
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, new Combination(Combination.Auto, 2, LinkOffloads: true, IsIPv6: false));
            scenario.Start("iperf3", scenario.ServerNamespace, ["iperf3", "-s"]);
            await Eventually.TrueAsync("iperf3 listens", TimeSpan.FromSeconds(15), async () =>
                (await scenario.CommandAsync(scenario.ServerNamespace, "ss -Hltn")).Contains(":5201 ", StringComparison.Ordinal));
            foreach (string[] way in (string[][])[[], ["-R"]])
            {
                CommandResult result = await scenario.CommandAsync(
                    scenario.ClientNamespace, ["iperf3", "-c", FourHosts.Server, "-t", $"{Seconds}", "-i", "1", "-P", $"{streams}", "-J", .. way], TimeSpan.FromSeconds(30));
                using var report = JsonDocument.Parse(result.Succeeded);
                Judge(scenario, report.RootElement, way.Length == 0 ? "up" : "down");
            }

            await pair.StopAsync();
        }, $"iperf3-{streams}");
    }

    private static void Judge(Scenario scenario, JsonElement report, string way)
    {
        JsonElement end = report.GetProperty("end");
        long octets = end.GetProperty("sum_received").GetProperty("bytes").GetInt64();
        long again = end.GetProperty("sum_sent").GetProperty("retransmits").GetInt64();
        scenario.Note($"{way}: {octets * 8 / 1e6 / Seconds:F0} Mbit/s, {again} of {octets / Segment} segments sent again");

        // How fast is for bench/compare to say; a stalled stream has a second with nothing in it.
        double[] perSecond = [.. report.GetProperty("intervals").EnumerateArray().Select(i => i.GetProperty("sum").GetProperty("bytes").GetDouble())];
        Assert.All(perSecond.Take(Seconds), b => Assert.InRange(b, 1, double.MaxValue));

        // One full queue has a whole run of segments sent again; a fault in the data path would have most of them.
        Assert.InRange(again, 0, Math.Max(2000, octets / Segment / 10));
    }
}
