using System.CommandLine;
using Culvert.Server;
using Culvert.Server.Configuration;
using Microsoft.Extensions.Logging;

namespace Culvert.Cli;

/// <summary>culvert serve -c FILE: the daemon.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var file = new Option<string>("--config", "-c") { Description = "the configuration file", HelpName = "FILE", Required = true };
        var socket = new Option<string?>("--socket") { Description = "control socket, instead of the file's api.socket", HelpName = "PATH" };
        Option<bool> verbose = CommonOptions.Verbose();
        Option<bool> json = new("--log-json") { Description = "log one JSON object per line" };
        var command = new Command("serve", "Run a node: accept tunnels, and dial those that the file names.") { file, socket, verbose, json };
        command.SetAction((parsed, cancel) => Failure.Guard(() => Serve(
            parsed.GetRequiredValue(file), parsed.GetValue(socket), new LogOptions(parsed.GetValue(verbose), parsed.GetValue(json)))));
        return command;
    }

    private static async Task<int> Serve(string file, string? socket, LogOptions log)
    {
        NodeConfiguration configuration = Load(file, socket);
        using ILoggerFactory loggers = NodeLogging.Create(log);
        using var termination = new Termination();
        try
        {
            await using Node node = await Node.Start(configuration, loggers, () => Load(file, socket));

            // Reading a file with tens of thousands of users leaves more behind than they take; given back before subscribers need it.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            Console.WriteLine("ready");
            await Task.WhenAny(termination.Requested, node.Ended);
            await node.Stop();
            return node.Ended.IsFaulted ? throw Failure.Of(node.Ended) : ExitCode.Done;
        }
        catch (NodeException failure)
        {
            throw new Failure(failure.Message);
        }
    }

    private static NodeConfiguration Load(string file, string? socket)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Load(file, out NodeConfiguration? configuration);
        if (configuration is null)
        {
            throw new NodeException(string.Join(Environment.NewLine, errors));
        }

        return socket is null ? configuration : configuration with { Api = configuration.Api with { Socket = socket } };
    }
}
