using System.CommandLine;
using Culvert.Capture;
using Culvert.Core;

namespace Culvert.Cli;

/// <summary>culvert decode FILE: what a capture says, in words.</summary>
internal static class DecodeCommand
{
    private const string StandardInput = "-";

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "a pcap or pcapng capture; - for standard input" };
        var secrets = new Option<string[]>("--secret")
        {
            Description = "tunnel secret, to show hidden AVPs in clear; may be repeated. It can be seen in the process list: --secret-file cannot",
            HelpName = "SECRET",
        };
        var secretFiles = new Option<string[]>("--secret-file") { Description = "file with a tunnel secret; may be repeated", HelpName = "FILE" };
        Option<string[]> filter = Filter();
        Option<bool> verbose = CommonOptions.Verbose();
        verbose.Description = "show every AVP and option on its own line";
        Option<bool> json = CommonOptions.Json();
        json.Description = "print one JSON object per packet and line";
        var command = new Command("decode", "Print the L2TP and PPP in a capture, one line per packet; times are UTC.")
        {
            file, secrets, secretFiles, filter, verbose, json,
        };
        command.SetAction((parsed, _) => Failure.Guard(() =>
        {
            IEnumerable<string> all = [.. parsed.GetValue(secrets) ?? [], .. (parsed.GetValue(secretFiles) ?? []).Select(SecretFile.Read)];
            PacketStyle style = parsed.GetValue(json) ? PacketStyle.Json : parsed.GetValue(verbose) ? PacketStyle.Tree : PacketStyle.Line;
            var decoder = new CaptureDecoder(style, ReadFilter(parsed.GetValue(filter)), [.. all.Select(s => new Secret(s))]);
            return Task.FromResult(Decode(parsed.GetRequiredValue(file), decoder));
        }));
        return command;
    }

    public static Option<string[]> Filter() => new("--filter")
    {
        Description = "only packets with tunnel=ID, session=ID or type=NAME (SCCRQ, ZLB, LCP, IP, control, data); "
            + "commas and repetition of one field mean 'or', different fields 'and'",
        HelpName = "FIELD=VALUE",
    };

    public static PacketFilter ReadFilter(string[]? terms) =>
        PacketFilter.TryParse(terms ?? [], out PacketFilter filter, out string problem) ? filter : throw new Failure($"--filter: {problem}");

    private static int Decode(string file, CaptureDecoder decoder)
    {
        bool isPipe = file == StandardInput;
        try
        {
            using Stream input = isPipe ? Console.OpenStandardInput() : File.OpenRead(file);
            CaptureReader reader = CaptureReader.Open(input);
            using (StreamWriter output = StandardOutput.OpenText(isLive: isPipe))
            {
                decoder.Run(reader, output);
            }

            Console.Error.WriteLine($"culvert: {decoder.Summary(reader)}");
            return reader.Problem is null ? ExitCode.Done : throw new Failure($"{(isPipe ? "standard input" : file)} {reader.Problem}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure($"cannot read {file}, or nobody reads the output: {e.Message}");
        }
    }
}
