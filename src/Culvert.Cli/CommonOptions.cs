using System.CommandLine;

namespace Culvert.Cli;

/// <summary>Options that several commands share.</summary>
internal static class CommonOptions
{
    public static Option<string?> Socket() => new("--socket")
    {
        Description = $"the node's control socket (default {Server.Configuration.ApiSettings.DefaultSocket})",
        HelpName = "PATH",
    };

    public static Option<bool> Json() => new("--json") { Description = "print JSON instead of a table" };

    public static Option<bool> Verbose() => new("--verbose", "-v") { Description = "log every negotiation step" };
}
