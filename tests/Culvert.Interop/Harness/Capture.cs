namespace Culvert.Interop.Harness;

/// <summary>tcpdump on an interface, and tshark's judgement of what was sent.</summary>
public sealed class Capture
{
    /// <summary>What waits while tcpdump gets no processor: a second of a fast transfer. The usual 2 MiB lost packets that arrived.</summary>
    private const string BufferKibibytes = "65536";

    private readonly Scenario _scenario;
    private readonly Child _tcpdump;
    private readonly string _file;

    private Capture(Scenario scenario, Child tcpdump, string file)
    {
        _scenario = scenario;
        _tcpdump = tcpdump;
        _file = file;
    }

    /// <param name="scenario">The scenario.</param>
    /// <param name="inNamespace">Where.</param>
    /// <param name="device">On which interface.</param>
    /// <param name="filter">tcpdump's.</param>
    /// <param name="name">Of the file, where a device's name is not enough.</param>
    public static async Task<Capture> StartAsync(Scenario scenario, string inNamespace, string device, string filter = "udp", string? name = null)
    {
        string file = Path.Combine(scenario.Captures, $"{name ?? device}.pcap");

        // Without immediate mode what came in the last second before the end is lost with its block.
        Child tcpdump = scenario.Start($"tcpdump-{name ?? device}", inNamespace, ["tcpdump", "-i", device, "-U", "--immediate-mode", "-s0", "-B", BufferKibibytes, "-w", file, filter]);
        await tcpdump.WaitForLineAsync("tcpdump: listening", TimeSpan.FromSeconds(15));
        return new Capture(scenario, tcpdump, file);
    }

    public string File => _file;

    public async Task StopAsync()
    {
        await _tcpdump.SignalAsync("INT");
        await _tcpdump.WaitForExitAsync(TimeSpan.FromSeconds(15));
    }

    /// <summary>
    /// Ends the capture and asserts that tshark finds no packet from <paramref name="addresses"/> (ours) malformed or worth an
    /// expert's error.
    /// </summary>
    public async Task StopAndCheckAsync(params string[] addresses)
    {
        await StopAsync();
        foreach (string address in addresses)
        {
            int sent = await TsharkCheck.AssertCleanAsync(_file, address);
            _scenario.Note($"tshark finds nothing wrong with the {sent} packets from {address}");
        }
    }
}

public static class TsharkCheck
{
    private const string SeverityError = "8388608";

    /// <summary>What speaks against a packet when it is not empty; the severities come last.</summary>
    private static readonly string[] Fields =
        ["-T", "fields", "-e", "frame.number", "-e", "frame.protocols", "-e", "_ws.malformed", "-e", "_ws.short", "-e", "_ws.unreassembled", "-e", "_ws.expert.severity"];

    /// <summary>Returns how many UDP packets from <paramref name="address"/> (outermost) were judged; none is a failure as well.</summary>
    public static async Task<int> AssertCleanAsync(string file, string address)
    {
        // "#1" is the outermost header: a subscriber's packets inside may have any source.
        string from = address.Contains(':') ? $"ipv6.src#1 == {address}" : $"ip.src#1 == {address}";
        string[] packets = (await Tshark.ReadAsync(file, $"{from} && udp", Fields)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] bad = [.. packets.Select(line => line.Split('\t')).Where(IsBad).Select(fields => fields[0]).Take(5)];
        if (bad.Length > 0)
        {
            string details = await Tshark.ReadAsync(file, $"frame.number in {{{string.Join(',', bad)}}}", "-V");
            throw new InteropException($"tshark objects to what we sent:\n{details}");
        }

        return packets.Length > 0 ? packets.Length : throw new InteropException($"no UDP packet from {address} in {file}");
    }

    /// <summary>What a subscriber's random file looks like to a dissector is chance: it was taken for RTCP, Thrift and more.</summary>
    private static bool IsGuess(string protocols) =>
        protocols.LastIndexOf(":ppp:ip:", StringComparison.Ordinal) is >= 0 and int inner
        && protocols[(inner + ":ppp:ip:".Length)..].Split(':') is ["tcp" or "udp", not ("data" or "_ws.malformed"), ..];

    private static bool IsBad(string[] fields) =>
        !IsGuess(fields[1]) && IsWrong(fields[2..]);

    private static bool IsWrong(string[] fields) =>
        fields[..^1].Any(field => field.Length > 0) || fields[^1].Split(',').Contains(SeverityError, StringComparer.Ordinal);
}
