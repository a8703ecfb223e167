using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>`culvert capture` at a live node: what it writes is what passed, tshark reads it, and it ends when and as it should.</summary>
public sealed class CaptureCommandTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact(Timeout = 300_000)]
    public async Task A_live_capture_holds_what_passed()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            CulvertServer lns = await StartLnsAsync(scenario);
            string everything = Path.Combine(scenario.Captures, "everything.pcapng");
            Child all = await StartAsync(scenario, "capture-all", everything, "--control-only");

            CulvertDial dial = await CulvertDial.StartAsync(scenario, scenario.OtherNamespace, "203.0.113.1", "alice", "wonder", null, ["100.64.0.0/16"]);
            await lns.HasSessionsAsync(1, Limit);
            string session = (await lns.ShowAsync("sessions"))[0].GetProperty("id").GetString()!;
            string ofUser = Path.Combine(scenario.Captures, "user.pcapng");
            Child user = await StartAsync(scenario, "capture-user", ofUser, "--user", "alice", "--max-packets", "4");
            string small = Path.Combine(scenario.Captures, "small.pcapng");
            Child sized = await StartAsync(scenario, "capture-small", small, "--session", session, "--max-size", "4k");
            await scenario.PingAsync(dial.Namespace, Configurations.Gateway);
            Assert.Equal(0, await user.WaitForExitAsync(Limit));
            Assert.Equal(0, await sized.WaitForExitAsync(Limit));
            await dial.HangUpAsync();
            await lns.HasNothingAsync(Limit);
            await all.SignalAsync("TERM");
            Assert.Equal(0, await all.WaitForExitAsync(Limit));

            string words = await DecodeAsync(scenario, everything);
            Assert.All(
                (string[])["*Message Type(SCCRQ)", "*Message Type(ICCN)", "LCP, Conf-Ack", "CHAP, Success", "IPCP, Conf-Ack", "*Message Type(StopCCN)"],
                expected => Assert.Contains(expected, words, StringComparison.Ordinal));
            Assert.DoesNotContain("ICMP", words, StringComparison.Ordinal);
            string traffic = await DecodeAsync(scenario, ofUser);
            Assert.Contains("4 of 4 frames shown", traffic, StringComparison.Ordinal);
            Assert.Contains($"# session {session} of alice at 203.0.113.", traffic, StringComparison.Ordinal);
            Assert.Contains("ICMP echo re", traffic, StringComparison.Ordinal);
            Assert.InRange(new FileInfo(small).Length, 1000, 4096);
            await TsharkReadsAsync(scenario, everything);
            await TsharkReadsAsync(scenario, small);
            await lns.StopAsync();
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task A_capture_ends_with_its_node_and_names_are_checked()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            CulvertServer lns = await StartLnsAsync(scenario);
            CommandResult unknown = await scenario.CommandAsync(scenario.MainNamespace, Command(scenario, "--tunnel", "77"));
            Assert.Equal(1, unknown.ExitCode);
            Assert.Contains("no tunnel 77; see 'culvert show tunnels'", unknown.Output, StringComparison.Ordinal);

            string file = Path.Combine(scenario.Captures, "nothing.pcapng");
            Child capture = await StartAsync(scenario, "capture-nothing", file);
            await lns.StopAsync();
            Assert.Equal(0, await capture.WaitForExitAsync(Limit));
            Assert.Contains("0 of 0 frames shown", await DecodeAsync(scenario, file), StringComparison.Ordinal);
        });
    }

    /// <summary>A terminal that was stopped takes nothing any more: the captures that it held end without it, and make room for others.</summary>
    [Fact(Timeout = 300_000)]
    public async Task Captures_whose_reader_stands_still_end()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            CulvertServer lns = await StartLnsAsync(scenario);
            var stopped = new List<Child>();
            for (int i = 0; i < 4; i++)
            {
                stopped.Add(await StartAsync(scenario, $"capture-{i}", Path.Combine(scenario.Captures, $"still{i}.pcapng"), "--seconds", "3"));
                await stopped[i].SignalAsync("STOP");
            }

            string[] one = ["-w", Path.Combine(scenario.Captures, "one.pcapng"), "--seconds", "0.1"];
            Assert.NotEqual(0, (await scenario.CommandAsync(scenario.MainNamespace, Command(scenario, one))).ExitCode);
            _ = await scenario.CommandAsync(
                scenario.OtherNamespace,
                ["dotnet", Requirements.CulvertProgram, "blast", "203.0.113.1", "--user", "alice", "--password", "wonder", "--hold", "2s", "--rate", "5000", "--size", "1000"]);
            await Eventually.TrueAsync("there is room for a capture", Limit, async () =>
                (await scenario.CommandAsync(scenario.MainNamespace, Command(scenario, one))).ExitCode == 0);
            foreach (Child child in stopped)
            {
                await child.SignalAsync("CONT");
                _ = await child.WaitForExitAsync(Limit);
            }

            await lns.StopAsync();
        });
    }

    private static async Task<CulvertServer> StartLnsAsync(Scenario scenario)
    {
        await scenario.UseCableAsync();
        return await CulvertServer.StartAsync(scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, "chap"));
    }

    /// <summary>On return the capture runs: the file's header has been written.</summary>
    private static async Task<Child> StartAsync(Scenario scenario, string name, string file, params string[] options)
    {
        Child child = scenario.Start(name, scenario.MainNamespace, Command(scenario, ["-w", file, .. options]));
        await Eventually.TrueAsync($"{name} has begun", Limit, () => File.Exists(file) && new FileInfo(file).Length > 0);
        return child;
    }

    private static string[] Command(Scenario scenario, params string[] options) =>
        ["dotnet", Requirements.CulvertProgram, "capture", "--socket", Path.Combine(scenario.Folder, "culvert.sock"), .. options];

    private static async Task<string> DecodeAsync(Scenario scenario, string file) =>
        (await scenario.CommandAsync(null, ["dotnet", Requirements.CulvertProgram, "decode", file])).Succeeded;

    private static async Task TsharkReadsAsync(Scenario scenario, string file)
    {
        if (!File.Exists("/usr/bin/tshark"))
        {
            scenario.Note("NOT TESTED: the program tshark is missing here.");
            return;
        }

        string bad = (await scenario.CommandAsync(null,
            ["tshark", "-r", file, "-o", "udp.check_checksum:TRUE", "-Y", "udp.checksum.status != 1 || _ws.malformed", "-T", "fields", "-e", "frame.number"])).Succeeded;
        Assert.DoesNotMatch("(?m)^[0-9]+$", bad);
    }
}
