namespace Culvert.Interop.Harness;

/// <summary>tcpdump on an interface, and tshark's judgement of what was sent.</summary>
public sealed class Capture
{
    private readonly Scenario _scenario;
    private readonly Child _tcpdump;
    private readonly string _file;

    private Capture(Scenario scenario, Child tcpdump, string file)
    {
        _scenario = scenario;
        _tcpdump = tcpdump;
        _file = file;
    }

    public static async Task<Capture> StartAsync(Scenario scenario, string inNamespace, string device, string filter = "udp")
    {
        string file = Path.Combine(scenario.Captures, $"{device}.pcap");
        Child tcpdump = scenario.Start($"tcpdump-{device}", inNamespace, ["tcpdump", "-i", device, "-U", "-s0", "-w", file, filter]);
        await tcpdump.WaitForLineAsync("tcpdump: listening", TimeSpan.FromSeconds(15));
        return new Capture(scenario, tcpdump, file);
    }

    /// <summary>
    /// Ends the capture and asserts that tshark finds no packet from <paramref name="addresses"/> (ours) malformed or worth an
    /// expert's error.
    /// </summary>
    public async Task StopAndCheckAsync(params string[] addresses)
    {
        await _tcpdump.SignalAsync("INT");
        await _tcpdump.WaitForExitAsync(TimeSpan.FromSeconds(15));
        foreach (string address in addresses)
        {
            int sent = await TsharkCheck.AssertCleanAsync(_file, address);
            _scenario.Note($"tshark finds nothing wrong with the {sent} packets from {address}");
        }
    }
}

public static class TsharkCheck
{
    /// <summary>
    /// Checksums are not judged: at taps and veths half of the packets carry partial ones, which the sending kernel leaves to the
    /// device. Nor is the file that a subscriber fetches: putting it together, the dissector calls a segment that was sent again an
    /// error, and it is no fault of the tunnel. Everything else at severity "error" is, at every layer: L2TP, PPP and what the subscriber sends inside.
    /// </summary>
    private static readonly string[] Preferences =
    [
        "-o", "ip.check_checksum:FALSE", "-o", "udp.check_checksum:FALSE", "-o", "tcp.check_checksum:FALSE",
        "--disable-protocol", "http",
    ];

    private const string SeverityError = "8388608";

    /// <summary>What speaks against a packet when it is not empty; the severities come last.</summary>
    private static readonly string[] Fields =
        ["-T", "fields", "-e", "frame.number", "-e", "_ws.malformed", "-e", "_ws.short", "-e", "_ws.unreassembled", "-e", "_ws.expert.severity"];

    /// <summary>Returns how many UDP packets from <paramref name="address"/> (outermost) were judged; none is a failure as well.</summary>
    public static async Task<int> AssertCleanAsync(string file, string address)
    {
        // "#1" is the outermost header: a subscriber's packets inside may have any source.
        string from = address.Contains(':') ? $"ipv6.src#1 == {address}" : $"ip.src#1 == {address}";
        string[] packets = (await ReadAsync(file, $"{from} && udp", Fields)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] bad = [.. packets.Select(line => line.Split('\t')).Where(IsBad).Select(fields => fields[0]).Take(5)];
        if (bad.Length > 0)
        {
            string details = await ReadAsync(file, $"frame.number in {{{string.Join(',', bad)}}}", "-V");
            throw new InteropException($"tshark objects to what we sent:\n{details}");
        }

        return packets.Length > 0 ? packets.Length : throw new InteropException($"no UDP packet from {address} in {file}");
    }

    private static bool IsBad(string[] fields) =>
        fields[1..^1].Any(field => field.Length > 0) || fields[^1].Split(',').Contains(SeverityError, StringComparer.Ordinal);

    private static async Task<string> ReadAsync(string file, string filter, params string[] more)
    {
        string errors = Path.GetTempFileName();
        try
        {
            // Only standard output: as root tshark warns about itself on standard error.
            CommandResult result = await Shell.RunAsync(
                ["sh", "-c", "errors=$1; shift; exec tshark \"$@\" 2>\"$errors\"", "sh", errors, "-n", "-r", file, .. Preferences, .. more, "-Y", filter],
                TimeSpan.FromSeconds(60));
            return result.ExitCode == 0 ? result.Output : throw new InteropException($"tshark failed: {await File.ReadAllTextAsync(errors)}");
        }
        finally
        {
            File.Delete(errors);
        }
    }
}
