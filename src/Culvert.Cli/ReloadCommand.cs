using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Culvert.Cli;

/// <summary>culvert reload: the running node reads its file again.</summary>
internal static class ReloadCommand
{
    public static Command Create()
    {
        Option<string?> socket = CommonOptions.Socket();
        var command = new Command("reload", "Apply the configuration file to new tunnels and sessions, and say what changed.") { socket };
        command.SetAction((parsed, cancel) => Failure.Guard(() => Reload(parsed.GetValue(socket), cancel)));
        return command;
    }

    private static async Task<int> Reload(string? socket, CancellationToken cancel)
    {
        using var client = new ControlClient(socket);
        JsonElement answer = await client.Post("v1/reload", new JsonObject(), cancel);
        string[] changes = [.. answer.GetProperty("changes").EnumerateArray().Select(c => c.ToString())];
        string sections = string.Join(", ", answer.GetProperty("sections").EnumerateArray().Select(s => s.ToString()));
        Console.WriteLine(changes.Length == 0 ? "nothing changed" : string.Join(Environment.NewLine, [$"changed: {sections}", .. changes]));
        return ExitCode.Done;
    }
}
