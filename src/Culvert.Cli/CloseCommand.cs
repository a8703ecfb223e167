using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Culvert.Cli;

/// <summary>culvert close tunnel|session|user ID...: ends them, telling the peer.</summary>
internal static class CloseCommand
{
    public static Command Create()
    {
        var kind = new Argument<string>("kind") { Description = "what to close: tunnel, session or user" };
        kind.AcceptOnlyFromAmong("tunnel", "session", "user");
        var ids = new Argument<string[]>("id")
        {
            Description = "tunnel IDs, session IDs (TUNNEL/SESSION, as shown by 'culvert show') or user names",
            Arity = ArgumentArity.OneOrMore,
        };
        var reason = new Option<string?>("--reason") { Description = "told to the peer and logged", HelpName = "TEXT" };
        Option<string?> socket = CommonOptions.Socket();
        var command = new Command("close", "Close tunnels, sessions, or all sessions of a user.") { kind, ids, reason, socket };
        command.SetAction((parsed, cancel) => Failure.Guard(() => Close(
            parsed.GetRequiredValue(kind), parsed.GetRequiredValue(ids), parsed.GetValue(reason), parsed.GetValue(socket), cancel)));
        return command;
    }

    private static async Task<int> Close(string kind, string[] ids, string? reason, string? socket, CancellationToken cancel)
    {
        using var client = new ControlClient(socket);
        var body = new JsonObject { ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id)]), ["reason"] = reason };
        JsonElement answer = await client.Post($"v1/close/{kind}", body, cancel);
        Console.WriteLine($"closed {answer.GetProperty("closed").GetInt32()} {kind}{(ids.Length == 1 ? "" : "s")}");
        string[] unknown = [.. answer.GetProperty("unknown").EnumerateArray().Select(id => id.ToString())];
        return unknown.Length == 0 ? ExitCode.Done : throw new Failure($"no such {kind}: {string.Join(", ", unknown)}; see 'culvert show {(kind == "tunnel" ? "tunnels" : "sessions")}'");
    }
}
