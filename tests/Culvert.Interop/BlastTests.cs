using System.Text.Json;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>The load generator against our server, against l2tpns, and as answerer against our client.</summary>
public sealed class BlastTests
{
    private const int Sessions = 200;
    private const string Secret = "s3kr1t";

    [Theory(Timeout = 300_000)]
    [InlineData("all:2s:silent")]
    [InlineData("rolling:2s")]
    public async Task Two_hundred_sessions_carry_data_flap_and_are_all_back(string flap)
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            CulvertServer lns = await StartLnsAsync(scenario);
            JsonElement report = await BlastAsync(
                scenario,
                scenario.OtherNamespace,
                ["203.0.113.1", "--tunnels", "4", "--sessions", $"{Sessions / 4}", "--auth", "chap", "--user", "user{n}", "--password", "secret{n}",
                    "--secret-file", await scenario.WriteFileAsync("blast.secret", Secret), "--hold", "2s", "--rate", "5", "--flap", flap]);
            Assert.True(report.GetProperty("is-complete").GetBoolean());
            Assert.Equal(Sessions, Number(report, "sessions", "up"));
            Assert.Equal(2 * Sessions, Number(report, "sessions", "established"));
            Assert.Equal(1, report.GetProperty("set-up").GetProperty("return-seconds").GetArrayLength());
            Assert.Equal(0, Number(report, "tunnels", "unclosed"));
            JsonElement traffic = report.GetProperty("traffic");
            Assert.True(traffic.GetProperty("sent").GetInt64() > Sessions * 5 * 3);
            if (flap.StartsWith("all", StringComparison.Ordinal))
            {
                Assert.Equal((0L, 0L), (traffic.GetProperty("lost").GetInt64(), traffic.GetProperty("late").GetInt64()));
                Assert.True(traffic.GetProperty("latency").GetProperty("count").GetInt64() > 0);
            }

            // Those who vanished without a word are found out by the HELLO that the new tunnels provoke.
            await lns.HasNothingAsync(TimeSpan.FromSeconds(60));
            await lns.StopAsync();
        }, $"blast-{flap.Split(':')[0]}");
    }

    [Fact(Timeout = 300_000)]
    public async Task A_wrong_password_ends_with_the_reason_and_exit_code_1()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            CulvertServer lns = await StartLnsAsync(scenario);
            JsonElement report = await BlastAsync(
                scenario,
                scenario.OtherNamespace,
                ["203.0.113.1", "--sessions", "3", "--user", "user{n}", "--password", "wrong", "--tries", "1", "--hold", "0",
                    "--secret-file", await scenario.WriteFileAsync("blast.secret", Secret)],
                exitCode: 1);
            Assert.Equal(0, Number(report, "sessions", "up"));
            JsonProperty failure = Assert.Single(report.GetProperty("sessions").GetProperty("failures").EnumerateObject());
            Assert.Contains("authentication failed", failure.Name, StringComparison.Ordinal);
            Assert.Equal(3, failure.Value.GetInt32());
            await lns.StopAsync();
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task L2tpns_takes_its_sessions()
    {
        Requirements.L2tpns();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseRigAsync();
            await scenario.UseOtherHostAsync();
            L2tpns l2tpns = await L2tpns.StartAsync(scenario);
            Capture capture = await Capture.StartAsync(scenario, scenario.MainNamespace, "br0");
            JsonElement report = await BlastAsync(
                scenario,
                scenario.OtherNamespace,
                ["203.0.113.1", "--tunnels", "2", "--sessions", "10", "--user", "bob", "--password", "builder", "--hold", "2s",
                    "--secret-file", await scenario.WriteFileAsync("blast.secret", L2tpns.TunnelSecret)]);
            Assert.Equal(20, Number(report, "sessions", "up"));
            await l2tpns.LoggedAsync("Shutting down", TimeSpan.FromSeconds(15));
            await capture.StopAndCheckAsync("203.0.113.30");
        });
    }

    /// <summary>As answerer it is an LNS that lets everybody in: our client comes up and finds the address that was given.</summary>
    [Fact(Timeout = 300_000)]
    public async Task Our_client_dials_the_answerer()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            Child answerer = scenario.Start(
                "blast-answer", scenario.MainNamespace,
                ["dotnet", Requirements.CulvertProgram, "blast", "--answer", "--tunnels", "4", "--sessions", "4", "--auth", "mschapv2", "--password", "wonder",
                    "--secret-file", await scenario.WriteFileAsync("answer.secret", Secret), "--pool", "100.64.7.8"]);
            await answerer.WaitForLineAsync("ready", TimeSpan.FromSeconds(40));
            CulvertDial dial = await CulvertDial.StartAsync(scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", Secret);
            Assert.StartsWith("100.64.7.", dial.Address, StringComparison.Ordinal);
            await dial.HangUpAsync();
            await answerer.SignalAsync("TERM");
            Assert.Equal(0, await answerer.WaitForExitAsync(TimeSpan.FromSeconds(15)));
            Assert.Contains(answerer.Lines, line => line.Contains("1 established in all", StringComparison.Ordinal));
        });
    }

    private static async Task<CulvertServer> StartLnsAsync(Scenario scenario)
    {
        await scenario.UseCableAsync();
        CulvertServer lns = await CulvertServer.StartAsync(
            scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, "mschapv2, chap", Secret, users: Sessions));
        await scenario.CommandAsync(
            scenario.MainNamespace, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.culvert0.send_redirects=0");
        return lns;
    }

    private static async Task<JsonElement> BlastAsync(Scenario scenario, string inNamespace, string[] arguments, int exitCode = 0)
    {
        CommandResult result = await scenario.CommandAsync(
            inNamespace, ["dotnet", Requirements.CulvertProgram, "blast", .. arguments, "--json"], TimeSpan.FromMinutes(3));
        scenario.Note($"culvert blast: {result.Output}");
        Assert.Equal(exitCode, result.ExitCode);
        using var document = JsonDocument.Parse(result.Output);
        return document.RootElement.Clone();
    }

    private static int Number(JsonElement report, string part, string name) => report.GetProperty(part).GetProperty(name).GetInt32();
}
