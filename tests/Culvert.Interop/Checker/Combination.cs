namespace Culvert.Interop.Checker;

/// <summary>One way to run both ends.</summary>
/// <param name="Offload">As in the file: what is left to the kernel.</param>
/// <param name="Threads">That forward, at each end.</param>
/// <param name="LinkOffloads">Whether the hosts' cards (veth) take unfinished packets.</param>
/// <param name="IsIPv6">The family between LAC and LNS.</param>
/// <param name="Mtu">Of all links.</param>
public sealed record Combination(string Offload, int Threads, bool LinkOffloads, bool IsIPv6, int Mtu = 1500)
{
    public const string Auto = "auto", None = "none";

    private static readonly string[] Switches = ["tun-checksum", "tun-tcp", "tun-udp", "tun-calls", "send", "receive"];

    public override string ToString() =>
        $"offload {Offload}, threads {Threads}, links {(LinkOffloads ? "finish" : "carry finished packets")}, IPv{(IsIPv6 ? 6 : 4)}, {Mtu}";

    /// <summary>Every switch off alone, all on, all off.</summary>
    public static IEnumerable<string> Offloads => Switches.Select(Without).Prepend(None).Prepend(Auto);

    /// <summary>Few, so chosen that each switch meets one thread and several, and both kinds of link and family appear with all on and all off.</summary>
    public static IReadOnlyList<Combination> Few { get; } =
    [
        new(Auto, 1, LinkOffloads: true, IsIPv6: false),
        new(Auto, 3, LinkOffloads: false, IsIPv6: true),
        new(Auto, 3, LinkOffloads: true, IsIPv6: false, Mtu: 65_535),
        new(None, 1, LinkOffloads: true, IsIPv6: true, Mtu: 65_535),
        new(None, 3, LinkOffloads: false, IsIPv6: false),
        new(Without("tun-checksum"), 1, LinkOffloads: false, IsIPv6: false),
        new(Without("tun-tcp"), 3, LinkOffloads: true, IsIPv6: false),
        new(Without("tun-udp"), 1, LinkOffloads: true, IsIPv6: true),
        new(Without("tun-calls"), 3, LinkOffloads: true, IsIPv6: false),
        new(Without("send"), 3, LinkOffloads: true, IsIPv6: false),
        new(Without("receive"), 1, LinkOffloads: false, IsIPv6: false),
    ];

    public static IReadOnlyList<Combination> All { get; } =
    [
        .. from offload in Offloads from threads in (int[])[1, 3] from links in (bool[])[true, false] from isIPv6 in (bool[])[false, true]
           from mtu in (int[])[1500, 65_535] select new Combination(offload, threads, links, isIPv6, mtu),
    ];

    // The others need unfinished checksums, so those go alone only in name.
    private static string Without(string off) =>
        $"[{string.Join(", ", Switches.Where(s => s != off && (off != "tun-checksum" || !NeedsChecksum(s))))}]";

    private static bool NeedsChecksum(string name) => name is "tun-checksum" or "tun-tcp" or "tun-udp";
}
