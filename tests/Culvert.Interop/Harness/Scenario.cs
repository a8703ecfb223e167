using System.Diagnostics;

namespace Culvert.Interop.Harness;

/// <summary>
/// One scenario: a folder, network namespaces and processes of its own, with everything removed at the end, however it ends.
/// A failure carries the last lines of every log; logs and captures are then kept in artifacts/interop.
/// </summary>
public sealed class Scenario : IAsyncDisposable
{
    /// <summary>Set to 1 it keeps logs and captures of scenarios that pass, too.</summary>
    private const string KeepVariable = "CULVERT_KEEP";
    private const string MarkVariable = "CULVERT_SCENARIO";
    private const int LogLinesShown = 25;

    private static int _count;

    private readonly string _name;
    private readonly ITestOutputHelper? _output = TestContext.Current.TestOutputHelper;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly List<Child> _children = [];
    private readonly Process _reaper;

    private Scenario(string name)
    {
        _name = name;

        // Short: it is also the prefix of namespace and interface names, and Unix sockets live in the folder.
        Id = $"cv{Environment.ProcessId % 100_000}x{Interlocked.Increment(ref _count)}";
        Folder = Path.Combine("/tmp", Id);
        Directory.CreateDirectory(Path.Combine(Folder, "logs"));
        Directory.CreateDirectory(Path.Combine(Folder, "captures"));
        Environment_ = new Dictionary<string, string>
        {
            [MarkVariable] = Folder,
            ["RIG_NS"] = MainNamespace,
            ["DOTNET_NOLOGO"] = "1",
        };
        string reaper = Path.Combine(AppContext.BaseDirectory, "Rig", "reaper.sh");
        _reaper = Process.Start(Shell.StartInfo(["setsid", "bash", reaper, Folder, MainNamespace, OtherNamespace, ClientNamespace, ServerNamespace], null))!;
    }

    public string Id { get; }

    public string Folder { get; }

    public string Captures => Path.Combine(Folder, "captures");

    public string Logs => Path.Combine(Folder, "logs");

    /// <summary>The rig's namespace: bridge br0 with 203.0.113.1/24 and the guests' taps.</summary>
    public string MainNamespace => $"{Id}a";

    /// <summary>A second host without a guest: 203.0.113.30 on eth0, behind the same bridge.</summary>
    public string OtherNamespace => $"{Id}b";

    /// <summary>Behind <see cref="OtherNamespace"/>, with <see cref="FourHosts"/>.</summary>
    public string ClientNamespace => $"{Id}c";

    /// <summary>Behind <see cref="MainNamespace"/>, with <see cref="FourHosts"/>.</summary>
    public string ServerNamespace => $"{Id}d";

    internal IReadOnlyDictionary<string, string> Environment_ { get; }

    public static async Task RunAsync(Func<Scenario, Task> body, [System.Runtime.CompilerServices.CallerMemberName] string name = "")
    {
        await using var scenario = new Scenario(name);
        try
        {
            await body(scenario);
            scenario.Note("done");
            if (Environment.GetEnvironmentVariable(KeepVariable) == "1")
            {
                scenario.Note($"logs and captures are kept in {await scenario.KeepAsync()}");
            }
        }
        catch (Exception e)
        {
            scenario.Note("failed");
            throw new InteropException($"{e.Message}\n{await scenario.EvidenceAsync()}\n{e.StackTrace}");
        }
    }

    /// <summary>Writes a line with the time since the start to the test's output.</summary>
    public void Note(string text) => _output?.WriteLine($"{_watch.Elapsed.TotalSeconds,6:F1} s  {text}");

    /// <summary>Copies the rig here and sets up bridge and taps.</summary>
    public async Task UseRigAsync(params string[] taps)
    {
        foreach (string part in (string[])["bin", "etc"])
        {
            _ = (await Shell.RunAsync("cp", "-r", Path.Combine(Requirements.Rig, part), Folder)).Succeeded;
        }

        _ = (await Shell.RunAsync("cp", "-r", Path.Combine(AppContext.BaseDirectory, "Rig"), Path.Combine(Folder, "own"))).Succeeded;
        _ = (await Shell.RunAsync(["bash", Path.Combine(Folder, "bin", "net.sh"), "up", .. taps], null, Environment_)).Succeeded;
    }

    /// <summary>Adds <see cref="OtherNamespace"/> with 203.0.113.30/24 to the bridge.</summary>
    public async Task UseOtherHostAsync()
    {
        await CommandAsync(null, $"ip netns add {OtherNamespace}");
        await CommandAsync(null, $"ip -n {OtherNamespace} link set lo up");
        await CommandAsync(null, $"ip -n {MainNamespace} link add other type veth peer name eth0 netns {OtherNamespace}");
        await CommandAsync(null, $"ip -n {MainNamespace} link set other master br0 up");
        await CommandAsync(null, $"ip -n {OtherNamespace} addr add 203.0.113.30/24 dev eth0");
        await CommandAsync(null, $"ip -n {OtherNamespace} link set eth0 up");
    }

    /// <summary>Two bare namespaces joined by one cable "eth0", without the rig: .1 and .2 of 203.0.113.0/24, ::1 and ::2 of 2001:db8::/64.</summary>
    public async Task UseCableAsync()
    {
        string[] namespaces = [MainNamespace, OtherNamespace];
        foreach (string name in namespaces)
        {
            await CommandAsync(null, $"ip netns add {name}");
            await CommandAsync(null, $"ip -n {name} link set lo up");
        }

        await CommandAsync(null, $"ip -n {MainNamespace} link add eth0 type veth peer name eth0 netns {OtherNamespace}");
        for (int i = 0; i < namespaces.Length; i++)
        {
            await CommandAsync(null, $"ip -n {namespaces[i]} addr add 203.0.113.{i + 1}/24 dev eth0");
            await CommandAsync(null, $"ip -n {namespaces[i]} addr add 2001:db8::{i + 1}/64 dev eth0 nodad");
            await CommandAsync(null, $"ip -n {namespaces[i]} link set eth0 up");
        }
    }

    /// <summary>Runs a command in a namespace; null is the test's own.</summary>
    public Task<CommandResult> CommandAsync(string? inNamespace, IReadOnlyList<string> command, TimeSpan? limit = null) =>
        Shell.RunAsync(Inside(inNamespace, command), limit, Environment_);

    /// <summary>The same for a line of words without quoting; it must succeed.</summary>
    public async Task<string> CommandAsync(string? inNamespace, string command, TimeSpan? limit = null) =>
        (await CommandAsync(inNamespace, command.Split(' ', StringSplitOptions.RemoveEmptyEntries), limit)).Succeeded;

    /// <summary>Starts a process that is ended with the scenario at the latest.</summary>
    public Child Start(string name, string? inNamespace, params IReadOnlyList<string> command)
    {
        var child = new Child(name, Inside(inNamespace, command), Path.Combine(Logs, $"{name}.log"), Environment_);
        _children.Add(child);
        return child;
    }

    /// <summary>Writes a file that only we may read (it may hold a secret) and returns its path.</summary>
    public async Task<string> WriteFileAsync(string name, string content)
    {
        string path = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(path, content);
        _ = (await Shell.RunAsync("chmod", "600", path)).Succeeded;
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        // The reaper works on what is marked; ending it last means that nothing survives an error in here.
        _reaper.StandardInput.Close();
        using var expiry = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        await _reaper.WaitForExitAsync(expiry.Token);
        _reaper.Dispose();
        foreach (Child child in _children)
        {
            child.Dispose();
        }
    }

    private static IReadOnlyList<string> Inside(string? inNamespace, IReadOnlyList<string> command) =>
        inNamespace is null ? command : ["ip", "netns", "exec", inNamespace, .. command];

    private async Task<string> EvidenceAsync()
    {
        var text = new System.Text.StringBuilder();
        foreach (string file in Directory.EnumerateFiles(Folder, "*.log", SearchOption.AllDirectories).Order())
        {
            string[] lines = await File.ReadAllLinesAsync(file);
            text.AppendLine($"--- {Path.GetRelativePath(Folder, file)}");
            foreach (string line in lines.TakeLast(LogLinesShown))
            {
                text.AppendLine(line);
            }
        }

        foreach (string capture in Directory.EnumerateFiles(Captures, "*.pcap"))
        {
            CommandResult summary = await Shell.RunAsync("tshark", "-n", "-r", capture);
            text.AppendLine($"--- {Path.GetFileName(capture)}");
            text.AppendJoin('\n', summary.Output.Split('\n').TakeLast(LogLinesShown)).AppendLine();
        }

        return text.AppendLine($"--- logs and captures are kept in {await KeepAsync()}").ToString();
    }

    private async Task<string> KeepAsync()
    {
        string kept = Path.Combine(Requirements.Repository, "artifacts", "interop", _name);
        if (Directory.Exists(kept))
        {
            Directory.Delete(kept, recursive: true);
        }

        Directory.CreateDirectory(kept);
        foreach (string part in Directory.EnumerateDirectories(Folder).Where(d => Path.GetFileName(d) is "logs" or "captures" or "share"))
        {
            await Shell.RunAsync("cp", "-r", part, kept);
        }

        return kept;
    }
}
