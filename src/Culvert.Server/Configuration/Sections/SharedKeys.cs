using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration.Sections;

/// <summary>What several sections write in the same way.</summary>
internal static class SharedKeys
{
    public static readonly TimeSpan LongestTimer = TimeSpan.FromDays(365);

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

    public static ValueList<IpPrefix> Prefixes(MapReader map, string key) =>
        new ValueList<IpPrefix>(map.List(key, map.PrefixOf).OfType<IpPrefix>());

    /// <summary>Whether data messages carry sequence numbers.</summary>
    public static SequencingPolicy Sequencing(MapReader map) => map.Text("sequencing") switch
    {
        null or "on-request" => SequencingPolicy.OnRequest,
        "off" => SequencingPolicy.Off,
        "required" => SequencingPolicy.Required,
        string other => map.Wrong("sequencing", $"'{other}' is not known here; write off, on-request or required", SequencingPolicy.OnRequest),
    };

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
