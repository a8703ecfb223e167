using Culvert.Core;

namespace Culvert.Server;

/// <summary>
/// Peers about whom the kernel said that a datagram was larger than the path, told by any thread and looked into by the shard. Anybody
/// can forge such messages, so there is room for a few; what does not fit is forgotten: a report that matters comes again with the next
/// large datagram.
/// </summary>
internal sealed class PathReports
{
    /// <summary>Reports that wait.</summary>
    public const int Capacity = 64;

    private readonly Lock _lock = new();
    private readonly BoundedQueue<PeerEndpoint> _waiting = new(Capacity);
    private volatile bool _hasAny;

    public void Add(in PeerEndpoint peer)
    {
        lock (_lock)
        {
            _ = _waiting.TryEnqueue(peer);
            _hasAny = true;
        }
    }

    public bool TryTake(out PeerEndpoint peer)
    {
        peer = default;
        if (!_hasAny)
        {
            return false;
        }

        lock (_lock)
        {
            _hasAny = _waiting.TryDequeue(out peer);
            return _hasAny;
        }
    }
}
