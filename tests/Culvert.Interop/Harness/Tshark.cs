namespace Culvert.Interop.Harness;

/// <summary>What tshark says about a capture.</summary>
public static class Tshark
{
    /// <summary>
    /// Checksums are not judged: at taps and veths half of the packets carry partial ones, which the sending kernel leaves to the
    /// device. Nor is the file that a subscriber fetches: putting it together, the dissector calls a segment that was sent again an
    /// error, and it is no fault of the tunnel. For the same reason streams are not put together at all: a guess at what the random
    /// octets might be then waits for megabytes, and looks at all of them again with each segment (minutes for a large file). Everything else at severity "error" is, at every layer: L2TP, PPP and what the
    /// subscriber sends inside.
    /// </summary>
    private static readonly string[] Preferences =
    [
        "-o", "ip.check_checksum:FALSE", "-o", "udp.check_checksum:FALSE", "-o", "tcp.check_checksum:FALSE",
        .. NoStreams,
    ];

    /// <summary>Where the sender has finished them, they are.</summary>
    private static readonly string[] WithChecksums =
        ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", .. NoStreams];

    private static string[] NoStreams => ["-o", "tcp.desegment_tcp_streams:FALSE", "--disable-protocol", "http"];

    /// <summary>Output of tshark for the packets that pass <paramref name="filter"/>.</summary>
    public static Task<string> ReadAsync(string file, string filter, params string[] more) => RunAsync(file, filter, Preferences, more);

    /// <inheritdoc cref="ReadAsync"/>
    public static Task<string> ReadWithChecksumsAsync(string file, string filter, params string[] more) => RunAsync(file, filter, WithChecksums, more);

    private static async Task<string> RunAsync(string file, string filter, string[] preferences, string[] more)
    {
        string errors = Path.GetTempFileName();
        try
        {
            // Only standard output: as root tshark warns about itself on standard error.
            CommandResult result = await Shell.RunAsync(
                ["sh", "-c", "errors=$1; shift; exec tshark \"$@\" 2>\"$errors\"", "sh", errors, "-n", "-r", file, .. preferences, .. more, "-Y", filter],
                TimeSpan.FromSeconds(60));
            return result.ExitCode == 0 ? result.Output : throw new InteropException($"tshark failed: {await File.ReadAllTextAsync(errors)}");
        }
        finally
        {
            File.Delete(errors);
        }
    }
}
