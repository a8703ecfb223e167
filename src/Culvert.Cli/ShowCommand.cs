using System.CommandLine;
using System.Text.Json;
using Spectre.Console;

namespace Culvert.Cli;

/// <summary>culvert show WHAT: tables for people, --json for programs, the same field names in both.</summary>
internal static class ShowCommand
{
    private static readonly Dictionary<string, string[]> DefaultColumns = new(StringComparer.Ordinal)
    {
        ["tunnels"] = ["id", "peer-id", "state", "role", "peer", "host-name", "sessions", "uptime"],
        ["sessions"] = ["id", "state", "user", "address", "peer", "method", "mtu", "uptime", "rx-octets", "tx-octets"],
        ["peers"] = ["peer", "rule", "tunnels", "half-open", "sessions", "refused", "secrets-wrong", "rate-limited", "over-limit", "users-rejected"],
        ["pools"] = ["name", "prefix", "gateway", "in-use", "capacity", "exhausted"],
        ["counters"] = ["name", "value"],
    };

    private static readonly string[] Lives = ["tunnel", "session"];

    private const int WidestTable = 1000;

    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var what = new Argument<string>("what") { Description = $"one of {string.Join(", ", DefaultColumns.Keys)}; or tunnel or session, with an ID" };
        what.AcceptOnlyFromAmong([.. DefaultColumns.Keys, .. Lives]);
        var id = new Argument<string?>("id") { Description = "with 'tunnel' or 'session': which one, to see its last messages and states", Arity = ArgumentArity.ZeroOrOne };
        var match = new Option<string[]>("--match")
        {
            Description = "only rows whose field fits a pattern with * and ?, for example user=al*; several must all fit",
            HelpName = "FIELD=PATTERN",
        };
        var columns = new Option<string?>("--columns") { Description = "the fields to show, separated by commas; 'all' for every one", HelpName = "A,B,C" };
        var order = new Option<string?>("--order") { Description = "sort by this field; with a leading minus, largest first", HelpName = "FIELD" };
        var watch = new Option<bool>("--watch") { Description = "show again every second until Ctrl-C" };
        Option<bool> json = CommonOptions.Json();
        Option<string?> socket = CommonOptions.Socket();
        var command = new Command("show", "Show what a running node holds.") { what, id, match, columns, order, json, watch, socket };
        command.Validators.Add(result =>
        {
            bool isLife = Lives.Contains(result.GetValue(what), StringComparer.Ordinal);
            if (isLife != result.GetValue(id) is not null)
            {
                result.AddError(isLife ? $"which {result.GetValue(what)}? Give its ID" : "an ID goes with 'show tunnel' or 'show session' only");
            }
        });
        command.SetAction((parsed, cancel) => Failure.Guard(() => parsed.GetValue(id) is { } one
            ? Explain(parsed.GetRequiredValue(what), one, parsed.GetValue(json), parsed.GetValue(socket), cancel)
            : Show(
                new Request(
                    parsed.GetRequiredValue(what),
                    new RowFilter(parsed.GetValue(match) ?? [], parsed.GetValue(order)),
                    parsed.GetValue(columns),
                    parsed.GetValue(json)),
                parsed.GetValue(watch),
                parsed.GetValue(socket),
                cancel)));
        return command;
    }

    /// <summary>Why is it as it is? Its last control messages and states, also for a while after its end.</summary>
    private static async Task<int> Explain(string what, string id, bool json, string? socket, CancellationToken cancel)
    {
        using var client = new ControlClient(socket);
        JsonElement[] lives = [.. (await client.Get($"v1/{what}/{id}", cancel)).EnumerateArray()];
        if (lives.Length == 0)
        {
            throw new Failure($"nothing is known of {what} {id}; see 'culvert show {what}s'");
        }

        if (json)
        {
            Console.WriteLine(JsonRows.ToText(lives));
            return ExitCode.Done;
        }

        foreach (JsonElement life in lives)
        {
            JsonElement ended = life.GetProperty("ended");
            Console.WriteLine(life.GetProperty("summary").GetString());
            Console.WriteLine(ended.ValueKind == JsonValueKind.Null ? "  has not ended" : $"  ended: {ended.GetString()}");
            PrintFacts(life);
            foreach (JsonElement line in life.GetProperty("history").EnumerateArray())
            {
                Console.WriteLine($"  {line.GetString()}");
            }
        }

        return ExitCode.Done;
    }

    /// <summary>What is known, under the names that 'show tunnels', 'show sessions' and --json have; what is not known is left out.</summary>
    private static void PrintFacts(JsonElement life)
    {
        foreach (JsonElement row in new[] { life.GetProperty("tunnel"), life.GetProperty("session") }.Where(r => r.ValueKind == JsonValueKind.Object))
        {
            foreach (JsonProperty field in row.EnumerateObject().Where(f => JsonRows.Display(f.Name, f.Value) is not ("-" or "")))
            {
                Console.WriteLine($"  {field.Name}: {JsonRows.Display(field.Name, field.Value)}");
            }
        }

        foreach (JsonElement fact in life.GetProperty("facts").EnumerateArray())
        {
            Console.WriteLine($"  {fact.GetProperty("name").GetString()}: {fact.GetProperty("value").GetString()}");
        }
    }

    private static async Task<int> Show(Request request, bool watch, string? socket, CancellationToken cancel)
    {
        using var client = new ControlClient(socket);
        if (!watch)
        {
            Print(request, await client.Get($"v1/{request.What}", cancel));
            return ExitCode.Done;
        }

        while (!cancel.IsCancellationRequested)
        {
            JsonElement answer = await client.Get($"v1/{request.What}", cancel);
            if (!request.Json && !Console.IsOutputRedirected)
            {
                AnsiConsole.Clear();
            }

            Print(request, answer);
            await Task.Delay(WatchInterval, cancel);
        }

        return ExitCode.Done;
    }

    private static void Print(Request request, JsonElement answer)
    {
        IReadOnlyList<JsonElement> rows = request.Filter.Apply([.. answer.EnumerateArray()]);
        if (request.Json)
        {
            Console.WriteLine(JsonRows.ToText(rows));
            return;
        }

        string[] columns = request.Columns switch
        {
            null => DefaultColumns[request.What],
            "all" => [.. rows.SelectMany(r => r.EnumerateObject().Select(p => p.Name)).Distinct(StringComparer.Ordinal)],
            { } list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
        if (rows.Count > 0 && Array.Find(columns, c => !rows[0].TryGetProperty(c, out _)) is { } unknown)
        {
            throw new Failure($"no field '{unknown}'; there are {string.Join(", ", rows[0].EnumerateObject().Select(p => p.Name))}");
        }

        Table table = new Table().Border(TableBorder.None);
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column)).NoWrap().PadRight(2));
        }

        foreach (JsonElement row in rows)
        {
            table.AddRow([.. columns.Select(c => new Text(JsonRows.Display(c, row.GetProperty(c))))]);
        }

        // A row stays one line, whatever the width: cells broken over several lines can be neither read nor searched.
        AnsiConsole.Profile.Width = WidestTable;
        AnsiConsole.Write(table);
    }

    private sealed record Request(string What, RowFilter Filter, string? Columns, bool Json);
}
