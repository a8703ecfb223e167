using System.CommandLine;
using Culvert.Blast;
using Culvert.Linux;
using Spectre.Console;

namespace Culvert.Cli;

/// <summary>culvert blast HOST: a load generator for any LNS and, with --answer, for any LAC.</summary>
internal static class BlastCommand
{
    private static readonly TimeSpan ScreenInterval = TimeSpan.FromSeconds(0.5);

    public static Command Create()
    {
        var options = new BlastOptions();
        var allowFailures = new Option<bool>("--allow-failures") { Description = "exit code 0 also when some sessions did not come up" };
        var json = new Option<bool>("--json") { Description = "print the result as JSON, and nothing before" };
        var command = new Command("blast", "Load an LNS (or, with --answer, a LAC) with tunnels, sessions and packets, and measure.");
        options.AddTo(command);
        command.Add(allowFailures);
        command.Add(json);
        command.SetAction((parsed, _) => Failure.Guard(async () =>
        {
            (BlastSettings settings, BlastSockets sockets) = await options.Read(parsed);
            BlastReport report = await Run(settings, sockets, isQuiet: parsed.GetValue(json));
            if (parsed.GetValue(json))
            {
                Console.WriteLine(report.ToJson());
            }
            else
            {
                BlastScreen.Print(report);
            }

            return report.IsComplete || parsed.GetValue(allowFailures) ? ExitCode.Done : ExitCode.Failed;
        }));
        return command;
    }

    // The run has a thread of its own; the screen only looks at the copies that it leaves.
    private static async Task<BlastReport> Run(BlastSettings settings, BlastSockets sockets, bool isQuiet)
    {
        try
        {
            using var runner = new BlastRunner(settings, sockets);
            using var termination = new Termination();
            Task<BlastReport> run = Task.Factory.StartNew(runner.Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            _ = termination.Requested.ContinueWith(_ => runner.RequestStop(), TaskScheduler.Default);
            if (settings.IsAnswerer && !isQuiet)
            {
                Console.WriteLine($"ready: taking calls on port {runner.LocalPort}");
            }

            if (!isQuiet && !Console.IsOutputRedirected)
            {
                await AnsiConsole.Live(new Text("")).StartAsync(async screen =>
                {
                    while (!run.IsCompleted)
                    {
                        if (runner.Latest is { } latest)
                        {
                            screen.UpdateTarget(BlastScreen.ToTable(latest));
                            screen.Refresh();
                        }

                        await Task.WhenAny(run, Task.Delay(ScreenInterval));
                    }
                });
            }

            return await run;
        }
        catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new Failure(e.Message);
        }
    }
}
