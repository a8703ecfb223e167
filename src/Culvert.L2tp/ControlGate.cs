using System.Buffers.Binary;
using System.Numerics;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>How much of a turn the control messages of peers may take. All counts are messages: a short one costs as much as a long one.</summary>
public sealed record ControlGateLimits
{
    public static ControlGateLimits Default { get; } = new();

    /// <summary>From established tunnels, in a turn: some 2 ms of work.</summary>
    public int Established { get; init; } = 512;

    /// <summary>From everybody else, in a turn: some 0.5 ms. Anybody can send SCCRQs in anybody's name.</summary>
    public int Others { get; init; } = 128;

    /// <summary>From one peer with an established tunnel, in a turn, before others had theirs.</summary>
    public int EstablishedEach { get; init; } = 64;

    /// <summary>From one address without, in a turn, before others had theirs.</summary>
    public int OthersEach { get; init; } = 8;

    /// <summary>
    /// Messages of established tunnels that may wait: several receive windows (<see cref="ControlChannelSettings.ReceiveWindow"/>), so that
    /// of peers that keep to theirs nothing is lost.
    /// </summary>
    public int EstablishedWaiting { get; init; } = 1024;

    /// <summary>Messages of others that may wait. Few: what waits longer than a turn or two is repeated by its sender anyway.</summary>
    public int OthersWaiting { get; init; } = 256;
}

/// <summary>
/// Fair receiving. What is scarce is the loop's time: a control message costs microseconds, and a loop that handles whatever comes spends
/// them all on whoever sends most. So each peer has a share of every turn; what is beyond it waits, copied, in a bounded queue that is
/// served one message per peer in turn, and what has no room is dropped, from the longest queue first: its sender repeats it. Peers with an
/// established tunnel come first, since only they have proved where they are. Data never passes here and is never delayed by more than a
/// turn's share.
/// </summary>
/// <remarks>
/// Peers share 256 places by a digest (stochastic fair queueing), so no number of forged addresses makes the table grow. As long as
/// nobody sends more than a share, nothing is copied and nothing waits.
/// </remarks>
public sealed class ControlGate
{
    /// <summary>Longest message that may wait, octets; real ones are far shorter.</summary>
    public const int MessageLimit = 2048;

    /// <summary>Messages of established tunnels for each one of others, while both wait.</summary>
    private const int Preference = 8;

    private const ulong Odd = 0x9E37_79B9_7F4A_7C15;

    private readonly FairQueue _established;
    private readonly FairQueue _others;
    private readonly ulong _key;
    private int _preferred;

    /// <param name="limits">The shares.</param>
    /// <param name="random">For the digest: nobody shall choose whose place it shares.</param>
    public ControlGate(ControlGateLimits limits, IRandomSource random)
    {
        _established = new(limits.Established, limits.EstablishedEach, limits.EstablishedWaiting);
        _others = new(limits.Others, limits.OthersEach, limits.OthersWaiting);
        _key = ((ulong)random.NextUInt32() << 32) | random.NextUInt32();
    }

    /// <summary>Messages that wait now.</summary>
    public int Waiting => _established.Waiting + _others.Waiting;

    /// <summary>Messages that wait now, by the address that sent them; those of whom nothing waits are missing.</summary>
    public IReadOnlyDictionary<IpAddress, int> WaitingByPeer()
    {
        var byPeer = new Dictionary<IpAddress, int>();
        _established.CountWaiting(byPeer);
        _others.CountWaiting(byPeer);
        return byPeer;
    }

    /// <summary>Messages that had to wait.</summary>
    public long Deferred => _established.Deferred + _others.Deferred;

    /// <summary>Messages of established tunnels that were dropped.</summary>
    public long DroppedOfEstablished => _established.Dropped;

    /// <summary>Messages of others that were dropped.</summary>
    public long DroppedOfOthers => _others.Dropped;

    /// <summary>A new turn of the loop begins: every share is whole again.</summary>
    public void BeginTurn()
    {
        _established.BeginTurn();
        _others.BeginTurn();
    }

    /// <summary>True when the message is to be handled now; else it waits or was dropped.</summary>
    /// <param name="path">Where it came from.</param>
    /// <param name="datagram">The message.</param>
    /// <param name="isEstablished">It belongs to an established tunnel with that peer (<see cref="L2tpEndpoint.IsOfEstablished"/>).</param>
    public bool TryAdmit(in UdpPath path, ReadOnlySpan<byte> datagram, bool isEstablished)
    {
        // Of peers that have proved nothing the port counts for nothing: it is free to choose.
        uint port = isEstablished ? path.Peer.Port : 0u;
        uint digest = Digest(path.Peer.Address, ((ulong)path.Peer.Mark << 32) | port);
        return (isEstablished ? _established : _others).TryAdmit(digest, path, datagram);
    }

    private uint Digest(in IpAddress address, ulong more)
    {
        Span<byte> octets = stackalloc byte[16];
        octets.Clear();
        address.WriteTo(octets);
        ulong mixed = Mix(_key ^ BinaryPrimitives.ReadUInt64LittleEndian(octets));
        mixed = Mix(mixed ^ BinaryPrimitives.ReadUInt64LittleEndian(octets[8..]));
        return (uint)(Mix(mixed ^ more ^ _key) >> 32);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 32)) * Odd;
        return BitOperations.RotateLeft(value ^ (value >> 29), 17) * Odd;
    }

    /// <summary>The next message that waited, while there is room in this turn. Valid until the next call.</summary>
    public bool TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram)
    {
        bool isOthersTurn = _preferred >= Preference && _others.CanTake;
        if (!isOthersTurn && _established.TryTake(out path, out datagram))
        {
            _preferred++;
            return true;
        }

        _preferred = 0;
        return _others.TryTake(out path, out datagram);
    }
}
