using System.Diagnostics;

namespace Culvert.Interop.Harness;

/// <summary>A process that lives as long as its scenario needs it. Its output is kept, line by line, and written to a log.</summary>
public sealed class Child : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly StreamWriter _log;
    private readonly Lock _lock = new();

    internal Child(string name, IReadOnlyList<string> command, string logPath, IReadOnlyDictionary<string, string> environment)
    {
        Name = name;
        LogPath = logPath;
        _log = new StreamWriter(logPath) { AutoFlush = true };

        // A session of its own: Ctrl-C at the terminal reaches the test, and the test ends its children in order.
        ProcessStartInfo start = Shell.StartInfo(["setsid", .. command], environment);
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, e) => Add(e.Data);
        _process.ErrorDataReceived += (_, e) => Add(e.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }

    public string LogPath { get; }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Only processes started through "ip netns exec" or directly: both replace themselves, so this is the program itself.</summary>
    public int Id => _process.Id;

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>Waits for a line of output; the process ending first is a failure.</summary>
    public async Task<string> WaitForLineAsync(string start, TimeSpan limit)
    {
        string? found = null;
        await Eventually.TrueAsync($"{Name} prints '{start}'", limit, () =>
        {
            bool exited = HasExited;
            found = Lines.FirstOrDefault(line => line.StartsWith(start, StringComparison.Ordinal));
            return found is not null || (exited
                ? throw new InteropException($"{Name} ended with {ExitCode} before it printed '{start}':\n{string.Join('\n', Lines.TakeLast(20))}")
                : false);
        });
        return found!;
    }

    /// <summary>Sends a signal such as "TERM".</summary>
    public Task SignalAsync(string signal) => Shell.RunAsync("kill", $"-{signal}", Id.ToString());

    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        using var expiry = new CancellationTokenSource(limit);
        try
        {
            await _process.WaitForExitAsync(expiry.Token);
        }
        catch (OperationCanceledException)
        {
            throw new InteropException($"{Name} did not end within {limit.TotalSeconds} s");
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        lock (_lock)
        {
            _log.Dispose();
        }
    }

    private void Add(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lock)
        {
            _lines.Add(line);
            if (_log.BaseStream is { CanWrite: true })
            {
                _log.WriteLine(line);
            }
        }
    }
}
