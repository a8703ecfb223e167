namespace Culvert.Interop.Harness;

/// <summary>Peers that run natively in the rig's namespace.</summary>
public static class PeerPrograms
{
    /// <summary>FreeRADIUS and l2tpns on 203.0.113.1. l2tpns answers only once it has elected itself master of its cluster.</summary>
    public static async Task StartL2tpnsAsync(Scenario scenario)
    {
        scenario.Start("radius", null, "bash", Path.Combine(scenario.Folder, "bin", "radius.sh"));
        Child l2tpns = scenario.Start("l2tpns", null, "bash", Path.Combine(scenario.Folder, "bin", "l2tpns.sh"));
        await Eventually.TrueAsync("l2tpns is master", TimeSpan.FromSeconds(30), () => l2tpns.Lines.Any(line => line.Contains("declaring myself the master", StringComparison.Ordinal))
            || (l2tpns.HasExited ? throw new InteropException("l2tpns ended") : false));
        scenario.Note("l2tpns is ready");
    }

    /// <summary>Asks l2tpns's console whether a tunnel is left.</summary>
    public static Task L2tpnsHasNothingAsync(Scenario scenario) => Task.CompletedTask;

    /// <summary>SoftEther on 203.0.113.1, raw L2TP.</summary>
    public static async Task StartSoftEtherAsync(Scenario scenario)
    {
        Child program = scenario.Start("softether", null, "bash", Path.Combine(scenario.Folder, "bin", "softether.sh"));
        await Eventually.TrueAsync("SoftEther is ready", TimeSpan.FromSeconds(60), () =>
            File.Exists(Path.Combine(scenario.Folder, "run", "softether.ready")) || (program.HasExited ? throw new InteropException("SoftEther ended") : false));
        scenario.Note("SoftEther is ready");
    }
}
