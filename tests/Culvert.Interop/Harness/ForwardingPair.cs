using System.Text.Json;
using Culvert.Interop.Checker;

namespace Culvert.Interop.Harness;

/// <summary>LAC and LNS between the <see cref="FourHosts"/>, both ours, with one session that the client's network is behind.</summary>
public sealed class ForwardingPair
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly Scenario _scenario;

    private ForwardingPair(Scenario scenario, FourHosts hosts, CulvertServer lac, CulvertServer lns)
    {
        _scenario = scenario;
        Hosts = hosts;
        Lac = lac;
        Lns = lns;
    }

    public FourHosts Hosts { get; }

    public CulvertServer Lac { get; }

    public CulvertServer Lns { get; }

    /// <summary>Octets of the longest packet that crosses whole, each way.</summary>
    public int SessionMtu { get; private set; }

    /// <param name="scenario">The scenario.</param>
    /// <param name="combination">How both are run.</param>
    /// <param name="peerKeys">More lines for the LNS's entry of "peers", in braces' style: ", key: value".</param>
    public static async Task<ForwardingPair> StartAsync(Scenario scenario, Combination combination, string peerKeys = "")
    {
        FourHosts hosts = await FourHosts.BuildAsync(scenario, combination.Mtu);
        await hosts.SetLinkOffloadsAsync(combination.LinkOffloads);
        string forwarding = $"forwarding: {{ offload: {combination.Offload}, threads: {combination.Threads} }}";
        int mru = Math.Max(1500, combination.Mtu - 100);
        string lnsFile = $$"""
            node: lns1
            listen: [0.0.0.0:1701, "[::]:1701"]
            interface: { name: culvert0, mtu: {{combination.Mtu}} }
            {{forwarding}}
            peers: [ { match: any, profile: home{{peerKeys}} } ]
            profiles: [ { name: home, authentication: [chap], pool: default, mru: {{mru}} } ]
            pools: [ { name: default, ipv4: 100.64.0.0/16, gateway: {{Configurations.Gateway}} } ]
            users: [ { name: alice, password: wonder, routes: [{{FourHosts.ClientNetwork}}] } ]
            """;

        // With "listen" the LAC has the port's sockets for all its threads, and its dialled session's data come to any of them.
        string lacFile = $$"""
            node: lac1
            {{(combination.Threads == 1 ? "" : "listen: [0.0.0.0:1701, \"[::]:1701\"]")}}
            {{forwarding}}
            dial:
              - { name: up, lns: ["{{(combination.IsIPv6 ? "2001:db8::1" : "203.0.113.1")}}"], user: alice, password: wonder, interface: dial0,
                  routes: [{{FourHosts.ServerNetwork}}], mru: {{mru}} }
            """;
        CulvertServer lns = await CulvertServer.StartAsync(scenario, scenario.MainNamespace, lnsFile);
        CulvertServer lac = await CulvertServer.StartAsync(scenario, scenario.OtherNamespace, lacFile, "culvert-lac");
        foreach (CulvertServer node in (CulvertServer[])[lns, lac])
        {
            await Eventually.TrueAsync("the session is up", Limit, async () =>
                (await node.AskAsync("sessions")).Any(s => s.GetProperty("state").GetString() == "up"));
        }

        int mtu = Math.Min(await MtuOfAsync(lns), await MtuOfAsync(lac));
        scenario.Note($"{combination}: session MTU {mtu}");
        return new ForwardingPair(scenario, hosts, lac, lns) { SessionMtu = mtu };
    }

    public async Task<SessionTraffic> TrafficOfAsync(CulvertServer node)
    {
        JsonElement row = (await node.AskAsync("sessions"))[0];
        return new SessionTraffic(Number(row, "rx-packets"), Number(row, "rx-octets"), Number(row, "tx-packets"), Number(row, "tx-octets"), Number(row, "dropped"));
    }

    /// <summary>Both end as they should.</summary>
    public async Task StopAsync()
    {
        await Lac.StopAsync();
        await Eventually.TrueAsync("the LNS has nothing left", Limit, async () =>
            (await Lns.AskAsync("sessions")).Count == 0 && (await Lns.AskAsync("tunnels")).Count == 0);
        await Lns.StopAsync();
        _scenario.Note("both have ended");
    }

    private static async Task<int> MtuOfAsync(CulvertServer node) => (await node.AskAsync("sessions"))[0].GetProperty("mtu").GetInt32();

    private static long Number(JsonElement row, string name) => row.GetProperty(name).GetInt64();
}

/// <summary>A session's counters.</summary>
public sealed record SessionTraffic(long RxPackets, long RxOctets, long TxPackets, long TxOctets, long Dropped)
{
    public SessionTraffic Since(SessionTraffic before) => new(
        RxPackets - before.RxPackets, RxOctets - before.RxOctets, TxPackets - before.TxPackets, TxOctets - before.TxOctets, Dropped - before.Dropped);
}
