using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration;

/// <summary>What differs between two configurations, in words for the operator who reloads.</summary>
internal static class ConfigurationChanges
{
    public static IReadOnlyList<string> Describe(NodeConfiguration before, NodeConfiguration after) =>
        [.. Compare(before, after).SelectMany(section => section.Changes)];

    /// <summary>The sections of the file in which something differs, by their keys.</summary>
    public static IReadOnlyList<string> Sections(NodeConfiguration before, NodeConfiguration after) =>
        [.. Compare(before, after).Where(section => section.Changes.Any()).Select(section => section.Key)];

    private static (string Key, IEnumerable<string> Changes)[] Compare(NodeConfiguration before, NodeConfiguration after)
    {
        NodeSettings old = before.Settings;
        NodeSettings now = after.Settings;
        return
        [
            ("peers", ComparePeers(old.Peers, now.Peers)),
            ("profiles", Compare("profile", old.Profiles, now.Profiles, p => p.Name)),
            ("pools", Compare("pool", old.Pools, now.Pools, p => p.Name)),
            ("users", Compare("user", old.Users, now.Users, u => u.Name)),
            ("dial", Compare("dial", old.Dial, now.Dial, d => d.Name)),
            ("node", old.NodeName == now.NodeName ? [] : [$"node: '{old.NodeName}' becomes '{now.NodeName}'"]),
            ("listen", NeedsRestart("listen", before.Listen.SequenceEqual(after.Listen) ? [] : [""])),
            ("interface", NeedsRestart("interface", SettingChanges.Of(before.Interface, after.Interface))),
            ("forwarding", NeedsRestart("forwarding", SettingChanges.Of(before.Forwarding, after.Forwarding))),
            ("api", NeedsRestart("api", SettingChanges.Of(before.Api, after.Api))),
            ("limits", CompareLimits(old.Limits, now.Limits)),
        ];
    }

    private static IEnumerable<string> ComparePeers(IReadOnlyList<PeerRule> before, IReadOnlyList<PeerRule> after)
    {
        IEnumerable<string> changes = Compare("peer", before, after, p => p.Name);
        return IsReordered(before.Select(p => p.Name), after.Select(p => p.Name))
            ? changes.Append("the order of peers changed: the first that matches decides")
            : changes;
    }

    private static IEnumerable<string> CompareLimits(NodeLimits before, NodeLimits after)
    {
        NodeLimits inForce = before.TakeOver(after);
        IReadOnlyList<string> atOnce = SettingChanges.Of(before, inForce);
        IEnumerable<string> later = NeedsRestart("limits", SettingChanges.Of(inForce, after));
        return atOnce.Count > 0 ? later.Prepend($"limits changed: {string.Join(", ", atOnce)}") : later;
    }

    private static IEnumerable<string> Compare<[System.Diagnostics.CodeAnalysis.DynamicallyAccessedMembers(SettingChanges.Needed)] T>(
        string what, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> name)
        where T : class
    {
        ILookup<string, T> old = before.ToLookup(name, StringComparer.Ordinal);
        ILookup<string, T> now = after.ToLookup(name, StringComparer.Ordinal);
        return
        [
            .. now.Where(g => !old.Contains(g.Key)).Select(g => $"{what} '{g.Key}' added"),
            .. old.Where(g => !now.Contains(g.Key)).Select(g => $"{what} '{g.Key}' removed"),
            .. now.Where(g => old.Contains(g.Key) && !g.SequenceEqual(old[g.Key]))
                .SelectMany(g => CompareEntries($"{what} '{g.Key}'", [.. old[g.Key]], [.. g])),
        ];
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

    private static IEnumerable<string> NeedsRestart(string what, IReadOnlyList<string> differences)
    {
        string which = string.Join(", ", differences.Where(d => d.Length > 0));
        return differences.Count == 0 ? []
            : [$"{what} changed{(which.Length == 0 ? "" : $" ({which})")}: takes effect when the node is started again"];
    }
}
