using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Culvert.Interop.Harness;

namespace Culvert.Interop;

/// <summary>Sequencing and marking between our server and our client, with a relay that shuffles and marks in between.</summary>
public sealed class MarkingTests
{
    private const int RelayPort = 1801;
    private const int ListenPort = 9999;
    private const int Datagrams = 200;
    private const int Ect0 = 2;

    [Fact(Timeout = 300_000)]
    public async Task A_shuffled_path_delivers_in_order_and_its_congestion_marks_reach_the_packets_inside()
    {
        Requirements.Namespaces();
        await Scenario.RunAsync(async scenario =>
        {
            await scenario.UseCableAsync();
            string configuration = (await Configurations.LnsAsync(scenario, "chap"))
                .Replace("    profile: home\n", "    profile: home\n    sequencing: required\n    dscp: { data: copy }\n", StringComparison.Ordinal);
            Assert.Contains("sequencing", configuration, StringComparison.Ordinal);
            Capture outside = await Capture.StartAsync(scenario, scenario.MainNamespace, "eth0");
            CulvertServer lns = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, configuration);
            using UdpRelay relay = UdpRelay.Start(scenario.MainNamespace, "203.0.113.1", RelayPort, serverPort: 1701);
            CulvertDial dial = await CulvertDial.StartAsync(
                scenario, scenario.OtherNamespace, $"203.0.113.1:{RelayPort}", "alice", "wonder", null, ["100.64.0.0/16"]);
            await lns.SessionsUpAsync(1, TimeSpan.FromSeconds(15));
            await scenario.PingAsync(dial.Namespace, Configurations.Gateway);
            Capture inside = await Capture.StartAsync(scenario, scenario.MainNamespace, "culvert0", $"udp port {ListenPort}");

            relay.Disturb();
            int[] arrived = await ExchangeAsync(scenario, dial);
            Assert.Equal(Enumerable.Range(0, Datagrams), arrived);
            JsonElement session = (await lns.ShowAsync("sessions"))[0];
            Assert.InRange(session.GetProperty("sequence-reordered").GetInt64(), Datagrams / 10, long.MaxValue);
            scenario.Note($"{relay.Held} data messages were overtaken; {session.GetProperty("sequence-reordered")} waited for them");

            await dial.HangUpAsync();
            await inside.StopAndCheckAsync();
            await outside.StopAndCheckAsync("203.0.113.2");

            // From the relay on every outer packet says "congestion experienced"; inside all left with ECT(0).
            Assert.Equal(["3"], await FieldsAsync(scenario, "culvert0", "udp.dstport == 9999", "ip.dsfield.ecn"));
            Assert.Equal(["2,2"], await FieldsAsync(scenario, "eth0", "ip.src == 203.0.113.2 && udp.dstport == 9999", "ip.dsfield.ecn"));
            Assert.Equal(["48"], await FieldsAsync(scenario, "eth0", "ip.src == 203.0.113.2 && l2tp.type == 1", "ip.dsfield.dscp"));
        });
    }

    private static async Task<int[]> ExchangeAsync(Scenario scenario, CulvertDial dial)
    {
        using Socket listener = NamespaceSockets.Open(scenario.MainNamespace, () => Bound("0.0.0.0", ListenPort));
        using Socket sender = NamespaceSockets.Open(dial.Namespace, () => Bound(dial.Address, 0));
        sender.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.TypeOfService, Ect0);
        var gateway = new IPEndPoint(IPAddress.Parse(Configurations.Gateway), ListenPort);

        // What the relay still holds at the end is let go by what comes after it.
        for (int i = 0; i < Datagrams + 10; i++)
        {
            await sender.SendToAsync(Encoding.ASCII.GetBytes(i.ToString(CultureInfo.InvariantCulture)), gateway);
        }

        int[] arrived = new int[Datagrams];
        byte[] buffer = new byte[100];
        using var expiry = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        for (int i = 0; i < arrived.Length; i++)
        {
            int length = await listener.ReceiveAsync(buffer, expiry.Token);
            arrived[i] = int.Parse(buffer.AsSpan(0, length), CultureInfo.InvariantCulture);
        }

        return arrived;
    }

    private static Socket Bound(string address, int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        return socket;
    }

    /// <summary>The different values of a field in the packets of a capture, outer and inner header together.</summary>
    private static async Task<string[]> FieldsAsync(Scenario scenario, string device, string filter, string field)
    {
        string file = Path.Combine(scenario.Captures, $"{device}.pcap");
        CommandResult result = await scenario.CommandAsync(
            null, ["sh", "-c", $"tshark -r {file} -d udp.port=={RelayPort},l2tp -Y '{filter}' -T fields -e {field} 2>/dev/null"]);
        return [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct().Order(StringComparer.Ordinal)];
    }
}
