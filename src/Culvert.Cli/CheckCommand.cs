using System.CommandLine;
using Culvert.Server.Configuration;

namespace Culvert.Cli;

/// <summary>culvert check FILE: every error at once.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "the configuration file", HelpName = "FILE" };
        var command = new Command("check", "Check a configuration file and print every error with its place.") { file };
        command.SetAction(parsed => Check(parsed.GetRequiredValue(file)));
        return command;
    }

    private static int Check(string path)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Load(path, out NodeConfiguration? configuration);
        foreach (ConfigurationError error in errors)
        {
            Console.Error.WriteLine(error);
        }

        if (configuration is null)
        {
            Console.Error.WriteLine($"{path}: {errors.Count} error{(errors.Count == 1 ? "" : "s")}");
            return ExitCode.Failed;
        }

        Console.WriteLine(
            $"{path}: good ({configuration.Settings.Peers.Count} peers, {configuration.Settings.Profiles.Count} profiles, " +
            $"{configuration.Settings.Pools.Count} pools, {configuration.Settings.Users.Count} users, {configuration.Settings.Dial.Count} dialled)");
        return ExitCode.Done;
    }
}
