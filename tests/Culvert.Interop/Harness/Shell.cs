using System.Diagnostics;

namespace Culvert.Interop.Harness;

public sealed record CommandResult(string Command, int ExitCode, string Output)
{
    /// <summary>The output of a command that must have succeeded.</summary>
    public string Succeeded => ExitCode == 0
        ? Output
        : throw new InteropException($"'{Command}' ended with {ExitCode}:\n{Output}");
}

/// <summary>Something outside of our program went wrong, or an expectation of a scenario was not met.</summary>
public sealed class InteropException(string message) : Exception(message);

/// <summary>Runs short commands with a time limit.</summary>
public static class Shell
{
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(40);

    /// <summary>Runs a program to its end; standard output and error come back together.</summary>
    public static async Task<CommandResult> RunAsync(
        IReadOnlyList<string> command, TimeSpan? limit = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = StartInfo(command, environment);
        using Process process = Process.Start(start) ?? throw new InteropException($"cannot start {command[0]}");
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        using var expiry = new CancellationTokenSource(limit ?? DefaultLimit);
        string line = string.Join(' ', command);
        try
        {
            await process.WaitForExitAsync(expiry.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new InteropException($"'{line}' did not end within {(limit ?? DefaultLimit).TotalSeconds} s:\n{await output}{await error}");
        }

        return new CommandResult(line, process.ExitCode, await output + await error);
    }

    public static Task<CommandResult> RunAsync(params string[] command) => RunAsync((IReadOnlyList<string>)command);

    internal static ProcessStartInfo StartInfo(IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return start;
    }
}

/// <summary>Waits for something that another process does.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(40);

    public static async Task TrueAsync(string what, TimeSpan limit, Func<Task<bool>> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > limit)
            {
                throw new InteropException($"did not happen within {limit.TotalSeconds} s: {what}");
            }

            await Task.Delay(Interval);
        }
    }

    public static Task TrueAsync(string what, TimeSpan limit, Func<bool> condition) =>
        TrueAsync(what, limit, () => Task.FromResult(condition()));
}
