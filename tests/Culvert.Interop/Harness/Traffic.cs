using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Culvert.Interop.Harness;

/// <summary>Proof that a tunnel carries traffic: echo, and a file over HTTP that arrives whole.</summary>
public static partial class Traffic
{
    public const int HttpPort = 8080;
    private const int FileSize = 1_000_000;
    private const string FileName = "blob";

    private static readonly TimeSpan TransferLimit = TimeSpan.FromSeconds(60);

    /// <summary>The IPv4 address of a device in a namespace.</summary>
    public static async Task<string> AddressOfAsync(this Scenario scenario, string inNamespace, string device)
    {
        string text = await scenario.CommandAsync(inNamespace, $"ip -4 -o addr show dev {device}");
        Match match = InetPattern().Match(text);
        return match.Success ? match.Groups["address"].Value : throw new InteropException($"{device} has no address: {text}");
    }

    /// <summary>Serves a file of random octets in a namespace, on every address there.</summary>
    public static async Task ServeFileAsync(this Scenario scenario, string inNamespace)
    {
        string folder = await scenario.WebFolderAsync();
        scenario.Start($"httpd-{inNamespace}", inNamespace, ["busybox", "httpd", "-f", "-p", $"{HttpPort}", "-h", folder]);
        await Eventually.TrueAsync("busybox httpd listens", TimeSpan.FromSeconds(15), async () =>
            (await scenario.CommandAsync(inNamespace, "ss -Hltn")).Contains($":{HttpPort} ", StringComparison.Ordinal));
    }

    /// <summary>The same inside a guest.</summary>
    public static async Task ServeFileAsync(this Scenario scenario, Guest guest)
    {
        string folder = await scenario.WebFolderAsync();
        File.Copy(Path.Combine(folder, FileName), Path.Combine(guest.Share, FileName), overwrite: true);

        // Not from the shared folder: the transfer is to show the tunnel's speed, not hostfs's.
        _ = (await guest.RunAsync($"mkdir -p /run/web && cp /share/{FileName} /run/web && cmp /share/{FileName} /run/web/{FileName} && busybox httpd -p {HttpPort} -h /run/web")).Succeeded;
    }

    /// <summary>
    /// Passes when all of three echoes come back. The first round may fail: pppd acknowledges our addresses first and brings its
    /// interface up afterwards, which takes half a second in a guest.
    /// </summary>
    public static async Task PingAsync(this Scenario scenario, string inNamespace, string target, int size = 1000)
    {
        const string All = " 3 packets received";
        CommandResult result = new(string.Empty, 1, string.Empty);
        for (int round = 0; round < 2 && !result.Output.Contains(All, StringComparison.Ordinal); round++)
        {
            result = await scenario.CommandAsync(
                inNamespace, ["busybox", "ping", "-q", "-c", "3", "-i", "0.2", "-W", "2", "-s", $"{size}", target]);
        }

        if (!result.Succeeded.Contains(All, StringComparison.Ordinal))
        {
            throw new InteropException($"ping {target} loses packets: {result.Output}");
        }

        scenario.Note($"ping {target} passes");
    }

    public static async Task FetchAsync(this Scenario scenario, string inNamespace, string server) =>
        await scenario.FetchAsync(server, (command, limit) => scenario.CommandAsync(inNamespace, ["bash", "-c", command], limit));

    public static async Task FetchAsync(this Scenario scenario, Guest guest, string server, string prefix = "") =>
        await scenario.FetchAsync(server, (command, limit) => guest.RunAsync($"{prefix} bash -c '{command}'", limit));

    private static async Task FetchAsync(this Scenario scenario, string server, Func<string, TimeSpan, Task<CommandResult>> run)
    {
        string host = server.Contains(':') ? $"[{server}]" : server;
        string expected = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(await scenario.WebFolderAsync(), FileName))));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        CommandResult result = await run($"set -o pipefail; busybox wget -q -O - http://{host}:{HttpPort}/{FileName} | busybox sha256sum", TransferLimit);
        if (!result.Succeeded.Contains(expected, StringComparison.Ordinal))
        {
            throw new InteropException($"the file from {server} arrived damaged or not at all: {result.Output}");
        }

        scenario.Note($"HTTP from {server}: {FileSize * 8 / 1e6 / watch.Elapsed.TotalSeconds:F0} Mbit/s");
    }

    private static async Task<string> WebFolderAsync(this Scenario scenario)
    {
        string folder = Path.Combine(scenario.Folder, "web");
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(file, RandomNumberGenerator.GetBytes(FileSize));
        }

        return folder;
    }

    [GeneratedRegex(@"inet (?<address>[\d.]+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex InetPattern();
}
