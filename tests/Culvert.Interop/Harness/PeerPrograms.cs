namespace Culvert.Interop.Harness;

/// <summary>l2tpns with FreeRADIUS behind it, natively in the rig's namespace on 203.0.113.1.</summary>
public sealed class L2tpns
{
    public const string TunnelSecret = "s3kr1t";

    private readonly Scenario _scenario;
    private readonly Child _program;

    private L2tpns(Scenario scenario, Child program)
    {
        _scenario = scenario;
        _program = program;
    }

    /// <summary>It crashed, or was stopped.</summary>
    public bool HasEnded => _program.HasExited;

    /// <summary>It serves only once it has elected itself master of its cluster.</summary>
    public static async Task<L2tpns> StartAsync(Scenario scenario)
    {
        scenario.Start("radius", null, "bash", Path.Combine(scenario.Folder, "bin", "radius.sh"));
        var l2tpns = new L2tpns(scenario, scenario.Start("l2tpns", null, "bash", Path.Combine(scenario.Folder, "bin", "l2tpns.sh")));
        await l2tpns.LoggedAsync("declaring myself the master", TimeSpan.FromSeconds(30));
        scenario.Note("l2tpns is ready");
        return l2tpns;
    }

    public async Task LoggedAsync(string text, TimeSpan limit) =>
        await Eventually.TrueAsync($"l2tpns logs '{text}'", limit, () =>
            _program.Lines.Any(line => line.Contains(text, StringComparison.Ordinal))
            || (_program.HasExited ? throw new InteropException("l2tpns ended") : false));

    /// <summary>One command at its console, in privileged mode.</summary>
    public async Task ConsoleAsync(string command)
    {
        string script = $"exec 3<>/dev/tcp/127.0.0.1/23; sleep .3; printf 'enable\\r\\n' >&3; sleep .3; printf '{command}\\r\\n' >&3; sleep .5; timeout 1 cat <&3";
        CommandResult result = await _scenario.CommandAsync(_scenario.MainNamespace, ["bash", "-c", script]);
        _scenario.Note($"l2tpns: {command}");
        if (!result.Output.Contains(command, StringComparison.Ordinal))
        {
            throw new InteropException($"l2tpns's console did not take '{command}': {result.Output}");
        }
    }
}

/// <summary>SoftEther natively in the rig's namespace on 203.0.113.1: raw L2TP, user-mode NAT, user alice/wonder.</summary>
public sealed class SoftEther
{
    private readonly Scenario _scenario;

    private SoftEther(Scenario scenario) => _scenario = scenario;

    public static async Task<SoftEther> StartAsync(Scenario scenario)
    {
        Child program = scenario.Start("softether", null, "bash", Path.Combine(scenario.Folder, "bin", "softether.sh"));
        await Eventually.TrueAsync("SoftEther is ready", TimeSpan.FromSeconds(60), () =>
            File.Exists(Path.Combine(scenario.Folder, "run", "softether.ready"))
            || (program.HasExited ? throw new InteropException("SoftEther ended") : false));
        scenario.Note("SoftEther is ready");
        return new SoftEther(scenario);
    }

    /// <summary>The names of the hub's sessions of user alice.</summary>
    public async Task<IReadOnlyList<string>> SessionsAsync()
    {
        string list = await CommandAsync("SessionList");
        return
        [
            .. list.Split('\n').Select(line => line.Split(','))
                .Where(fields => fields.Length > 3 && fields.Contains("alice", StringComparer.OrdinalIgnoreCase)).Select(fields => fields[0]),
        ];
    }

    public async Task DisconnectAsync(string session)
    {
        await CommandAsync($"SessionDisconnect {session}");
        _scenario.Note($"SoftEther: disconnected {session}");
    }

    private Task<string> CommandAsync(string command) => _scenario.CommandAsync(
        _scenario.MainNamespace, $"/usr/libexec/softether/vpncmd/vpncmd 127.0.0.1:5555 /SERVER /HUB:DEFAULT /CSV /CMD {command}");
}
