using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Culvert.Core;
using Culvert.Interop.Harness;
using Culvert.Testing;

namespace Culvert.Interop;

/// <summary>Our server and our client on two hosts joined by a cable; needs no rig.</summary>
public sealed class CulvertPairTests
{
    private const string Secret = "s3kr1t";
    private const int WholeFrame = 1500;
    private const int ListenPort = 9999;

    private static readonly TimeSpan ReceiveLimit = TimeSpan.FromSeconds(15);

    [Theory(Timeout = 300_000)]
    [InlineData("203.0.113.1", "203.0.113.1", "203.0.113.2")]
    [InlineData("2001:db8::1", "2001:db8::1", "2001:db8::2")]
    public async Task A_session_carries_traffic_and_ends_cleanly(string host, string server, string client)
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            Capture capture = await StartCaptureAsync(scenario);
            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, host);
            await scenario.PingAsync(dial.Namespace, Configurations.Gateway);
            await scenario.FetchAsync(dial.Namespace, Configurations.Gateway);
            await scenario.ServeFileAsync(dial.Namespace);
            await scenario.FetchAsync(scenario.MainNamespace, dial.Address);
            await dial.HangUpAsync();
            await lns.HasNothingAsync(TimeSpan.FromSeconds(15));
            await capture.StopAndCheckAsync(server, client);
        }, $"pair-{(host.Contains(':') ? "ipv6" : "ipv4")}");
    }

    /// <summary>A link-local address says where it is only together with an interface (RFC 4007 section 6).</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_session_between_link_local_addresses()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            // A second interface with the same prefix: the kernel cannot guess which one is meant.
            Capture capture = await StartCaptureAsync(scenario);
            foreach ((string place, string address) in ((string, string)[])[(scenario.MainNamespace, "fe80::a1"), (scenario.OtherNamespace, "fe80::b2")])
            {
                await scenario.CommandAsync(place, "ip link add other0 type veth peer name other1");
                await scenario.CommandAsync(place, "ip link set other0 up");
                await scenario.CommandAsync(place, "ip link set other1 up");
                await scenario.CommandAsync(place, $"ip addr add {address}/64 dev eth0 nodad");
            }

            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, "fe80::a1%eth0");
            await scenario.PingAsync(dial.Namespace, Configurations.Gateway);
            await scenario.FetchAsync(dial.Namespace, Configurations.Gateway);
            Assert.Contains("[fe80::", (await lns.ShowAsync("tunnels"))[0].GetProperty("peer").GetString(), StringComparison.Ordinal);
            await dial.HangUpAsync();
            await lns.HasNothingAsync(TimeSpan.FromSeconds(15));
            await capture.StopAndCheckAsync("fe80::a1");
        });
    }

    /// <summary>An IPv4 packet with "don't fragment" that does not fit the session's path is answered (RFC 1191).</summary>
    [Fact(Timeout = 300_000)]
    public async Task Too_large_a_packet_is_answered_with_fragmentation_needed()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            const string Behind = "198.51.100.9";
            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, "203.0.113.1");
            int sessionMtu = (await lns.ShowAsync("sessions"))[0].GetProperty("mtu").GetInt32();
            await scenario.CommandAsync(scenario.MainNamespace, $"ip addr add {Behind}/32 dev lo");

            // The answer comes from the node, in through its interface; the kernel must believe both to a host behind the node
            // and to the node itself that it is no forgery ("martian source").
            int nextHop = 0;
            foreach (string source in (string[])[Behind, Configurations.Gateway])
            {
                nextHop = await ProbeAsync(scenario.MainNamespace, source, dial.Address);
                scenario.Note($"a packet of {WholeFrame} from {source} to the client: fragmentation needed, next hop {nextHop}");
                Assert.Equal(sessionMtu, nextHop);
                await scenario.CommandAsync(scenario.MainNamespace, "ip route flush cache"); // what the kernel has learnt from it
            }

            // What the answer promises must get through: 28 octets of IPv4 and ICMP header.
            await scenario.PingAsync(scenario.MainNamespace, dial.Address, nextHop - 28);
            await dial.HangUpAsync();
        });
    }

    /// <summary>RFC 2827: what comes out of a session with somebody else's source address goes nowhere.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_spoofed_source_is_dropped()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            const string Stranger = "100.64.77.77";
            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, "203.0.113.1");

            // The kernel's own reverse path filter must not do our work.
            await scenario.CommandAsync(scenario.MainNamespace, ["sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done"]);
            await scenario.CommandAsync(dial.Namespace, $"ip addr add {Stranger}/32 dev {CulvertDial.Interface}");
            using Socket listener = OpenUdp(scenario.MainNamespace, "0.0.0.0", ListenPort);
            using Socket spoofing = OpenUdp(dial.Namespace, Stranger, 0);
            using Socket honest = OpenUdp(dial.Namespace, dial.Address, 0);
            var gateway = new IPEndPoint(IPAddress.Parse(Configurations.Gateway), ListenPort);

            // One path, one order: when the honest datagram is here, the spoofed one before it is not coming any more.
            Assert.Equal(7, await spoofing.SendToAsync(Encoding.ASCII.GetBytes("spoofed"), gateway));
            Assert.Equal(6, await honest.SendToAsync(Encoding.ASCII.GetBytes("honest"), gateway));
            Assert.Equal("honest", await ReceiveAsync(listener));
            await Eventually.TrueAsync("the drop is counted", ReceiveLimit, async () =>
                (await lns.ShowAsync("sessions"))[0].GetProperty("dropped").GetInt64() >= 1);
            scenario.Note("the spoofed datagram was dropped and counted");
            await dial.HangUpAsync();
        });
    }

    [Theory(Timeout = 300_000)]
    [InlineData("session")]
    [InlineData("tunnel")]
    [InlineData("user")]
    public async Task Closing_at_the_server_reaches_the_client(string what)
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, "203.0.113.1");
            JsonElement session = (await lns.ShowAsync("sessions"))[0];
            string id = session.GetProperty("id").GetString()!;
            await lns.CloseAsync(what, what switch { "session" => id, "tunnel" => id.Split('/')[0], _ => "alice" });
            await dial.LosesConnectionAsync();
        }, $"pair-close-{what}");
    }

    /// <summary>SIGTERM: the peer is told, interfaces and sockets are gone, the exit code is 0; a second node can take over at once.</summary>
    /// <summary>RFC 5072 section 2: no IPv6 packet before IPV6CP is open. The kernel sends some by itself when an interface has IPv6.</summary>
    [Fact(Timeout = 300_000)]
    public async Task No_IPv6_enters_a_link_that_carries_IPv4_only()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            (_, CulvertDial dial) = await ConnectAsync(scenario, "203.0.113.1");
            foreach ((string place, string link) in ((string, string)[])[(dial.Namespace, CulvertDial.Interface), (scenario.MainNamespace, "culvert0")])
            {
                CommandResult addresses = await scenario.CommandAsync(place, ["ip", "-6", "-o", "addr", "show", "dev", link]);
                Assert.Equal(0, addresses.ExitCode);
                Assert.Equal("", addresses.Output.Trim());
            }

            await dial.HangUpAsync();
        });
    }

    /// <summary>A second node on the same port, interface or control socket must say so and end, not hang.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_node_that_cannot_start_says_why_and_ends()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            string configuration = await Configurations.LnsAsync(scenario, "chap");
            CulvertServer first = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, configuration);
            string otherPort = configuration.Replace(":1701", ":1801", StringComparison.Ordinal);
            string otherInterface = otherPort.Replace("culvert0", "culvert9", StringComparison.Ordinal);
            string taken = Path.Combine(scenario.Folder, "culvert.sock");
            string free = Path.Combine(scenario.Folder, "second.sock");
            foreach ((string text, string socket, string why) in ((string, string, string)[])
                [(configuration, free, "1701"), (otherPort, free, "culvert0"), (otherInterface, taken, "culvert.sock")])
            {
                string file = await scenario.WriteFileAsync("second.yaml", text);
                CommandResult second = await scenario.CommandAsync(
                    scenario.MainNamespace, ["timeout", "30", "dotnet", Requirements.CulvertProgram, "serve", "-c", file, "--socket", socket]);
                Assert.Equal(1, second.ExitCode);
                Assert.Contains(why, second.Output, StringComparison.Ordinal);
            }

            await first.StopAsync();
        });
    }

    [Fact(Timeout = 300_000)]
    public async Task The_server_cleans_up_after_itself()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            (CulvertServer lns, CulvertDial dial) = await ConnectAsync(scenario, "203.0.113.1");
            await lns.StopAsync();
            await dial.LosesConnectionAsync();
            CommandResult link = await scenario.CommandAsync(scenario.MainNamespace, ["ip", "link", "show", "culvert0"]);
            Assert.NotEqual(0, link.ExitCode);
            Assert.False(File.Exists(Path.Combine(scenario.Folder, "culvert.sock")), "the control socket is still there");
            CulvertServer next = await CulvertServer.StartAsync(
                scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, "chap"), "culvert-serve-again");
            await next.StopAsync();
        });
    }

    private static async Task<Capture> StartCaptureAsync(Scenario scenario)
    {
        await scenario.UseCableAsync();
        return await Capture.StartAsync(scenario, scenario.MainNamespace, "eth0");
    }

    private static async Task<(CulvertServer Lns, CulvertDial Dial)> ConnectAsync(Scenario scenario, string host)
    {
        if (!File.Exists($"/run/netns/{scenario.MainNamespace}"))
        {
            await scenario.UseCableAsync();
        }

        CulvertServer lns = await CulvertServer.StartAsync(
            scenario, scenario.MainNamespace, await Configurations.LnsAsync(scenario, "mschapv2, chap", Secret));
        await scenario.ServeFileAsync(scenario.MainNamespace);
        CulvertDial dial = await CulvertDial.StartAsync(
            scenario, scenario.OtherNamespace, host, "alice", "wonder", Secret, ["100.64.0.0/16"]);
        await lns.SessionsUpAsync(1, TimeSpan.FromSeconds(15));
        return (lns, dial);
    }

    /// <summary>Sends an echo request that fills a whole frame with "don't fragment" set; returns the MTU of the ICMP answer (RFC 1191).</summary>
    private static async Task<int> ProbeAsync(string inNamespace, string source, string destination)
    {
        const int IncludeHeader = 20 + 8;
        using Socket socket = NamespaceSockets.Open(inNamespace, () =>
        {
            var raw = new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
            raw.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.HeaderIncluded, true);
            return raw;
        });
        byte[] packet = IpBuilder.Echo(
            IpAddress.Parse(source), IpAddress.Parse(destination), 0x4242, 1, new byte[WholeFrame - IncludeHeader], dontFragment: true);
        await socket.SendToAsync(packet, new IPEndPoint(IPAddress.Parse(destination), 0));
        byte[] buffer = new byte[2000];
        using var expiry = new CancellationTokenSource(ReceiveLimit);
        while (true)
        {
            int length;
            try
            {
                length = await socket.ReceiveAsync(buffer, expiry.Token);
            }
            catch (OperationCanceledException)
            {
                throw new InteropException($"no answer to a packet of {WholeFrame} octets with \"don't fragment\" from {source} to {destination}");
            }

            int header = (buffer[0] & 15) * 4;
            if (length >= header + 8 && buffer[header] == 3 && buffer[header + 1] == 4)
            {
                return BinaryPrimitives.ReadUInt16BigEndian(buffer.AsSpan(header + 6));
            }
        }
    }

    private static Socket OpenUdp(string inNamespace, string address, int port) => NamespaceSockets.Open(inNamespace, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        return socket;
    });

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        byte[] buffer = new byte[100];
        using var expiry = new CancellationTokenSource(ReceiveLimit);
        return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, expiry.Token));
    }
}
