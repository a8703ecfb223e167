using Culvert.Interop.Checker;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>A large file with everything on, and tshark's judgement of the tunnel and of TCP on both sides of it.</summary>
public sealed class TransferTests
{
    private const int FileOctets = 24_000_000;

    [Theory(Timeout = 600_000)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_large_file_arrives_whole_and_tshark_finds_no_damage(int threads)
    {
        Requirements.Namespaces();
        Requirements.Transfers();
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, new Combination(Combination.Auto, threads, LinkOffloads: true, IsIPv6: false));

            // Captured where frames are as on a wire: the access link's ends must cut what they send and join nothing.
            await scenario.CommandAsync(scenario.OtherNamespace, "ethtool -K eth0 tx off tso off gso off gro off tx-udp-segmentation off");
            await scenario.CommandAsync(scenario.MainNamespace, "ethtool -K eth0 tx off tso off gso off gro off tx-udp-segmentation off");
            Capture access = await Capture.StartAsync(scenario, scenario.MainNamespace, "eth0");
            Capture server = await Capture.StartAsync(scenario, scenario.ServerNamespace, "eth0", "tcp", "server");
            Capture client = await Capture.StartAsync(scenario, scenario.ClientNamespace, "eth0", "tcp", "client");
            string web = Path.Combine(scenario.Folder, "large");
            Directory.CreateDirectory(web);
            _ = (await Shell.RunAsync("sh", "-c", $"head -c {FileOctets} /dev/urandom > {web}/blob")).Succeeded;
            string expected = (await Shell.RunAsync("sha256sum", $"{web}/blob")).Succeeded.Split(' ')[0];
            foreach ((string from, string address, string to) in ((string, string, string)[])
                [(scenario.ServerNamespace, FourHosts.Server, scenario.ClientNamespace), (scenario.ClientNamespace, FourHosts.Client, scenario.ServerNamespace)])
            {
                scenario.Start($"httpd-{from}", from, ["busybox", "httpd", "-f", "-p", "8080", "-h", web]);
                CommandResult fetched = await scenario.CommandAsync(
                    to, ["sh", "-c", $"curl -sS --retry 20 --retry-connrefused --retry-delay 1 http://{address}:8080/blob | sha256sum"], TimeSpan.FromSeconds(60));
                Assert.StartsWith(expected, fetched.Succeeded, StringComparison.Ordinal);
            }

            await access.StopAndCheckAsync("203.0.113.1", "203.0.113.2");
            await server.StopAsync();
            await client.StopAsync();

            // What reaches the hosts has been finished by LNS and LAC.
            await JudgeTcpAsync(scenario, server, FourHosts.Client);
            await JudgeTcpAsync(scenario, client, FourHosts.Server);
            IReadOnlyDictionary<string, long> counters = await pair.Lns.CountersAsync();
            scenario.Note($"received {counters["udp-received"]} datagrams, dropped by the kernel {counters["udp-kernel-drops"]}, not joined {counters["udp-send-unjoined"]}");
            await pair.StopAsync();
        }, $"transfer-{threads}");
    }

    private static async Task JudgeTcpAsync(Scenario scenario, Capture capture, string source)
    {
        string lines = await Tshark.ReadWithChecksumsAsync(
            capture.File, $"ip.src == {source} && tcp", "-T", "fields", "-e", "tcp.checksum.status", "-e", "ip.checksum.status",
            "-e", "tcp.analysis.retransmission", "-e", "tcp.analysis.out_of_order", "-e", "tcp.analysis.lost_segment");
        string[][] packets = [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t'))];
        Assert.InRange(packets.Length, 1000, int.MaxValue);
        int Marked(int field) => packets.Count(p => p[field].Length > 0);
        scenario.Note($"from {source}: {packets.Length} packets, {Marked(2)} sent again, {Marked(3)} out of order, {Marked(4)} after a gap");
        Assert.All(packets, p => Assert.Equal(("1", "1"), (p[0], p[1])));

        // A full queue somewhere is TCP's daily bread, and one loss has a whole run of segments sent again; a fault in the data path
        // would mark most.
        Assert.InRange(Marked(2) + Marked(3) + Marked(4), 0, Math.Max(100, packets.Length / 20));
    }
}
