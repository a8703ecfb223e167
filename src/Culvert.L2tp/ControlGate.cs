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
public sealed class ControlGate(ControlGateLimits limits, IRandomSource random)
{
    /// <summary>Longest message that may wait, octets; real ones are far shorter.</summary>
    public const int MessageLimit = 2048;

    /// <summary>Messages of established tunnels for each one of others, while both wait.</summary>
    private const int Preference = 8;

    private readonly FairQueue _established = new(limits.Established, limits.EstablishedEach, limits.EstablishedWaiting, random.NextUInt32());
    private readonly FairQueue _others = new(limits.Others, limits.OthersEach, limits.OthersWaiting, random.NextUInt32());
    private int _preferred;

    /// <summary>Messages that wait now.</summary>
    public int Waiting => _established.Waiting + _others.Waiting;

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
        int name = isEstablished ? path.Peer.GetHashCode() : path.Peer.Address.GetHashCode();
        return (isEstablished ? _established : _others).TryAdmit(name, path, datagram);
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
