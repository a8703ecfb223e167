using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// Peers about whom the kernel said that a datagram was larger than the path, told by any thread and taken by the shard. Anybody
/// can forge such messages, so there is room for a few; that some did not fit is remembered.
/// </summary>
internal sealed class PathReports
{
    /// <summary>Reports that wait for the shard's next turn.</summary>
    public const int Capacity = 64;

    /// <summary>Taken from a socket at a time; the others follow.</summary>
    private const int ReportsPerTurn = 64;

    private readonly Lock _lock = new();
    private readonly BoundedQueue<IpAddress> _waiting = new(Capacity);
    private volatile bool _hasAny;
    private bool _hasLost;

    public void Add(in IpAddress peer)
    {
        lock (_lock)
        {
            _hasLost |= !_waiting.TryEnqueue(peer);
            _hasAny = true;
        }
    }

    /// <summary>Empties a socket's error queue, whatever is in it. True when something was added.</summary>
    public bool AddFrom(UdpSocket socket)
    {
        bool hasAdded = false;
        for (int i = 0; i < ReportsPerTurn && socket.TryReadError(out UdpError error); i++)
        {
            if (error.Kind == UdpErrorKind.TooBig)
            {
                Add(error.Peer.Address);
                hasAdded = true;
            }
        }

        return hasAdded;
    }

    /// <summary>The next one; none when all are taken.</summary>
    /// <param name="peer">Whom it is about.</param>
    /// <param name="hasLost">Others did not fit since this was last said: it may be about anybody.</param>
    public bool TryTake(out IpAddress peer, out bool hasLost)
    {
        peer = default;
        hasLost = false;
        if (!_hasAny)
        {
            return false;
        }

        lock (_lock)
        {
            _hasAny = _waiting.TryDequeue(out peer);
            hasLost = _hasLost;
            _hasLost = false;
            return _hasAny;
        }
    }
}
