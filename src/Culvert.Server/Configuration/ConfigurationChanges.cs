namespace Culvert.Server.Configuration;

/// <summary>What differs between two configurations, in words for the operator who reloads.</summary>
internal static class ConfigurationChanges
{
    public static IReadOnlyList<string> Describe(NodeConfiguration before, NodeConfiguration after)
    {
        var changes = new List<string>();
        Compare(changes, "peer", before.Settings.Peers, after.Settings.Peers, p => p.Name);
        Compare(changes, "profile", before.Settings.Profiles, after.Settings.Profiles, p => p.Name);
        Compare(changes, "pool", before.Settings.Pools, after.Settings.Pools, p => p.Name);
        Compare(changes, "user", before.Settings.Users, after.Settings.Users, u => u.Name);
        Compare(changes, "dial", before.Settings.Dial, after.Settings.Dial, d => d.Name);
        if (before.Settings.NodeName != after.Settings.NodeName)
        {
            changes.Add($"node: '{before.Settings.NodeName}' becomes '{after.Settings.NodeName}'");
        }

        NeedsRestart(changes, "listen", before.Listen.SequenceEqual(after.Listen));
        NeedsRestart(changes, "interface", before.Interface == after.Interface);
        NeedsRestart(changes, "forwarding", before.Forwarding == after.Forwarding);
        NeedsRestart(changes, "api", before.Api == after.Api);
        NeedsRestart(changes, "limits", before.Settings.Limits == after.Settings.Limits);
        return changes;
    }

    private static void Compare<T>(List<string> changes, string what, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> name)
        where T : class
    {
        ILookup<string, T> old = before.ToLookup(name, StringComparer.Ordinal);
        ILookup<string, T> now = after.ToLookup(name, StringComparer.Ordinal);
        changes.AddRange(now.Where(g => !old.Contains(g.Key)).Select(g => $"{what} '{g.Key}' added"));
        changes.AddRange(old.Where(g => !now.Contains(g.Key)).Select(g => $"{what} '{g.Key}' removed"));
        changes.AddRange(now
            .Where(g => old.Contains(g.Key) && !g.SequenceEqual(old[g.Key]))
            .Select(g => $"{what} '{g.Key}' changed"));
    }

    private static void NeedsRestart(List<string> changes, string what, bool isSame)
    {
        if (!isSame)
        {
            changes.Add($"{what} changed: takes effect when the node is started again");
        }
    }
}
