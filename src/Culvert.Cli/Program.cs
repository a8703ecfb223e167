using System.CommandLine;
using Culvert.Cli;

var root = new RootCommand("Culvert: an L2TP network server, access concentrator and client.")
{
    ServeCommand.Create(),
    DialCommand.Create(),
    ShowCommand.Create(),
    CloseCommand.Create(),
    ReloadCommand.Create(),
    CheckCommand.Create(),
    DecodeCommand.Create(),
    CaptureCommand.Create(),
    BlastCommand.Create(),
};

ParseResult parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (System.CommandLine.Parsing.ParseError error in parsed.Errors)
    {
        Console.Error.WriteLine($"culvert: {error.Message}");
    }

    Console.Error.WriteLine("culvert: see 'culvert --help', or 'culvert COMMAND --help'");
    return ExitCode.WrongUsage;
}

return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
