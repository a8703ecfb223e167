using System.Net.Sockets;
using System.Text.Json;

namespace Culvert.Interop.Harness;

/// <summary>A running `culvert serve` in a namespace.</summary>
public sealed class CulvertServer
{
    private const string DefaultLogName = "culvert-serve";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(40);

    /// <summary>Below the 5 s that the program waits for peers that do not answer: ours do, and it must not wait any longer then.</summary>
    internal static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(4.5);

    private readonly Scenario _scenario;
    private readonly string _namespace;
    private readonly Child _program;
    private readonly string _socket;

    private CulvertServer(Scenario scenario, string inNamespace, Child program, string socket)
    {
        _scenario = scenario;
        _namespace = inNamespace;
        _program = program;
        _socket = socket;
    }

    /// <param name="configuration">YAML without the "api" section, which is added here.</param>
    public static async Task<CulvertServer> StartAsync(Scenario scenario, string inNamespace, string configuration, string logName = DefaultLogName)
    {
        string name = logName == DefaultLogName ? "culvert" : logName;
        string socket = Path.Combine(scenario.Folder, $"{name}.sock");
        string file = await scenario.WriteFileAsync($"{name}.yaml", $"{configuration}\napi: {{ socket: {socket} }}\n");
        Child program = scenario.Start(logName, inNamespace, ["dotnet", Requirements.CulvertProgram, "serve", "-c", file]);
        await program.WaitForLineAsync("ready", StartLimit);
        scenario.Note($"{logName} is ready");
        return new CulvertServer(scenario, inNamespace, program, socket);
    }

    public Child Program => _program;

    /// <summary>All counters of the node (`culvert show counters`).</summary>
    public async Task<IReadOnlyDictionary<string, long>> CountersAsync() => (await AskAsync("counters"))
        .ToDictionary(row => row.GetProperty("name").GetString()!, row => row.GetProperty("value").GetInt64(), StringComparer.Ordinal);

    /// <summary>`culvert show WHAT --json`, the rows. <paramref name="what"/> is "tunnels" or "sessions".</summary>
    public async Task<IReadOnlyList<JsonElement>> ShowAsync(string what)
    {
        CommandResult result = await CommandAsync("show", what, "--json", "--socket", _socket);
        using var document = JsonDocument.Parse(result.Succeeded);
        JsonElement root = document.RootElement.ValueKind == JsonValueKind.Array ? document.RootElement : document.RootElement.GetProperty(what);
        return [.. root.EnumerateArray().Select(row => row.Clone())];
    }

    /// <summary>The same rows straight from the control socket, without the time that a program takes to start.</summary>
    public async Task<IReadOnlyList<JsonElement>> AskAsync(string what)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using var document = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://culvert/v1/{what}")));
        return [.. document.RootElement.EnumerateArray().Select(row => row.Clone())];
    }

    /// <summary>`culvert close WHAT ID`; <paramref name="what"/> is "session", "tunnel" or "user".</summary>
    public async Task CloseAsync(string what, string id)
    {
        _ = (await CommandAsync("close", what, id, "--socket", _socket)).Succeeded;
        _scenario.Note($"culvert close {what} {id}");
    }

    /// <summary>Waits until so many sessions are up.</summary>
    public Task SessionsUpAsync(int count, TimeSpan limit) =>
        Eventually.TrueAsync($"{count} sessions are up in 'show sessions'", limit, async () =>
            (await ShowAsync("sessions")).Count(s => s.GetProperty("state").GetString() == "up") == count);

    /// <summary>Waits until the node has so many sessions in `show sessions`, in whatever state.</summary>
    public Task HasSessionsAsync(int count, TimeSpan limit) =>
        Eventually.TrueAsync($"{count} sessions in 'show sessions'", limit, async () => (await ShowAsync("sessions")).Count == count);

    /// <summary>No session and no tunnel is left. A closed tunnel may be kept for RFC 2661 section 5.7's retransmissions, not shown.</summary>
    public async Task HasNothingAsync(TimeSpan limit)
    {
        await HasSessionsAsync(0, limit);
        await Eventually.TrueAsync("'show tunnels' is empty", limit, async () => (await ShowAsync("tunnels")).Count == 0);
        _scenario.Note("nothing left in 'show sessions' and 'show tunnels'");
    }

    /// <summary>SIGTERM: the program says good-bye to its peers and ends with 0.</summary>
    public async Task StopAsync()
    {
        await _program.SignalAsync("TERM");
        int code = await _program.WaitForExitAsync(StopLimit);
        _scenario.Note("culvert serve has ended after SIGTERM");
        if (code != 0)
        {
            throw new InteropException($"culvert serve ended with {code} after SIGTERM");
        }
    }

    private Task<CommandResult> CommandAsync(params string[] arguments) =>
        _scenario.CommandAsync(_namespace, ["dotnet", Requirements.CulvertProgram, .. arguments]);
}

/// <summary>A running `culvert dial` in a namespace.</summary>
public sealed class CulvertDial
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(40);

    private readonly Scenario _scenario;

    private CulvertDial(Scenario scenario, string inNamespace, Child program)
    {
        _scenario = scenario;
        Namespace = inNamespace;
        Program = program;
    }

    public const string Interface = "dial0";

    public string Namespace { get; }

    public Child Program { get; }

    /// <summary>Our own address in the tunnel.</summary>
    public string Address { get; private set; } = string.Empty;

    public static async Task<CulvertDial> StartAsync(
        Scenario scenario, string inNamespace, string host, string user, string password, string? secret = null, string[]? routes = null)
    {
        List<string> command =
        [
            "dotnet", Requirements.CulvertProgram, "dial", host, "--user", user,
            "--password-file", await scenario.WriteFileAsync("password", password), "--interface", Interface,
        ];
        if (secret is not null)
        {
            command.AddRange(["--secret-file", await scenario.WriteFileAsync("secret", secret)]);
        }

        foreach (string route in routes ?? [])
        {
            command.AddRange(["--route", route]);
        }

        var dial = new CulvertDial(scenario, inNamespace, scenario.Start("culvert-dial", inNamespace, command));
        string line = await dial.Program.WaitForLineAsync("connected", ConnectLimit);
        dial.Address = await scenario.AddressOfAsync(inNamespace, Interface);
        scenario.Note($"{line}, address {dial.Address}");
        return dial;
    }

    /// <summary>The peer has ended session or tunnel: the program must notice at once, not by a time-out, and take its interface down.</summary>
    public async Task LosesConnectionAsync()
    {
        await Eventually.TrueAsync("culvert dial's interface is down or gone", TimeSpan.FromSeconds(15), async () =>
            !(await _scenario.CommandAsync(Namespace, ["ip", "-4", "addr", "show", Interface])).Output.Contains(Address, StringComparison.Ordinal));
        _scenario.Note("culvert dial has noticed that the peer ended");
    }

    /// <summary>Ctrl-C or SIGTERM at our end; it must end with 0 and take its interface along.</summary>
    public async Task HangUpAsync()
    {
        await Program.SignalAsync("TERM");
        int code = await Program.WaitForExitAsync(CulvertServer.StopLimit);
        CommandResult link = await _scenario.CommandAsync(Namespace, ["ip", "link", "show", Interface]);
        if (code != 0 || link.ExitCode == 0)
        {
            throw new InteropException($"culvert dial ended with {code} after SIGTERM; its interface is {(link.ExitCode == 0 ? "still there" : "gone")}");
        }

        _scenario.Note("culvert dial has hung up");
    }
}
