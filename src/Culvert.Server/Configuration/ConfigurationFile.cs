using System.Diagnostics.CodeAnalysis;
using System.Text;
using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration;

/// <summary>Reads culvert.yaml. Every error is found in one pass and named with file:line:column.</summary>
public static class ConfigurationFile
{
    public const ushort DefaultPort = 1701;

    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(365);

    private static readonly (string Name, AuthenticationMethod Method)[] Methods =
    [
        ("pap", AuthenticationMethod.Pap),
        ("chap", AuthenticationMethod.ChapMd5),
        ("mschapv2", AuthenticationMethod.MsChapV2),
    ];

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
        IReadOnlyList<PoolSettings> pools = root.Maps("pools", ReadPool);
        IReadOnlyList<Profile> profiles = root.Maps("profiles", m => ReadProfile(m, pools));
        IReadOnlyList<User> users = root.Maps("users", m => ReadUser(m, profiles));
        IReadOnlyList<PeerRule> peers = root.Maps("peers", m => ReadPeer(m, profiles));
        IReadOnlyList<DialSettings> dial = root.Maps("dial", ReadDial);
        CheckUnique(root, "pools", pools.Select(p => p.Name));
        CheckUnique(root, "profiles", profiles.Select(p => p.Name));
        CheckUnique(root, "users", users.Select(u => u.Name));
        CheckUnique(root, "dial", dial.Select(d => d.Name));
        CheckOverlap(root, pools);
        IReadOnlyList<ListenAddress> listen = [.. root.List("listen", n => ReadListen(root, n)).Where(l => !l.Address.IsNone)];
        if (peers.Count > 0 && profiles.Count == 0)
        {
            root.Wrong("peers", "sessions need a profile; add profiles: [{ name: home, authentication: [mschapv2], pool: default }]", 0);
        }

        return new NodeConfiguration
        {
            Listen = listen.Count > 0 || dial.Count > 0 || root.Has("listen")
                ? listen
                : [new(IpAddress.Parse("0.0.0.0"), DefaultPort), new(IpAddress.Parse("::"), DefaultPort)],
            Interface = root.Map("interface", ReadInterface) ?? new InterfaceSettings(),
            Api = root.Map("api", m => new ApiSettings { Socket = m.Text("socket") ?? ApiSettings.DefaultSocket }) ?? new ApiSettings(),
            Settings = new NodeSettings
            {
                NodeName = root.Text("node") ?? Environment.MachineName,
                Peers = peers,
                Profiles = profiles,
                Pools = pools,
                Users = users,
                Dial = dial,
                Limits = root.Map("limits", ReadLimits) ?? new NodeLimits(),
            },
        };
    }

    private static ListenAddress ReadListen(MapReader reader, YamlNode node)
    {
        string text = reader.TextOf(node);
        if (HostPort.TryParse(text, DefaultPort, out string host, out ushort port) && IpAddress.TryParse(host, out IpAddress address))
        {
            return new ListenAddress(address, port);
        }

        reader.Errors.Add(node, $"'{text}' is not an address and port such as 0.0.0.0:1701 or \"[::]:1701\"");
        return default;
    }

    private static InterfaceSettings ReadInterface(MapReader map)
    {
        string name = map.Text("name") ?? new InterfaceSettings().Name;
        if (name.Length > 15 || name.AsSpan().ContainsAny("/ :"))
        {
            map.Wrong("name", $"'{name}' is no interface name: at most 15 characters, no slash, space or colon", 0);
        }

        bool auto = map.Text("mtu") is null or "auto";
        return new InterfaceSettings { Name = name, Mtu = auto ? null : map.Number("mtu", 1500, 576, 65_535) };
    }

    private static PoolSettings ReadPool(MapReader map)
    {
        string name = map.RequiredText("name", "default");
        IpPrefix? prefix = map.Prefix("ipv4");
        if (!map.Has("ipv4"))
        {
            map.Errors.Add(map.Start, $"pool '{name}' lacks 'ipv4'; write for example ipv4: 100.64.0.0/16");
        }

        if (prefix is { } p && (!p.Address.IsIPv4 || p.Length is < AddressPool.ShortestPrefixLength or > 31))
        {
            prefix = map.Wrong<IpPrefix?>(
                "ipv4", $"{p} cannot be a pool: an IPv4 network of length {AddressPool.ShortestPrefixLength} to 31 is needed (write a larger one as several pools)", null);
        }

        IpPrefix usable = prefix ?? IpPrefix.Parse("192.0.2.0/24");
        IpAddress gateway = map.Address("gateway") ?? IpAddress.FromUInt32(usable.Address.ToUInt32() + 1);
        if (prefix is not null && !gateway.IsIPv4)
        {
            map.Wrong("gateway", $"{gateway} is not an IPv4 address", 0);
        }

        return new PoolSettings { Name = name, Ipv4 = usable, Gateway = gateway };
    }

    private static Profile ReadProfile(MapReader map, IReadOnlyList<PoolSettings> pools)
    {
        var defaults = new Profile { Name = map.RequiredText("name", "home") };
        ValueList<AuthenticationMethod> methods = ReadMethods(map, "authentication");
        string? pool = map.Text("pool");
        if (pool is not null && pools.All(p => p.Name != pool))
        {
            map.Wrong("pool", $"there is no pool '{pool}'; {Known("pools", pools.Select(p => p.Name))}", 0);
        }

        var dns = new ValueList<IpAddress>(map.List("dns", map.AddressOf).OfType<IpAddress>());
        if (dns.Count > 2)
        {
            map.Wrong("dns", "PPP tells a client at most two servers (RFC 1877)", 0);
        }

        return defaults with
        {
            Authentication = methods.Count > 0 ? methods : defaults.Authentication,
            Pool = pool ?? (pools.Count == 1 ? pools[0].Name : null),
            Dns = dns,
            IdleTimeout = map.Duration("idle-timeout", defaults.IdleTimeout, LongestTimer),
            SessionTimeout = map.Duration("session-timeout", defaults.SessionTimeout, LongestTimer),
            EchoInterval = map.Duration("echo-interval", defaults.EchoInterval, LongestTimer),
            EchoFailures = map.Number("echo-failures", defaults.EchoFailures, 1, 100),
            Mru = map.Number("mru", defaults.Mru, 576, 65_535),
        };
    }

    private static User ReadUser(MapReader map, IReadOnlyList<Profile> profiles)
    {
        var user = new User
        {
            Name = map.RequiredText("name", "alice"),
            Password = map.Secret("password") ?? "",
            Ipv4 = map.Address("ipv4"),
            Routes = Prefixes(map, "routes"),
            Profile = map.Text("profile"),
        };
        if (!map.Has("password") && !map.Has("password-file"))
        {
            map.Errors.Add(map.Start, $"user '{user.Name}' lacks 'password' (or 'password-file')");
        }

        CheckProfile(map, user.Profile, profiles);
        return user;
    }

    private static PeerRule ReadPeer(MapReader map, IReadOnlyList<Profile> profiles)
    {
        var defaults = new PeerRule { Name = "any" };
        (string name, string? hostName, IpPrefix? address) = ReadMatch(map);
        string? secret = map.Secret("secret");
        bool hide = map.Flag("hide-avps", false);
        if (hide && secret is null)
        {
            map.Wrong("hide-avps", "hiding needs a shared secret; add secret-file: PATH", 0);
        }

        string? profile = map.Text("profile");
        CheckProfile(map, profile, profiles);
        return new PeerRule
        {
            Name = name,
            HostName = hostName,
            Address = address,
            Secret = secret is null ? null : new Secret(secret),
            HideAvps = hide,
            Hello = map.Duration("hello", defaults.Hello, LongestTimer),
            MaxSessions = map.Number("max-sessions", defaults.MaxSessions, 1, 65_535),
            Profile = profile,
        };
    }

    private static (string Name, string? HostName, IpPrefix? Address) ReadMatch(MapReader map)
    {
        if (!map.TryNode("match", out YamlNode node))
        {
            map.Errors.Add(map.Start, "this entry of 'peers' lacks 'match'; write match: any, or match: { host-name: \"lac*\", address: 192.0.2.0/24 }");
            return ("any", null, null);
        }

        if (node is YamlScalarNode { Value: "any" })
        {
            return ("any", null, null);
        }

        if (node is not YamlMappingNode)
        {
            map.Errors.Add(node, "match is either any, or { host-name: PATTERN, address: NETWORK }");
            return ("any", null, null);
        }

        string? hostName = null;
        IpPrefix? address = null;
        map.Map("match", m =>
        {
            hostName = m.Text("host-name");
            address = m.Prefix("address");
            return "";
        });
        return (string.Join(' ', new[] { hostName, address?.ToString() }.OfType<string>()), hostName, address);
    }

    private static DialSettings ReadDial(MapReader map)
    {
        IReadOnlyList<string> lns = map.List("lns", map.TextOf);
        if (lns.Count == 0)
        {
            map.Errors.Add(map.Start, "this entry of 'dial' lacks 'lns'; write for example lns: [vpn.example]");
        }

        var defaults = new DialSettings { Name = "", Lns = lns, User = "", Password = "" };
        string? secret = map.Secret("secret");
        ValueList<AuthenticationMethod> methods = ReadMethods(map, "authentication");
        bool hide = map.Flag("hide-avps", false);
        if (hide && secret is null)
        {
            map.Wrong("hide-avps", "hiding needs a shared secret; add secret-file: PATH", 0);
        }

        if (!map.Has("password") && !map.Has("password-file"))
        {
            map.Errors.Add(map.Start, "this entry of 'dial' lacks 'password' (or 'password-file')");
        }

        return defaults with
        {
            Name = map.RequiredText("name", "office"),
            User = map.RequiredText("user", "branch7"),
            Password = map.Secret("password") ?? "",
            Secret = secret is null ? null : new Secret(secret),
            HideAvps = hide,
            Hello = map.Duration("hello", defaults.Hello, LongestTimer),
            Authentication = methods.Count > 0 ? methods : defaults.Authentication,
            Interface = map.Text("interface"),
            Routes = Prefixes(map, "routes"),
            DefaultRoute = map.Flag("default-route", false),
            EchoInterval = map.Duration("echo-interval", defaults.EchoInterval, LongestTimer),
            EchoFailures = map.Number("echo-failures", defaults.EchoFailures, 1, 100),
            Mru = map.Number("mru", defaults.Mru, 576, 65_535),
        };
    }

    private static NodeLimits ReadLimits(MapReader map)
    {
        var defaults = new NodeLimits();
        return new NodeLimits
        {
            Tunnels = map.Number("tunnels", defaults.Tunnels, 1, 65_535),
            Sessions = map.Number("sessions", defaults.Sessions, 1, 1_000_000),
            HalfOpenTunnels = map.Number("half-open-tunnels", defaults.HalfOpenTunnels, 1, 65_535),
            HalfOpenTunnelsPerPeer = map.Number("half-open-tunnels-per-peer", defaults.HalfOpenTunnelsPerPeer, 1, 65_535),
            HalfOpenSessions = map.Number("half-open-sessions", defaults.HalfOpenSessions, 1, 1_000_000),
        };
    }

    private static ValueList<AuthenticationMethod> ReadMethods(MapReader map, string key)
    {
        var methods = new List<AuthenticationMethod>();
        foreach (YamlNode node in map.List(key, n => n))
        {
            string text = map.TextOf(node);
            int index = Array.FindIndex(Methods, m => m.Name == text);
            if (index < 0)
            {
                map.Errors.Add(node, $"'{text}' is no authentication method; {Known("methods", Methods.Select(m => m.Name))}");
            }
            else if (!methods.Contains(Methods[index].Method))
            {
                methods.Add(Methods[index].Method);
            }
        }

        return new ValueList<AuthenticationMethod>(methods);
    }

    private static ValueList<IpPrefix> Prefixes(MapReader map, string key) =>
        new ValueList<IpPrefix>(map.List(key, map.PrefixOf).OfType<IpPrefix>());

    private static void CheckProfile(MapReader map, string? profile, IReadOnlyList<Profile> profiles)
    {
        if (profile is not null && profiles.All(p => p.Name != profile))
        {
            map.Wrong("profile", $"there is no profile '{profile}'; {Known("profiles", profiles.Select(p => p.Name))}", 0);
        }
    }

    private static void CheckUnique(MapReader root, string key, IEnumerable<string> names)
    {
        foreach (IGrouping<string, string> twice in names.Where(n => n.Length > 0).GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Skip(1).Any()))
        {
            root.Wrong(key, $"the name '{twice.Key}' is used more than once", 0);
        }
    }

    private static void CheckOverlap(MapReader root, IReadOnlyList<PoolSettings> pools)
    {
        for (int i = 0; i < pools.Count; i++)
        {
            for (int j = i + 1; j < pools.Count; j++)
            {
                if (pools[i].Ipv4.Contains(pools[j].Ipv4.Address) || pools[j].Ipv4.Contains(pools[i].Ipv4.Address))
                {
                    root.Wrong("pools", $"'{pools[i].Name}' ({pools[i].Ipv4}) and '{pools[j].Name}' ({pools[j].Ipv4}) overlap: an address would be handed out twice", 0);
                }
            }
        }
    }

    private static string Known(string what, IEnumerable<string> names)
    {
        string list = string.Join(", ", names);
        return list.Length == 0 ? $"no {what} are defined" : $"{what}: {list}";
    }
}
