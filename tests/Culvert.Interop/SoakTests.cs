using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>
/// Mixed load with sessions that come and go: memory stays flat and every packet is in a counter. 20 s; with
/// <c>CULVERT_SOAK=30m</c> (or 90s) as long as that.
/// </summary>
public sealed partial class SoakTests
{
    private const int Sessions = 200;
    private const int PacketOctets = 400;

    /// <summary>The runtime's own breathing, on top of what the first third of the time took.</summary>
    private const long MemoryLeeway = 40_000_000;

    private static readonly TimeSpan Duration = ReadDuration(Environment.GetEnvironmentVariable("CULVERT_SOAK") ?? "20s");

    [Fact(Timeout = 3_600_000)]
    public async Task Mixed_load_with_flapping_sessions_leaks_no_memory_and_no_packet()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            string configuration = await Configurations.LnsAsync(scenario, "chap", users: Sessions);
            CulvertServer lns = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, $"{configuration}\nforwarding: {{ threads: 3 }}");
            await scenario.CommandAsync(
                scenario.MainNamespace, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.culvert0.send_redirects=0");
            await scenario.CommandAsync(scenario.MainNamespace, "ip link set culvert0 txqueuelen 10000");
            int rounds = Math.Max(1, (int)(Duration.TotalSeconds / 6));
            Task<CommandResult> blast = scenario.CommandAsync(
                scenario.OtherNamespace,
                ["dotnet", Requirements.CulvertProgram, "blast", "203.0.113.1", "--tunnels", "4", "--sessions", $"{Sessions / 4}", "--auth", "chap",
                    "--user", "user{n}", "--password", "secret{n}", "--hold", "1s", "--rate", "40", "--size", $"{PacketOctets}",
                    "--flap", $"rolling:5s:clean:{rounds}", "--duration", "2h", "--json"],
                Duration + TimeSpan.FromMinutes(3));
            List<long> memory = [];
            while (!blast.IsCompleted)
            {
                memory.Add(ResidentOctets(lns.Program.Id));
                await Task.WhenAny(blast, Task.Delay(500));
            }

            using var document = JsonDocument.Parse((await blast).Succeeded);
            JsonElement report = document.RootElement;
            await lns.HasNothingAsync(TimeSpan.FromSeconds(30));
            await CheckCountersAsync(scenario, lns, report);
            CheckMemory(scenario, memory);
            await lns.StopAsync();
        });
    }

    /// <summary>Each packet that was sent is in a session's counters, told in the line that each session ends with, or among the drops.</summary>
    private static async Task CheckCountersAsync(Scenario scenario, CulvertServer lns, JsonElement report)
    {
        long sent = report.GetProperty("traffic").GetProperty("sent").GetInt64();
        long established = report.GetProperty("sessions").GetProperty("established").GetInt64();
        scenario.Note($"{established} sessions came up, {sent} packets sent, {report.GetProperty("traffic").GetProperty("lost").GetInt64()} lost");
        Match[] ends = [.. lns.Program.Lines.Select(l => EndPattern().Match(l)).Where(m => m.Success)];

        // One whose time was over before it was up, on a machine that is busy with something else, ended too, and carried nothing.
        Assert.Equal(established, lns.Program.Lines.Count(l => l.Contains(": up with address ", StringComparison.Ordinal)));
        Assert.InRange(ends.Length, established, established + (established / 100));
        long received = ends.Sum(m => Number(m, "received"));
        long transmitted = ends.Sum(m => Number(m, "sent"));
        IReadOnlyDictionary<string, long> counters = await lns.CountersAsync();
        Assert.Equal((0, 0), (counters["events-lost"], counters["handover-dropped"]));

        // One that a full socket drops may be a run of many.
        const int LongestRun = 64;
        long atSockets = counters["udp-kernel-drops"] + report.GetProperty("transport").GetProperty("not-sent").GetInt64();

        // In: a packet of a session that has just ended. Out: a packet to a subscriber that is not there just now.
        long droppedIn = counters["drop-unknown-session"] + counters["drop-source-not-allowed"];
        long droppedOut = counters["drop-no-route"];
        long notForwarding = counters["drop-not-forwarding"];
        long queue = long.Parse(
            (await scenario.CommandAsync(scenario.MainNamespace, "cat /sys/class/net/culvert0/statistics/tx_dropped")).Trim(), CultureInfo.InvariantCulture);
        scenario.Note($"received {received / PacketOctets}, transmitted {transmitted / PacketOctets}, unknown session {droppedIn}, no route {droppedOut}, not forwarding {notForwarding}, queue {queue}, at sockets {atSockets}");
        Assert.Equal((0, 0), (received % PacketOctets, transmitted % PacketOctets));

        // Of the datagrams for sessions that are gone some held PPP: they bound what may be missing, and are not the number of it.
        Assert.InRange(sent - (received / PacketOctets), 0, droppedIn + notForwarding + (LongestRun * atSockets));

        // Likewise: the kernel has packets of its own without a route, such as ICMP to a subscriber that has left.
        Assert.InRange(
            (received / PacketOctets) - (transmitted / PacketOctets), 0, droppedOut + queue + counters["tun-undelivered"] + notForwarding);
    }

    private static void CheckMemory(Scenario scenario, List<long> memory)
    {
        int third = memory.Count / 3;
        long warm = memory.Take(Math.Max(1, third)).Max();
        long late = memory.Skip(2 * third).Max();
        scenario.Note($"resident: at most {warm / 1_000_000} MB in the first third, {late / 1_000_000} MB in the last");
        Assert.InRange(late, 0, warm + MemoryLeeway);
    }

    private static long ResidentOctets(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
    }

    private static TimeSpan ReadDuration(string text) =>
        TimeSpan.FromSeconds(double.Parse(text[..^1], CultureInfo.InvariantCulture) * (text[^1] == 'm' ? 60 : 1));

    private static long Number(Match match, string name) => long.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"ended after .*\(received (?<received>\d+), sent (?<sent>\d+) octets\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex EndPattern();
}
