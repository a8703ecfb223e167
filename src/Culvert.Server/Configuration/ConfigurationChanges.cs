using Culvert.Subscribers.Policy;

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
        NeedsRestart(changes, "forwarding", SettingChanges.Of(before.Forwarding, after.Forwarding));
        NeedsRestart(changes, "api", SettingChanges.Of(before.Api, after.Api));
        CompareLimits(changes, before.Settings.Limits, after.Settings.Limits);
        return changes;
    }

    /// <summary>The sections of the file in which something differs, by their keys.</summary>
    public static IReadOnlyList<string> Sections(NodeConfiguration before, NodeConfiguration after)
    {
        NodeSettings old = before.Settings;
        NodeSettings now = after.Settings;
        (string Name, bool IsSame)[] sections =
        [
            ("node", old.NodeName == now.NodeName),
            ("listen", before.Listen.SequenceEqual(after.Listen)),
            ("interface", before.Interface == after.Interface),
            ("peers", old.Peers.SequenceEqual(now.Peers)),
            ("profiles", old.Profiles.SequenceEqual(now.Profiles)),
            ("pools", old.Pools.SequenceEqual(now.Pools)),
            ("users", old.Users.SequenceEqual(now.Users)),
            ("dial", old.Dial.SequenceEqual(now.Dial)),
            ("limits", old.Limits == now.Limits),
            ("forwarding", before.Forwarding == after.Forwarding),
            ("api", before.Api == after.Api),
        ];
        return [.. sections.Where(s => !s.IsSame).Select(s => s.Name)];
    }

    private static void CompareLimits(List<string> changes, NodeLimits before, NodeLimits after)
    {
        NodeLimits inForce = before.TakeOver(after);
        IReadOnlyList<string> atOnce = SettingChanges.Of(before, inForce);
        if (atOnce.Count > 0)
        {
            changes.Add($"limits changed: {string.Join(", ", atOnce)}");
        }

        NeedsRestart(changes, "limits", SettingChanges.Of(inForce, after));
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
            changes.AddRange(CompareEntries($"{what} '{entries.Key}'", [.. old[entries.Key]], [.. entries]));
        }
    }

    /// <summary>Entries of one name ("any"): as long as none was added or removed, each is compared with the one in its place.</summary>
    private static IEnumerable<string> CompareEntries<[System.Diagnostics.CodeAnalysis.DynamicallyAccessedMembers(SettingChanges.Needed)] T>(
        string which, T[] before, T[] after)
        where T : class
    {
        if (before.Length != after.Length)
        {
            yield return $"{which} changed: {before.Length} entries become {after.Length}";
            yield break;
        }

        for (int i = 0; i < after.Length; i++)
        {
            if (!before[i].Equals(after[i]))
            {
                string place = after.Length == 1 ? "" : $" (entry {i + 1} of {after.Length})";
                yield return $"{which}{place} changed: {string.Join(", ", SettingChanges.Of(before[i], after[i]))}";
            }
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
