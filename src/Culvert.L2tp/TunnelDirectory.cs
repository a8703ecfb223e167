using System.Diagnostics.CodeAnalysis;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>
/// All tunnels of an endpoint, and the ways to find them: by our ID, by the peer's address, port and ID, and by address and port.
/// Keeps the order in which half-open and ended tunnels make room.
/// </summary>
internal sealed class TunnelDirectory(EndpointLimits limits, TunnelIdSpace ids, IRandomSource random, PendingStarts pending)
{
    private const int IdCount = 65_536;

    private readonly Dictionary<ushort, Tunnel> _byLocalId = [];
    private readonly Dictionary<(PeerEndpoint Peer, ushort PeerTunnelId), Tunnel> _byPeerId = [];
    private readonly Dictionary<PeerEndpoint, Tunnel> _newestByPath = [];
    private readonly Dictionary<IpAddress, int> _halfOpenByAddress = [];
    private readonly Dictionary<IpAddress, int> _countByAddress = [];
    private readonly LinkedList<Tunnel> _halfOpen = new();
    private readonly LinkedList<Tunnel> _lingering = new();

    // Those that we began and that the peer has not answered: few, so an SCCRQ that may cross one looks here, and not through all
    // tunnels of its peer.
    private readonly LinkedList<Tunnel> _waiting = new();

    public IReadOnlyCollection<Tunnel> All => _byLocalId.Values;

    public int Count => _byLocalId.Count;

    public int HalfOpenCount => _halfOpen.Count;

    public int LingeringCount => _lingering.Count;

    public Tunnel? OldestHalfOpen => _halfOpen.First?.Value;

    public Tunnel? OldestLingering => _lingering.First?.Value;

    /// <summary>The newest tunnel whose SCCRQ is not answered; older ones come before it.</summary>
    public LinkedListNode<Tunnel>? NewestWaiting => _waiting.Last;

    public bool IsFull => _byLocalId.Count >= limits.MaxTunnels;

    public bool TryFind(ushort localTunnelId, [NotNullWhen(true)] out Tunnel? tunnel) => _byLocalId.TryGetValue(localTunnelId, out tunnel);

    public bool TryFind(in PeerEndpoint peer, ushort peerTunnelId, [NotNullWhen(true)] out Tunnel? tunnel) =>
        _byPeerId.TryGetValue((peer, peerTunnelId), out tunnel);

    /// <summary>The newest tunnel with this address and port; older ones follow by <see cref="Tunnel.OlderOnPath"/>.</summary>
    public Tunnel? NewestWith(in PeerEndpoint peer) => _newestByPath.GetValueOrDefault(peer);

    public bool HasAnyWith(in IpAddress address) => _countByAddress.ContainsKey(address);

    public int HalfOpenWith(in IpAddress address) => _halfOpenByAddress.GetValueOrDefault(address);

    /// <summary>Draws a free ID at random, so that nobody can guess it.</summary>
    public bool TryChooseId(out ushort id)
    {
        int steps = IdCount / ids.Divisor;
        int start = random.NextBelow(steps);
        for (int i = 0; i < steps; i++)
        {
            int candidate = (((start + i) % steps) * ids.Divisor) + ids.Remainder;
            if (candidate is > 0 and < IdCount && !_byLocalId.ContainsKey((ushort)candidate) && !pending.Contains(candidate))
            {
                id = (ushort)candidate;
                return true;
            }
        }

        id = 0;
        return false;
    }

    public void Add(Tunnel tunnel)
    {
        _byLocalId.Add(tunnel.LocalTunnelId, tunnel);
        LinkPath(tunnel);
    }

    /// <summary>The peer's ID of a tunnel is known now. The newest tunnel with the same ID is the one that is found.</summary>
    public void NotePeerId(Tunnel tunnel) => _byPeerId[(tunnel.Path.Peer, tunnel.PeerTunnelId)] = tunnel;

    public void AddWaiting(Tunnel tunnel) => tunnel.ListNode = _waiting.AddLast(tunnel);

    public void RemoveWaiting(Tunnel tunnel)
    {
        if (tunnel.ListNode is { } node && node.List == _waiting)
        {
            _waiting.Remove(node);
            tunnel.ListNode = null;
        }
    }

    public void AddHalfOpen(Tunnel tunnel)
    {
        tunnel.ListNode = _halfOpen.AddLast(tunnel);
        CountUp(_halfOpenByAddress, tunnel.Path.Peer.Address);
    }

    public void RemoveHalfOpen(Tunnel tunnel)
    {
        if (tunnel.ListNode is not { } node || node.List != _halfOpen)
        {
            return;
        }

        _halfOpen.Remove(node);
        tunnel.ListNode = null;
        CountDown(_halfOpenByAddress, tunnel.Path.Peer.Address);
    }

    /// <summary>The tunnel has ended and only acknowledges from now on.</summary>
    public void NoteEnded(Tunnel tunnel)
    {
        RemoveHalfOpen(tunnel);
        tunnel.ListNode ??= _lingering.AddLast(tunnel);
    }

    public void Move(Tunnel tunnel, in UdpPath path)
    {
        UnlinkPath(tunnel);
        RemovePeerId(tunnel);
        tunnel.SetPath(path);
        LinkPath(tunnel);
        if (tunnel.PeerTunnelId != 0)
        {
            NotePeerId(tunnel);
        }
    }

    public void Remove(Tunnel tunnel)
    {
        RemoveHalfOpen(tunnel);
        RemoveWaiting(tunnel);
        if (tunnel.ListNode is { } node)
        {
            _lingering.Remove(node);
            tunnel.ListNode = null;
        }

        UnlinkPath(tunnel);
        RemovePeerId(tunnel);
        _byLocalId.Remove(tunnel.LocalTunnelId);
    }

    private void RemovePeerId(Tunnel tunnel)
    {
        (PeerEndpoint Peer, ushort PeerTunnelId) key = (tunnel.Path.Peer, tunnel.PeerTunnelId);
        if (_byPeerId.TryGetValue(key, out Tunnel? found) && found == tunnel)
        {
            _byPeerId.Remove(key);
        }
    }

    private void LinkPath(Tunnel tunnel)
    {
        Tunnel? older = NewestWith(tunnel.Path.Peer);
        tunnel.OlderOnPath = older;
        if (older is not null)
        {
            older.NewerOnPath = tunnel;
        }

        _newestByPath[tunnel.Path.Peer] = tunnel;
        CountUp(_countByAddress, tunnel.Path.Peer.Address);
    }

    private static void CountUp(Dictionary<IpAddress, int> counts, in IpAddress address) =>
        counts[address] = counts.GetValueOrDefault(address) + 1;

    private static void CountDown(Dictionary<IpAddress, int> counts, in IpAddress address)
    {
        int left = counts.GetValueOrDefault(address) - 1;
        if (left > 0)
        {
            counts[address] = left;
        }
        else
        {
            counts.Remove(address);
        }
    }

    private void UnlinkPath(Tunnel tunnel)
    {
        CountDown(_countByAddress, tunnel.Path.Peer.Address);
        if (tunnel.OlderOnPath is { } older)
        {
            older.NewerOnPath = tunnel.NewerOnPath;
        }

        if (tunnel.NewerOnPath is { } newer)
        {
            newer.OlderOnPath = tunnel.OlderOnPath;
        }
        else if (tunnel.OlderOnPath is { } next)
        {
            _newestByPath[tunnel.Path.Peer] = next;
        }
        else
        {
            _newestByPath.Remove(tunnel.Path.Peer);
        }

        tunnel.OlderOnPath = null;
        tunnel.NewerOnPath = null;
    }
}
