using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>dial</c>: connections that this node opens itself.</summary>
internal static class DialSection
{
    public static DialSettings Read(MapReader map)
    {
        IReadOnlyList<string> lns = map.List("lns", map.TextOf);
        if (lns.Count == 0)
        {
            map.Errors.Add(map.Start, "this entry of 'dial' lacks 'lns'; write for example lns: [vpn.example]");
        }

        var defaults = new DialSettings { Name = "", Lns = lns, User = "", Password = "" };
        ValueList<AuthenticationMethod> methods = SharedKeys.Methods(map, "authentication");
        if (!map.Has("password") && !map.Has("password-file"))
        {
            map.Errors.Add(map.Start, "this entry of 'dial' lacks 'password' (or 'password-file')");
        }

        return TunnelKeys.Read(map, defaults) with
        {
            Name = map.RequiredText("name", "office"),
            User = map.RequiredText("user", "branch7", AuthenticationSettings.MaxNameSize),
            Password = map.Secret("password", AuthenticationCredentials.MaxPasswordSize) ?? "",
            TieBreaker = map.Flag("tie-breaker", defaults.TieBreaker),
            Authentication = methods.Count > 0 ? methods : defaults.Authentication,
            Interface = SharedKeys.InterfaceName(map, "interface"),
            Routes = SharedKeys.Prefixes(map, "routes"),
            DefaultRoute = map.Flag("default-route", false),
            EchoInterval = map.Duration("echo-interval", defaults.EchoInterval, SharedKeys.LongestTimer),
            EchoFailures = map.Number("echo-failures", defaults.EchoFailures, 1, 100),
            Mru = map.Number("mru", defaults.Mru, 576, 65_535),
        };
    }
}
