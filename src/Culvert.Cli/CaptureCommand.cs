using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Culvert.Capture;

namespace Culvert.Cli;

/// <summary>culvert capture: the datagrams of one tunnel, session or user of a running node, as they pass.</summary>
internal static class CaptureCommand
{
    private const string Standard = "-";

    public static Command Create()
    {
        var tunnel = new Option<string?>("--tunnel") { Description = "one tunnel, by the ID that 'culvert show tunnels' prints", HelpName = "ID" };
        var session = new Option<string?>("--session") { Description = "one session, by the ID that 'culvert show sessions' prints", HelpName = "TUNNEL/ID" };
        var user = new Option<string?>("--user") { Description = "all sessions of one user, also those that come up later", HelpName = "NAME" };
        var controlOnly = new Option<bool>("--control-only") { Description = "control messages and PPP negotiation, no user traffic" };
        var write = new Option<string?>("--write", "-w") { Description = "write pcapng there, - for standard output (default: print in words)", HelpName = "FILE.pcapng" };
        var maxSize = new Option<string?>("--max-size") { Description = "end before the file exceeds this: octets, or with k, M or G", HelpName = "SIZE" };
        var maxPackets = new Option<long?>("--max-packets") { Description = "end after so many packets", HelpName = "N" };
        var seconds = new Option<double?>("--seconds") { Description = "end after so many seconds (default: at Ctrl-C)", HelpName = "S" };
        Option<string[]> filter = DecodeCommand.Filter();
        filter.Description += "; without -w";
        Option<bool> verbose = CommonOptions.Verbose();
        verbose.Description = "without -w: show every AVP and option on its own line";
        Option<string?> socket = CommonOptions.Socket();
        var command = new Command("capture", "Capture what passes between a running node and its peers, as pcapng or in words.")
        {
            tunnel, session, user, controlOnly, write, maxSize, maxPackets, seconds, filter, verbose, socket,
        };
        command.SetAction((parsed, _) => Failure.Guard(() =>
        {
            string query = Query(
                ("tunnel", parsed.GetValue(tunnel)),
                ("session", parsed.GetValue(session)),
                ("user", parsed.GetValue(user)),
                ("control-only", parsed.GetValue(controlOnly) ? "true" : null),
                ("max-size", parsed.GetValue(maxSize) is { } size ? ParseSize(size).ToString(CultureInfo.InvariantCulture) : null),
                ("max-packets", parsed.GetValue(maxPackets)?.ToString(CultureInfo.InvariantCulture)),
                ("seconds", parsed.GetValue(seconds)?.ToString(CultureInfo.InvariantCulture)));
            var decoder = new CaptureDecoder(
                parsed.GetValue(verbose) ? PacketStyle.Tree : PacketStyle.Line, DecodeCommand.ReadFilter(parsed.GetValue(filter)), []);
            return Capture($"v1/capture{query}", parsed.GetValue(write), decoder, parsed.GetValue(socket));
        }));
        return command;
    }

    private static async Task<int> Capture(string path, string? file, CaptureDecoder decoder, string? socket)
    {
        using var client = new ControlClient(socket);
        using var termination = new Termination();
        using CaptureStream capture = await client.OpenCapture(path);
        _ = EndWhenAsked(termination, client, capture);
        try
        {
            if (file is null)
            {
                await Task.Run(() => Print(capture.Content, decoder));
            }
            else
            {
                await using Stream output = file == Standard ? StandardOutput.Open() : CreateFile(file);
                await capture.Content.CopyToAsync(output);
            }
        }
        catch (HttpIOException e)
        {
            throw new Failure($"the node broke the capture off: {e.Message}");
        }
        catch (IOException e)
        {
            throw new Failure($"cannot write the capture: {e.Message}");
        }

        return ExitCode.Done;
    }

    private static void Print(Stream capture, CaptureDecoder decoder)
    {
        CaptureReader reader = CaptureReader.Open(capture);
        using (StreamWriter output = StandardOutput.OpenText(isLive: true))
        {
            decoder.Run(reader, output);
        }

        Console.Error.WriteLine($"culvert: {decoder.Summary(reader)}");
        if (reader.Problem is not null)
        {
            throw new Failure($"the capture {reader.Problem}");
        }
    }

    /// <summary>Ctrl-C asks the node for the end of the file instead of leaving in the middle of it.</summary>
    private static async Task EndWhenAsked(Termination termination, ControlClient client, CaptureStream capture)
    {
        await termination.Requested;
        try
        {
            await client.Post($"v1/capture/{capture.Id}/stop", new JsonObject(), CancellationToken.None);
        }
        catch (Failure failure)
        {
            // The capture may have ended by itself just now; if not, a second Ctrl-C ends this program.
            await Console.Error.WriteLineAsync($"culvert: {failure.Message}");
        }
    }

    private static FileStream CreateFile(string file)
    {
        try
        {
            // What users send is in there: for the owner's eyes. Without a buffer, so that whoever looks at the file meanwhile sees it grow.
            return new FileStream(file, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure($"cannot write {file}: {e.Message}");
        }
    }

    private static string Query(params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var given = new List<string>();
        foreach ((string name, string? value) in parameters)
        {
            if (value is not null)
            {
                given.Add($"{name}={Uri.EscapeDataString(value)}");
            }
        }

        return given.Count == 0 ? "" : $"?{string.Join('&', given)}";
    }

    private static long ParseSize(string text)
    {
        long unit = text.Length == 0 ? 1 : text[^1] switch { 'k' or 'K' => 1 << 10, 'M' or 'm' => 1 << 20, 'G' or 'g' => 1 << 30, _ => 1 };
        return long.TryParse(unit == 1 ? text : text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long count)
            && count is > 0 and < 1L << 30
            ? count * unit
            : throw new Failure($"--max-size {text}: not a size such as 500k or 10M");
    }
}
