using Culvert.Core;
using Culvert.Linux;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration.Sections;

/// <summary>What several sections write in the same way.</summary>
internal static class SharedKeys
{
    public static readonly TimeSpan LongestTimer = TimeSpan.FromDays(365);

    private const int MostPerSecond = 1_000_000;

    /// <summary>Subscribers of a line card or street come back at once.</summary>
    private const int UsualBurst = 4;

    private static readonly (string Name, AuthenticationMethod Method)[] MethodNames =
    [
        ("pap", AuthenticationMethod.Pap),
        ("chap", AuthenticationMethod.ChapMd5),
        ("mschapv2", AuthenticationMethod.MsChapV2),
    ];

    public static ValueList<AuthenticationMethod> Methods(MapReader map, string key)
    {
        var methods = new List<AuthenticationMethod>();
        foreach (YamlNode node in map.List(key, n => n))
        {
            string text = map.TextOf(node);
            int index = Array.FindIndex(MethodNames, m => m.Name == text);
            if (index < 0)
            {
                map.Errors.Add(node, $"'{text}' is no authentication method; {Known("methods", MethodNames.Select(m => m.Name))}");
            }
            else if (!methods.Contains(MethodNames[index].Method))
            {
                methods.Add(MethodNames[index].Method);
            }
        }

        return new ValueList<AuthenticationMethod>(methods);
    }

    /// <summary>How many per second, with a burst of four seconds' worth unless written: 2500, or { per-second: 2500, burst: 10000 }; 0 for no limit.</summary>
    public static RateLimit Rate(MapReader map, string key, RateLimit otherwise)
    {
        if (!map.TryNode(key, out YamlNode node))
        {
            return otherwise;
        }

        if (node is YamlScalarNode)
        {
            int rate = map.Number(key, otherwise.PerSecond, 0, MostPerSecond);
            return new RateLimit(rate, rate * UsualBurst);
        }

        RateLimit read = otherwise;
        map.Map(key, m =>
        {
            int rate = m.Number("per-second", otherwise.PerSecond, 0, MostPerSecond);
            read = new RateLimit(rate, m.Number("burst", rate * UsualBurst, 1, MostPerSecond * UsualBurst));
            return "";
        });
        return read;
    }

    public static ValueList<IpPrefix> Prefixes(MapReader map, string key) =>
        new ValueList<IpPrefix>(map.List(key, map.PrefixOf).OfType<IpPrefix>());

    /// <summary>Null when nothing is written.</summary>
    public static string? InterfaceName(MapReader map, string key) => map.Text(key) is { } name && !TunDevice.IsName(name)
        ? map.Wrong<string?>(key, $"'{name}' is no interface name: at most {TunDevice.MaximumNameLength} ASCII characters, no slash, space or colon", null)
        : map.Text(key);

    public static void CheckProfile(MapReader map, string? profile, IReadOnlyList<Profile> profiles)
    {
        if (profile is not null && profiles.All(p => p.Name != profile))
        {
            map.Wrong("profile", $"there is no profile '{profile}'; {Known("profiles", profiles.Select(p => p.Name))}", 0);
        }
    }

    /// <summary>Says which names there are, for whoever wrote one that there is not.</summary>
    public static string Known(string what, IEnumerable<string> names)
    {
        string list = string.Join(", ", names);
        return list.Length == 0 ? $"no {what} are defined" : $"{what}: {list}";
    }
}
