namespace Culvert.Server.Configuration;

/// <summary>What differs between two configurations, in words for the operator who reloads.</summary>
internal static class ConfigurationChanges
{
    public static IReadOnlyList<string> Describe(NodeConfiguration before, NodeConfiguration after)
    {
        var changes = new List<string>();
        Compare(changes, "peer", before.Settings.Peers, after.Settings.Peers, p => p.Name);
        if (IsReordered(before.Settings.Peers.Select(p => p.Name), after.Settings.Peers.Select(p => p.Name)))
        {
            changes.Add("the order of peers changed: the first that matches decides");
        }

        Compare(changes, "profile", before.Settings.Profiles, after.Settings.Profiles, p => p.Name);
        Compare(changes, "pool", before.Settings.Pools, after.Settings.Pools, p => p.Name);
        Compare(changes, "user", before.Settings.Users, after.Settings.Users, u => u.Name);
        Compare(changes, "dial", before.Settings.Dial, after.Settings.Dial, d => d.Name);
        if (before.Settings.NodeName != after.Settings.NodeName)
        {
            changes.Add($"node: '{before.Settings.NodeName}' becomes '{after.Settings.NodeName}'");
        }

        NeedsRestart(changes, "listen", before.Listen.SequenceEqual(after.Listen) ? [] : [""]);
        NeedsRestart(changes, "interface", SettingChanges.Of(before.Interface, after.Interface));
        NeedsRestart(changes, "api", SettingChanges.Of(before.Api, after.Api));
        NeedsRestart(changes, "limits", SettingChanges.Of(before.Settings.Limits, after.Settings.Limits));
        return changes;
    }

    private static void Compare<[System.Diagnostics.CodeAnalysis.DynamicallyAccessedMembers(SettingChanges.Needed)] T>(
        List<string> changes, string what, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> name)
        where T : class
    {
        ILookup<string, T> old = before.ToLookup(name, StringComparer.Ordinal);
        ILookup<string, T> now = after.ToLookup(name, StringComparer.Ordinal);
        changes.AddRange(now.Where(g => !old.Contains(g.Key)).Select(g => $"{what} '{g.Key}' added"));
        changes.AddRange(old.Where(g => !now.Contains(g.Key)).Select(g => $"{what} '{g.Key}' removed"));
        foreach (IGrouping<string, T> entries in now.Where(g => old.Contains(g.Key) && !g.SequenceEqual(old[g.Key])))
        {
            // Several entries may have one name ("any"): then it is not clear which became which.
            bool isOne = entries.Count() == 1 && old[entries.Key].Count() == 1;
            string which = isOne ? $": {string.Join(", ", SettingChanges.Of(old[entries.Key].Single(), entries.Single()))}" : "";
            changes.Add($"{what} '{entries.Key}' changed{which}");
        }
    }

    private static bool IsReordered(IEnumerable<string> before, IEnumerable<string> after)
    {
        string[] old = [.. before.Distinct(StringComparer.Ordinal)];
        string[] now = [.. after.Distinct(StringComparer.Ordinal)];
        return !old.Intersect(now, StringComparer.Ordinal).SequenceEqual(now.Intersect(old, StringComparer.Ordinal));
    }

    private static void NeedsRestart(List<string> changes, string what, IReadOnlyList<string> differences)
    {
        if (differences.Count > 0)
        {
            string which = string.Join(", ", differences.Where(d => d.Length > 0));
            changes.Add($"{what} changed{(which.Length == 0 ? "" : $" ({which})")}: takes effect when the node is started again");
        }
    }
}
