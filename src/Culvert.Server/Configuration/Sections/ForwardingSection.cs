using Culvert.Linux;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>forwarding</c>: how packets are moved.</summary>
internal static class ForwardingSection
{
    private const string Words = "auto, none, or a list of tun-checksum, tun-tcp, tun-udp, tun-calls, send and receive";

    public static ForwardingSettings Read(MapReader map) => new()
    {
        Offload = ReadOffload(map),
        Threads = map.Text("threads") is null or "auto" ? null : map.Number("threads", 1, 1, ForwardingSettings.MostThreads),
        Spread = map.Choice("spread", Spread.Peers, ("peers", Spread.Peers), ("sessions", Spread.Sessions)),
        BusyPoll = map.Text("busy-poll") is null or "auto" ? null : map.Duration("busy-poll", TimeSpan.Zero, TimeSpan.FromSeconds(1)),
    };

    private static OffloadSettings ReadOffload(MapReader map)
    {
        if (!map.TryNode("offload", out YamlNode node))
        {
            return new OffloadSettings();
        }

        if (node is YamlScalarNode scalar)
        {
            return scalar.Value switch
            {
                "auto" => new OffloadSettings(),
                "none" => OffloadSettings.None,
                _ => map.Wrong("offload", $"'{scalar.Value}' is no choice; write {Words}", OffloadSettings.None),
            };
        }

        OffloadSettings chosen = OffloadSettings.None;
        foreach (YamlNode item in map.List("offload", n => n))
        {
            chosen = map.TextOf(item) switch
            {
                "tun-checksum" => chosen with { Tun = chosen.Tun | TunOffloads.Checksum },
                "tun-tcp" => chosen with { Tun = chosen.Tun | TunOffloads.Checksum | TunOffloads.Tcp | TunOffloads.TcpEcn },
                "tun-udp" => chosen with { Tun = chosen.Tun | TunOffloads.Checksum | TunOffloads.Udp },
                "tun-calls" => chosen with { JoinTunCalls = true },
                "send" => chosen with { JoinSent = true },
                "receive" => chosen with { JoinReceived = true },
                string other => Unknown(map, item, other, chosen),
            };
        }

        return chosen;
    }

    private static OffloadSettings Unknown(MapReader map, YamlNode item, string text, OffloadSettings chosen)
    {
        map.Errors.Add(item, $"'{text}' is no offload; write {Words}");
        return chosen;
    }
}
