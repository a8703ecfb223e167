using System.Net.Sockets;
using System.Text.Json;
using Culvert.Interop.Checker;
using Culvert.Interop.Harness;
using Culvert.Testing;

namespace Culvert.Interop;

/// <summary>Nodes with several forwarding threads: what only one of them may handle reaches it, and what goes wrong is told.</summary>
public sealed class ForwardingThreadTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly Combination Three = new(Combination.Auto, 3, LinkOffloads: true, IsIPv6: false);

    /// <summary>
    /// Authentication, IPCP, answers to echoes and goodbyes are PPP frames in data messages, so two of three sessions have theirs
    /// received by a thread that may not handle them. Echoes every half second find out who does not answer.
    /// </summary>
    [Theory(Timeout = 300_000)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PPP_frames_that_any_thread_receives_are_handled(bool hasInterfaceAlready)
    {
        const int Sessions = 24;
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            if (hasInterfaceAlready)
            {
                await scenario.CommandAsync(scenario.MainNamespace, "ip tuntap add dev culvert0 mode tun");
            }

            string configuration = (await Configurations.LnsAsync(scenario, "chap", users: Sessions))
                .Replace("pool: default\n", "pool: default\n    echo-interval: 500ms\n    echo-failures: 2\n", StringComparison.Ordinal);
            CulvertServer lns = await CulvertServer.StartAsync(
                scenario, scenario.MainNamespace, $"{configuration}\nforwarding: {{ threads: 3 }}");
            Assert.Equal(hasInterfaceAlready, lns.Program.Lines.Any(l => l.Contains("one thread forwards", StringComparison.Ordinal)));
            Assert.DoesNotContain(lns.Program.Lines, l => l.Contains("this kernel does not know", StringComparison.Ordinal));
            await ForwardAsync(scenario);
            JsonElement report = await BlastAsync(
                scenario, "--tunnels", "2", "--sessions", "12", "--user", "user{n}", "--password", "secret{n}", "--hold", "3s", "--rate", "50");
            JsonElement sessions = report.GetProperty("sessions");
            JsonElement traffic = report.GetProperty("traffic");
            Assert.Equal((Sessions, Sessions), (sessions.GetProperty("up").GetInt32(), sessions.GetProperty("established").GetInt32()));
            Assert.Equal((0L, 0L), (traffic.GetProperty("lost").GetInt64(), traffic.GetProperty("twice").GetInt64()));
            await lns.HasNothingAsync(Limit);
            IReadOnlyDictionary<string, long> counters = await lns.CountersAsync();
            Assert.Equal((0, 0, 0), (counters["handover-dropped"], counters["tun-undelivered"], counters["events-lost"]));
            Assert.Equal(Sessions, lns.Program.Lines.Count(l => l.Contains(" ended after ", StringComparison.Ordinal)));
            await lns.StopAsync();
        }, $"threads-ppp-{hasInterfaceAlready}");
    }

    /// <summary>
    /// The kernel joins datagrams of a path whatever their sessions: spread by peers they stay with one thread. A few may change places where
    /// the TUN's queues change, on their way back to the sessions. (Spread by sessions they cannot be watched here: a veth carries what the
    /// sender joined as one, which no wire does.)
    /// </summary>
    [Fact(Timeout = 300_000)]
    public async Task Sessions_of_one_path_keep_their_order()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            string configuration = await Configurations.LnsAsync(scenario, "chap", users: 8);
            CulvertServer lns = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, $"{configuration}\nforwarding: {{ threads: 3 }}");
            await scenario.CommandAsync(
                scenario.MainNamespace, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.culvert0.send_redirects=0");
            JsonElement report = await BlastAsync(
                scenario, "--sessions", "8", "--user", "user{n}", "--password", "secret{n}", "--hold", "3s", "--rate", "1500", "--size", "300");
            JsonElement traffic = report.GetProperty("traffic");
            long received = traffic.GetProperty("received").GetInt64();
            long late = traffic.GetProperty("late").GetInt64();
            scenario.Note($"{late} of {received} packets came after a later one of their session");
            Assert.InRange(received, 1000, long.MaxValue);
            Assert.InRange(late, 0, received / 100);
            await lns.StopAsync();
        });
    }

    /// <summary>Sequenced data are numbered and put into order by one thread, whichever received them.</summary>
    [Fact(Timeout = 300_000)]
    public async Task Sequenced_sessions_arrive_in_order()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, Three, ", sequencing: required");
            using PacketSocket client = pair.Hosts.OpenClient();
            using PacketSocket server = pair.Hosts.OpenServer();
            foreach (bool isUp in (bool[])[true, false])
            {
                (string from, string to) = isUp ? (FourHosts.SilentClient, FourHosts.SilentServer) : (FourHosts.SilentServer, FourHosts.SilentClient);
                var judge = new PacketJudge(from, to, FourHosts.Hops);
                List<byte[]> packets = KnownTraffic.Whole(from, to, pair.SessionMtu, every: false);
                await Task.Run(() => PacketExchange.Run(isUp ? client : server, isUp ? server : client, judge, packets));
            }

            foreach (CulvertServer node in (CulvertServer[])[pair.Lac, pair.Lns])
            {
                JsonElement session = (await node.ShowAsync("sessions"))[0];
                Assert.True(session.GetProperty("sequenced").GetBoolean());
                Assert.All(
                    (string[])["sequence-lost", "sequence-late", "sequence-duplicates", "dropped"],
                    name => Assert.Equal((name, 0L), (name, session.GetProperty(name).GetInt64())));
                Assert.Equal(0, (await node.CountersAsync())["handover-dropped"]);
            }

            await pair.StopAsync();
        });
    }

    /// <summary>Two nodes that both listen and dial each other; one is started again.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_node_that_dials_and_listens_does_both_with_all_threads()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            CulvertServer second = await CulvertServer.StartAsync(scenario, scenario.OtherNamespace, BothWays(2, peer: 1), "culvert-second");
            for (int life = 0; life < 2; life++)
            {
                CulvertServer first = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, BothWays(1, peer: 2), $"culvert-first-{life}");
                await first.SessionsUpAsync(2, Limit);
                await second.SessionsUpAsync(2, Limit);
                if (life == 0)
                {
                    await scenario.ServeFileAsync(scenario.MainNamespace);
                    await scenario.ServeFileAsync(scenario.OtherNamespace);
                }

                await scenario.PingAsync(scenario.MainNamespace, "100.66.0.1");
                await scenario.FetchAsync(scenario.MainNamespace, "100.66.0.1");
                await scenario.PingAsync(scenario.OtherNamespace, "100.65.0.1");
                await scenario.FetchAsync(scenario.OtherNamespace, "100.65.0.1");
                await first.StopAsync();
                await second.HasSessionsAsync(0, Limit);
            }

            await second.StopAsync();
        });
    }

    /// <summary>Without its interface a node forwards nothing: peers are told, and whoever supervises it.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_node_whose_interface_is_removed_says_so_and_ends(int threads)
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, Three with { Threads = threads });
            await scenario.CommandAsync(scenario.MainNamespace, "ip link del culvert0");
            Assert.Equal(1, await pair.Lns.Program.WaitForExitAsync(CulvertServer.StopLimit));
            Assert.Contains(pair.Lns.Program.Lines, l => l.Contains("somebody removed the interface culvert0", StringComparison.Ordinal));
            await Eventually.TrueAsync("the LAC has heard of it", Limit, async () =>
                (await pair.Lac.ShowAsync("sessions")).All(s => s.GetProperty("state").GetString() != "up"));
            await scenario.CommandAsync(scenario.OtherNamespace, "ip link del dial0");
            Assert.Equal(1, await pair.Lac.Program.WaitForExitAsync(CulvertServer.StopLimit));
            Assert.Contains(pair.Lac.Program.Lines, l => l.Contains("somebody removed the interface dial0", StringComparison.Ordinal));
        }, $"threads-removed-{threads}");
    }

    /// <summary>A thread under load never sleeps, and hears all the same that its interface is gone.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_busy_node_whose_interface_is_removed_ends_too()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            CulvertServer lns = await StartBusyAsync(scenario);
            Child blast = scenario.Start("blast", scenario.OtherNamespace, BlastCommand("--tunnels", "1", "--sessions", "8", "--user", "user{n}", "--password", "secret{n}", "--hold", "60s", "--rate", "200"));
            await lns.SessionsUpAsync(8, Limit);
            await scenario.CommandAsync(scenario.MainNamespace, "ip link del culvert0");
            Assert.Equal(1, await lns.Program.WaitForExitAsync(CulvertServer.StopLimit));
            Assert.Contains(lns.Program.Lines, l => l.Contains("somebody removed the interface culvert0", StringComparison.Ordinal));
            await blast.SignalAsync("TERM");
            _ = await blast.WaitForExitAsync(Limit);
        });
    }

    /// <summary>
    /// Anybody can send "fragmentation needed" about a datagram that was never sent. They are neither believed nor left to fill the
    /// sockets' buffers, and keep the node from nothing: not from serving, not from stopping.
    /// </summary>
    [Fact(Timeout = 300_000)]
    public async Task Forged_reports_of_paths_keep_the_node_from_nothing()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            CulvertServer lns = await StartBusyAsync(scenario);
            using var enough = new CancellationTokenSource();
            Task<int> flood = Task.Run(() => FloodWithReports(scenario, enough.Token), TestContext.Current.CancellationToken);
            JsonElement report = await BlastAsync(
                scenario, "--tunnels", "2", "--sessions", "12", "--user", "user{n}", "--password", "secret{n}", "--hold", "5s", "--rate", "50");
            JsonElement sessions = report.GetProperty("sessions");
            JsonElement traffic = report.GetProperty("traffic");
            Assert.Equal((24, 24), (sessions.GetProperty("up").GetInt32(), sessions.GetProperty("established").GetInt32()));
            Assert.InRange(traffic.GetProperty("lost").GetInt64(), 0, traffic.GetProperty("sent").GetInt64() / 10);
            Assert.NotEmpty(await lns.CountersAsync());
            await lns.StopAsync();
            await enough.CancelAsync();
            Assert.InRange(await flood, 10_000, int.MaxValue);
        });
    }

    private static Task<string> ForwardAsync(Scenario scenario) => scenario.CommandAsync(
        scenario.MainNamespace, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.culvert0.send_redirects=0");

    private static async Task<CulvertServer> StartBusyAsync(Scenario scenario)
    {
        string configuration = await Configurations.LnsAsync(scenario, "chap", users: 24);
        CulvertServer lns = await CulvertServer.StartAsync(
            scenario, scenario.MainNamespace, $"{configuration}\nforwarding: {{ threads: 1, busy-poll: 1s }}");
        await ForwardAsync(scenario);
        return lns;
    }

    /// <summary>ICMP type 3 code 4 (RFC 792, RFC 1191 section 4) about UDP from the LNS to one address after another; returns how many.</summary>
    private static int FloodWithReports(Scenario scenario, CancellationToken enough)
    {
        using Socket socket = NamespaceSockets.Open(
            scenario.OtherNamespace, () => new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp));
        byte[] message =
        [
            3, 4, 0, 0, 0, 0, 0x03, 0xE8, // next-hop MTU 1000
            0x45, 0, 0x05, 0xDC, 0, 1, 0x40, 0, 64, 17, 0, 0, 203, 0, 113, 1, 0, 0, 0, 0,
            0x06, 0xA5, 0x06, 0xA5, 0x05, 0xC8, 0, 0,
        ];
        var lns = new System.Net.IPEndPoint(System.Net.IPAddress.Parse("203.0.113.1"), 0);
        int sent = 0;
        while (!enough.IsCancellationRequested)
        {
            // 198.18.0.0/15, and every hundredth about the LAC itself, whose tunnels are real.
            uint about = sent % 100 == 0 ? 0xCB007102u : 0xC6120000u + ((uint)sent % 0x20000);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(24), about);
            message.AsSpan(2, 2).Clear();
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)IpBuilder.Checksum(message));
            sent += socket.SendTo(message, lns) == message.Length ? 1 : 0;
            if (sent % 50 == 0)
            {
                // Some 10,000 a second: enough to fill any buffer, and time for the others on the same processors.
                enough.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(5));
            }
        }

        return sent;
    }

    /// <summary>A capture holds datagrams as they were on the wire, from all threads, not what the kernel joined.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_capture_holds_single_datagrams_of_all_threads()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            ForwardingPair pair = await ForwardingPair.StartAsync(scenario, Three);
            string file = Path.Combine(scenario.Captures, "threads.pcapng");
            Child capture = scenario.Start(
                "capture-threads", scenario.MainNamespace,
                ["dotnet", Requirements.CulvertProgram, "capture", "--socket", Path.Combine(scenario.Folder, "culvert.sock"), "-w", file]);
            await Eventually.TrueAsync("the capture has begun", Limit, () => File.Exists(file) && new FileInfo(file).Length > 0);
            SessionTraffic before = await pair.TrafficOfAsync(pair.Lns);
            using PacketSocket client = pair.Hosts.OpenClient();
            using PacketSocket server = pair.Hosts.OpenServer();
            foreach (bool isUp in (bool[])[true, false])
            {
                (string from, string to) = isUp ? (FourHosts.SilentClient, FourHosts.SilentServer) : (FourHosts.SilentServer, FourHosts.SilentClient);
                var judge = new PacketJudge(from, to, FourHosts.Hops);
                List<byte[]> packets = KnownTraffic.Whole(from, to, pair.SessionMtu, every: false);
                await Task.Run(() => PacketExchange.Run(isUp ? client : server, isUp ? server : client, judge, packets));
            }

            (string clientSide, string serverSide) = (FourHosts.Client, FourHosts.Server);
            _ = StreamExchange.UdpRuns(new Direction(scenario.ClientNamespace, clientSide, scenario.ServerNamespace, serverSide), 1000, runs: 5);
            _ = StreamExchange.UdpRuns(new Direction(scenario.ServerNamespace, serverSide, scenario.ClientNamespace, clientSide), 1000, runs: 5);
            SessionTraffic traffic = (await pair.TrafficOfAsync(pair.Lns)).Since(before);
            await capture.SignalAsync("TERM");
            Assert.Equal(0, await capture.WaitForExitAsync(Limit));

            // What the checker's payloads look like to a dissector is chance; the octets themselves were compared.
            string lines = await Tshark.ReadAsync(file, "l2tp.type == 0 && ip", "-T", "fields", "-e", "l2tp.type", "-e", "frame.len", "-e", "frame.protocols");
            string[][] frames = [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t'))];
            Assert.Equal(traffic.RxPackets + traffic.TxPackets, frames.Count(f => int.Parse(f[1]) <= 1600 && f[2].StartsWith("raw:ip:udp:l2tp:ppp:ip", StringComparison.Ordinal)));
            Assert.Equal(traffic.RxPackets + traffic.TxPackets, frames.Length);
            scenario.Note($"{frames.Length} data messages in the capture, none longer than {frames.Max(f => int.Parse(f[1]))}");
            await pair.StopAsync();
        });
    }

    private static string[] BlastCommand(params string[] arguments) => ["dotnet", Requirements.CulvertProgram, "blast", "203.0.113.1", .. arguments];

    private static async Task<JsonElement> BlastAsync(Scenario scenario, params string[] arguments)
    {
        CommandResult result = await scenario.CommandAsync(
            scenario.OtherNamespace, BlastCommand([.. arguments, "--json"]), TimeSpan.FromMinutes(2));
        scenario.Note($"culvert blast: {result.Output}");
        using var document = JsonDocument.Parse(result.Succeeded);
        return document.RootElement.Clone();
    }

    private static string BothWays(int self, int peer) => $$"""
        node: node{{self}}
        listen: [0.0.0.0:1701]
        forwarding: { threads: 3 }
        peers: [ { match: any, profile: home } ]
        profiles: [ { name: home, authentication: [chap], pool: default } ]
        pools: [ { name: default, ipv4: 100.{{64 + self}}.0.0/16, gateway: 100.{{64 + self}}.0.1 } ]
        users: [ { name: user{{peer}}, password: secret{{peer}} } ]
        dial: [ { name: other, lns: ["203.0.113.{{peer}}"], user: user{{self}}, password: secret{{self}}, interface: dial0 } ]
        """;
}
