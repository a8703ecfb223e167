namespace Culvert.Interop.Harness;

/// <summary>
/// Client, LAC, LNS and server, each a host of its own, joined by three cables. What leaves LAC and LNS towards client and server is
/// always finished packets, so that what arrives there is what a wire would have carried.
/// </summary>
public sealed class FourHosts
{
    public const string Client = "198.18.1.2", Server = "198.18.2.2";

    /// <summary>Routed to the hosts' cables but nobody's: nothing answers what is sent to them.</summary>
    public const string SilentClient = "198.18.1.9", SilentServer = "198.18.2.9";

    public const string ClientNetwork = "198.18.1.0/24", ServerNetwork = "198.18.2.0/24";

    /// <summary>How often a packet's time to live is decremented on its way: by LAC and LNS.</summary>
    public const int Hops = 2;

    private readonly Scenario _scenario;

    private FourHosts(Scenario scenario) => _scenario = scenario;

    /// <param name="mtu">Of all cables.</param>
    public static async Task<FourHosts> BuildAsync(Scenario scenario, int mtu = 1500)
    {
        await scenario.UseCableAsync();
        (string client, string lac, string lns, string server) = (scenario.ClientNamespace, scenario.OtherNamespace, scenario.MainNamespace, scenario.ServerNamespace);
        string script = $"""
            set -e
            ip netns add {client}; ip netns add {server}
            ip -n {client} link add eth0 address {Mac(1)} type veth peer name in0 address {Mac(2)} netns {lac}
            ip -n {server} link add eth0 address {Mac(4)} type veth peer name out0 address {Mac(3)} netns {lns}
            for n in {client} {server}; do ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip -n $n link set lo up; done
            for n in {lac} {lns}; do ip -n $n link set eth0 mtu {mtu}; done
            for n in {client} {server}; do ip -n $n link set eth0 mtu {mtu} up; done
            ip -n {lac} link set in0 mtu {mtu} up; ip -n {lns} link set out0 mtu {mtu} up
            ip -n {client} addr add {Client}/24 dev eth0; ip -n {lac} addr add 198.18.1.1/24 dev in0; ip -n {client} route add default via 198.18.1.1
            ip -n {server} addr add {Server}/24 dev eth0; ip -n {lns} addr add 198.18.2.1/24 dev out0; ip -n {server} route add default via 198.18.2.1
            ip -n {lac} neigh add {SilentClient} lladdr {Mac(1)} dev in0; ip -n {lns} neigh add {SilentServer} lladdr {Mac(4)} dev out0
            ip netns exec {lac} ethtool -K in0 tx off tso off gso off >/dev/null; ip netns exec {lns} ethtool -K out0 tx off tso off gso off >/dev/null
            for n in {lac} {lns}; do ip netns exec $n sh -c 'sysctl -qw net.ipv4.ip_forward=1; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done'; done
            """;
        _ = (await Shell.RunAsync("bash", "-c", script)).Succeeded;
        return new FourHosts(scenario);
    }

    /// <summary>Whether client, server and both ends of the access link leave checksums and runs of segments to "the card".</summary>
    public async Task SetLinkOffloadsAsync(bool on)
    {
        string state = on ? "on" : "off";
        foreach (string host in (string[])[_scenario.ClientNamespace, _scenario.ServerNamespace, _scenario.OtherNamespace, _scenario.MainNamespace])
        {
            await _scenario.CommandAsync(host, $"ethtool -K eth0 tx {state} tso {state} gso {state} gro {state}");
        }
    }

    /// <summary>For all octets that it sees and sends, at the client's or the server's end.</summary>
    public PacketSocket OpenClient() => PacketSocket.Open(_scenario.ClientNamespace, "eth0", Mac(1), Mac(2));

    public PacketSocket OpenServer() => PacketSocket.Open(_scenario.ServerNamespace, "eth0", Mac(4), Mac(3));

    private static string Mac(int host) => $"02:00:00:00:00:0{host}";
}
