using Culvert.Interop.Checker;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>
/// Known octets through client, LAC, LNS and server in every combination of offloads: what comes out is what went in. With
/// <c>CULVERT_CHECKER=all</c> every combination and every size, which takes long.
/// </summary>
public sealed class OffloadCheckTests
{
    private const int WholeLink = 1500;

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("CULVERT_CHECKER") == "all";

    public static TheoryData<string> Combinations() => [.. (IsLong ? Combination.All : Combination.Few).Select(c => c.ToString())];

    [Theory(Timeout = 300_000)]
    [MemberData(nameof(Combinations))]
    public async Task What_comes_out_is_what_went_in(string name)
    {
        Requirements.Namespaces();
        Combination combination = Combination.All.First(c => c.ToString() == name);
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, combination);
            using PacketSocket client = pair.Hosts.OpenClient();
            using PacketSocket server = pair.Hosts.OpenServer();
            await CheckPacketsAsync(scenario, pair, client, server);
            await CheckDropsAsync(scenario, pair, client, server);
            await CheckHostsAsync(scenario, pair);
            await pair.StopAsync();
        }, $"check-{Combination.All.ToList().IndexOf(combination)}");
    }

    private static async Task CheckPacketsAsync(Scenario scenario, ForwardingPair pair, PacketSocket client, PacketSocket server)
    {
        foreach (bool isUp in (bool[])[true, false])
        {
            (string from, string to) = isUp ? (FourHosts.SilentClient, FourHosts.SilentServer) : (FourHosts.SilentServer, FourHosts.SilentClient);
            (PacketSocket sender, PacketSocket receiver) = isUp ? (client, server) : (server, client);
            var judge = new PacketJudge(from, to, FourHosts.Hops);
            SessionTraffic lacBefore = await pair.TrafficOfAsync(pair.Lac);
            SessionTraffic lnsBefore = await pair.TrafficOfAsync(pair.Lns);
            List<byte[]> packets = KnownTraffic.Whole(from, to, pair.SessionMtu, IsLong);
            (int count, long octets) = await Task.Run(() => PacketExchange.Run(sender, receiver, judge, packets));
            Assert.Equal(0, judge.Reassembled);

            // Both ends counted each packet once, and nothing else.
            SessionTraffic lac = (await pair.TrafficOfAsync(pair.Lac)).Since(lacBefore);
            SessionTraffic lns = (await pair.TrafficOfAsync(pair.Lns)).Since(lnsBefore);
            var sent = new SessionTraffic(0, 0, count, octets, 0);
            var received = new SessionTraffic(count, octets, 0, 0, 0);
            Assert.Equal((isUp ? sent : received, isUp ? received : sent), (lac, lns));

            int longest = Math.Min(65_500, Math.Max(WholeLink, pair.SessionMtu));
            if (longest > pair.SessionMtu)
            {
                List<byte[]> large = KnownTraffic.TooLarge(from, to, pair.SessionMtu, longest);
                _ = await Task.Run(() => PacketExchange.Run(sender, receiver, judge, large));
                Assert.Equal(large.Count, judge.Reassembled);
            }

            scenario.Note($"{(isUp ? "up" : "down")}: {count} packets, {octets} octets are the same, {judge.Reassembled} more were cut and put together");
        }
    }

    /// <summary>What is dropped is counted once, by its reason.</summary>
    private static async Task CheckDropsAsync(Scenario scenario, ForwardingPair pair, PacketSocket client, PacketSocket server)
    {
        const int Count = 40;
        IReadOnlyDictionary<string, long> before = await pair.Lns.CountersAsync();
        SessionTraffic session = await pair.TrafficOfAsync(pair.Lns);
        var stranger = new KnownPacket { Source = "198.18.3.3", Destination = FourHosts.SilentServer, Payload = new byte[200] };
        var nobody = new KnownPacket { Source = FourHosts.SilentServer, Destination = "100.64.99.99", Payload = new byte[200] };
        for (int i = 0; i < Count; i++)
        {
            client.Send(stranger.ToArray());
            server.Send(nobody.ToArray());
        }

        // Runs count as what they consist of.
        (string from, string to) = (FourHosts.Server, "100.64.99.98");
        int run = StreamExchange.UdpRunToNobody(scenario.ServerNamespace, to);
        await Eventually.TrueAsync("the drops are counted", TimeSpan.FromSeconds(10), async () =>
        {
            IReadOnlyDictionary<string, long> now = await pair.Lns.CountersAsync();
            return now["drop-source-not-allowed"] - before["drop-source-not-allowed"] >= Count
                && now["drop-no-route"] - before["drop-no-route"] >= Count + run;
        });
        IReadOnlyDictionary<string, long> after = await pair.Lns.CountersAsync();
        Assert.Equal(
            (Count, Count + run, 0),
            (after["drop-source-not-allowed"] - before["drop-source-not-allowed"], after["drop-no-route"] - before["drop-no-route"], after["tun-undelivered"]));
        Assert.Equal(new SessionTraffic(0, 0, 0, 0, Count), (await pair.TrafficOfAsync(pair.Lns)).Since(session));
        scenario.Note($"{Count} spoofed packets from {stranger.Source} and {Count + run} from {from} to nobody are counted");
    }

    private static async Task CheckHostsAsync(Scenario scenario, ForwardingPair pair)
    {
        var up = new Direction(scenario.ClientNamespace, FourHosts.Client, scenario.ServerNamespace, FourHosts.Server);
        var down = new Direction(scenario.ServerNamespace, FourHosts.Server, scenario.ClientNamespace, FourHosts.Client);
        SessionTraffic lacStart = await pair.TrafficOfAsync(pair.Lac);
        SessionTraffic lnsStart = await pair.TrafficOfAsync(pair.Lns);
        foreach (Direction direction in (Direction[])[up, down])
        {
            SessionTraffic before = await pair.TrafficOfAsync(pair.Lns);
            int packets = 0;
            long octets = 0;
            foreach (int size in (int[])[1, 100, 555, Math.Min(pair.SessionMtu, WholeLink) - 28, .. pair.SessionMtu > 30_000 ? new[] { 20_000, 32_000 } : []])
            {
                (int more, long moreOctets) = StreamExchange.UdpRuns(direction, size, runs: 10);
                (packets, octets) = (packets + more, octets + moreOctets);
            }

            SessionTraffic traffic = (await pair.TrafficOfAsync(pair.Lns)).Since(before);
            Assert.Equal(
                direction == up ? new SessionTraffic(packets, octets, 0, 0, 0) : new SessionTraffic(0, 0, packets, octets, 0), traffic);
            StreamExchange.UdpSizes(direction, [0, 1, 1400, 1472, 1473, 3000, 8000, 30_000, 63_972, 65_507]);
            foreach ((int segment, int write) in ((int, int)[])[(0, 65_536), (0, 1), (0, 777), (88, 50_000), (536, 3001), (1000, 65_536), (1360, 2720)])
            {
                await StreamExchange.TcpAsync(direction, write == 1 ? 300 : segment is > 0 and < 200 ? 100_000 : 500_000, segment, write);
            }

            SessionTraffic lac = (await pair.TrafficOfAsync(pair.Lac)).Since(lacStart);
            SessionTraffic lns = (await pair.TrafficOfAsync(pair.Lns)).Since(lnsStart);

            // TCP goes as fast as it can, and a socket may have no room for a moment: that is counted, too.
            long dropped = await DroppedBetweenAsync(pair.Lac) + await DroppedBetweenAsync(pair.Lns);
            if (dropped == 0)
            {
                Assert.Equal((lac.TxPackets, lac.TxOctets, lac.RxPackets, lac.RxOctets), (lns.RxPackets, lns.RxOctets, lns.TxPackets, lns.TxOctets));
            }
            else
            {
                scenario.Note($"{dropped} datagrams, joined ones counted once, found a full queue");
                Assert.InRange(lac.TxPackets - lns.RxPackets + lns.TxPackets - lac.RxPackets, 1, long.MaxValue);
            }
        }

        scenario.Note("datagrams in runs, cut datagrams and streams of the hosts arrive whole, and both ends count the same");
    }

    /// <summary>What left a session's counters at one end and could not reach those at the other.</summary>
    private static async Task<long> DroppedBetweenAsync(CulvertServer node)
    {
        IReadOnlyDictionary<string, long> counters = await node.CountersAsync();
        return counters["udp-kernel-drops"] + counters["udp-send-congested"] + counters["handover-dropped"];
    }
}
