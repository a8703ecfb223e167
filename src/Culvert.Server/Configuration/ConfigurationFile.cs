using System.Diagnostics.CodeAnalysis;
using System.Text;
using Culvert.Core;
using Culvert.Server.Configuration.Sections;
using Culvert.Subscribers.Policy;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration;

/// <summary>
/// Reads culvert.yaml; each section of the file has its reader in Sections/. Every error is found in one pass and named with
/// file:line:column.
/// </summary>
public static class ConfigurationFile
{
    public const ushort DefaultPort = 1701;

    /// <summary>Reads a file; <paramref name="configuration"/> is null exactly when there are errors.</summary>
    public static IReadOnlyList<ConfigurationError> Load(string path, out NodeConfiguration? configuration)
    {
        try
        {
            return Parse(path, File.ReadAllText(path, Encoding.UTF8), out configuration);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            configuration = null;
            return [new ConfigurationError(path, 1, 1, $"cannot be read: {e.Message}")];
        }
    }

    /// <summary>Reads the text of a file named <paramref name="path"/> (for messages and relative paths).</summary>
    public static IReadOnlyList<ConfigurationError> Parse(string path, string text, out NodeConfiguration? configuration)
    {
        var errors = new ConfigurationErrors(path);
        configuration = null;
        if (TryLoad(text, errors, out YamlNode? root) && root is YamlMappingNode map)
        {
            var reader = new MapReader(map, "the file", errors);
            NodeConfiguration read = ReadNode(reader);
            reader.Finish();
            configuration = errors.Count == 0 ? read : null;
        }
        else if (root is not null)
        {
            errors.Add(root, "the file consists of key: value pairs, for example listen: [0.0.0.0:1701]");
        }

        return errors.Sorted;
    }

    private static bool TryLoad(string text, ConfigurationErrors errors, [NotNullWhen(true)] out YamlNode? root)
    {
        root = null;
        var parser = new Parser(new StringReader(text));
        try
        {
            var stream = new YamlStream();
            stream.Load(parser);
            root = stream.Documents.Count > 0 ? stream.Documents[0].RootNode : new YamlMappingNode();
        }
        catch (YamlException e)
        {
            errors.Add(e.Start, e.InnerException?.Message ?? e.Message);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The library stumbles over some brackets that are never closed, and over keys that are nothing.
            errors.Add(parser.Current?.End ?? Mark.Empty, "from here on this cannot be read as YAML: is a [, {, ' or \" never closed?");
        }

        return root is not null;
    }

    private static NodeConfiguration ReadNode(MapReader root)
    {
        IReadOnlyList<PoolSettings> pools = root.Maps("pools", PoolsSection.Read);
        IReadOnlyList<Profile> profiles = root.Maps("profiles", m => ProfilesSection.Read(m, pools));
        IReadOnlyList<User> users = root.Maps("users", m => UsersSection.Read(m, profiles));
        IReadOnlyList<PeerRule> peers = root.Maps("peers", m => PeersSection.Read(m, profiles));
        IReadOnlyList<DialSettings> dial = root.Maps("dial", DialSection.Read);
        CheckUnique(root, "pools", pools.Select(p => p.Name));
        CheckUnique(root, "profiles", profiles.Select(p => p.Name));
        CheckUnique(root, "users", users.Select(u => u.Name));
        CheckUnique(root, "dial", dial.Select(d => d.Name));
        PoolsSection.CheckOverlap(root, pools);
        IReadOnlyList<ListenAddress> listen = [.. root.List("listen", n => NodeSections.Listen(root, n)).Where(l => !l.Address.IsNone)];
        if (peers.Count > 0 && profiles.Count == 0)
        {
            root.Wrong("peers", "sessions need a profile; add profiles: [{ name: home, authentication: [mschapv2], pool: default }]", 0);
        }

        return new NodeConfiguration
        {
            Listen = listen.Count > 0 || dial.Count > 0 || root.Has("listen")
                ? listen
                : [new(IpAddress.Parse("0.0.0.0"), DefaultPort), new(IpAddress.Parse("::"), DefaultPort)],
            Interface = root.Map("interface", NodeSections.Interface) ?? new InterfaceSettings(),
            Api = root.Map("api", NodeSections.Api) ?? new ApiSettings(),
            Forwarding = root.Map("forwarding", ForwardingSection.Read) ?? new ForwardingSettings(),
            Settings = new NodeSettings
            {
                NodeName = NodeSections.NodeName(root),
                Peers = peers,
                Profiles = profiles,
                Pools = pools,
                Users = users,
                Dial = dial,
                Limits = root.Map("limits", LimitsSection.Read) ?? new NodeLimits(),
            },
        };
    }

    private static void CheckUnique(MapReader root, string key, IEnumerable<string> names)
    {
        foreach (IGrouping<string, string> twice in names.Where(n => n.Length > 0).GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Skip(1).Any()))
        {
            root.Wrong(key, $"the name '{twice.Key}' is used more than once", 0);
        }
    }
}
