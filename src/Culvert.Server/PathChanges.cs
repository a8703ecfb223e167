using Culvert.Core;

namespace Culvert.Server;

/// <summary>
/// Peers whose path is to be looked into again, one after another and so slowly that forged reports cost little: a changed MTU may
/// concern every session. None is forgotten, because the kernel reports a change once and then cuts datagrams without a word.
/// Belongs to one shard.
/// </summary>
internal sealed class PathChanges
{
    /// <summary>Between two: 20 per second.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);

    private readonly Queue<IpAddress> _order = new();
    private readonly HashSet<IpAddress> _waiting = [];
    private Timestamp _next;

    /// <summary>When <see cref="TryTake"/> has something to give.</summary>
    public Timestamp NextDeadline => _order.Count > 0 ? _next : Timestamp.Never;

    public bool IsEmpty => _order.Count == 0;

    /// <param name="peer">One that has a tunnel: that is the limit of how many wait. One that waits already does not wait twice.</param>
    public void Add(in IpAddress peer)
    {
        if (_waiting.Add(peer))
        {
            _order.Enqueue(peer);
        }
    }

    public bool TryTake(Timestamp now, out IpAddress peer)
    {
        peer = default;
        if (now < _next || !_order.TryDequeue(out peer))
        {
            return false;
        }

        _waiting.Remove(peer);
        _next = now + Pace;
        return true;
    }
}
