using System.Collections.Concurrent;
using System.Globalization;

namespace Culvert.Server.Captures;

/// <summary>The captures that run, by the number under which they can be ended.</summary>
internal sealed class CaptureSet
{
    private readonly ConcurrentDictionary<int, LiveCapture> _running = new();
    private int _lastId;

    public int Add(LiveCapture capture)
    {
        int id = Interlocked.Increment(ref _lastId);
        _running[id] = capture;
        return id;
    }

    public void Remove(int id) => _running.TryRemove(id, out _);

    /// <summary>False when no such capture runs.</summary>
    public bool Stop(string? id)
    {
        if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || !_running.TryGetValue(number, out LiveCapture? capture))
        {
            return false;
        }

        capture.Stop();
        return true;
    }
}
