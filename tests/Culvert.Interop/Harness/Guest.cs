namespace Culvert.Interop.Harness;

/// <summary>A User-Mode Linux host on a tap of the rig, running one of Rig/*.sh, which then waits for our jobs.</summary>
public sealed class Guest
{
    private static readonly TimeSpan BootLimit = TimeSpan.FromSeconds(90);

    private readonly Child _machine;
    private readonly string _name;
    private int _jobs;

    private Guest(Child machine, string name, string share)
    {
        _machine = machine;
        _name = name;
        Share = share;
    }

    /// <summary>The folder that host and guest share (/share inside).</summary>
    public string Share { get; }

    /// <summary>Starts booting. <paramref name="settings"/> are KEY=VALUE without spaces.</summary>
    public static Guest Start(Scenario scenario, string name, string tap, string script, params string[] settings)
    {
        string share = Path.Combine(scenario.Folder, "share", name);
        Directory.CreateDirectory(share);
        Child machine = scenario.Start(
            $"console-{name}", null,
            ["env", "MEM=256M", "bash", Path.Combine(scenario.Folder, "bin", "uml-host.sh"), name, tap, Path.Combine(scenario.Folder, "own", script), .. settings]);
        return new Guest(machine, name, share);
    }

    public async Task ReadyAsync()
    {
        await Eventually.TrueAsync($"guest {_name} is ready", BootLimit, () =>
            File.Exists(Path.Combine(Share, "ready")) || (_machine.HasExited ? throw new InteropException($"guest {_name} ended while booting") : false));
    }

    /// <summary>Runs shell lines inside.</summary>
    public async Task<CommandResult> RunAsync(string lines, TimeSpan? limit = null)
    {
        string job = Path.Combine(Share, $"job.{++_jobs}");
        await File.WriteAllTextAsync($"{job}.new", lines + "\n");
        File.Move($"{job}.new", $"{job}.sh");
        await Eventually.TrueAsync($"guest {_name} runs '{lines}'", limit ?? Shell.DefaultLimit, () => File.Exists($"{job}.rc"));
        return new CommandResult($"{_name}: {lines}", int.Parse(await File.ReadAllTextAsync($"{job}.rc")), await File.ReadAllTextAsync($"{job}.out"));
    }

    /// <summary>Waits for a line in one of the guest's logs.</summary>
    public Task LoggedAsync(string log, string text, TimeSpan limit) =>
        Eventually.TrueAsync($"guest {_name} logs '{text}' in {log}", limit, () =>
            File.Exists(Path.Combine(Share, log)) && File.ReadAllText(Path.Combine(Share, log)).Contains(text, StringComparison.Ordinal));
}
