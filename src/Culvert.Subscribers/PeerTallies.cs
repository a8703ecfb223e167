using Culvert.Core;
using Culvert.L2tp;

namespace Culvert.Subscribers;

/// <summary>What was refused to one peer address since the node started, or since it was last forgotten.</summary>
public sealed class PeerTally
{
    /// <summary>SCCRQs that no rule fits, of another version, or unreadable.</summary>
    public long Refused { get; internal set; }

    /// <summary>Tunnel endpoints that could not prove knowledge of the secret.</summary>
    public long SecretsWrong { get; internal set; }

    /// <summary>SCCRQs dropped, and calls refused, because there were too many per second or authentication was behind.</summary>
    public long RateLimited { get; internal set; }

    /// <summary>SCCRQs dropped, and calls refused, because a limit of tunnels or sessions was reached.</summary>
    public long OverLimit { get; internal set; }

    /// <summary>Users that could not prove who they are.</summary>
    public long UsersRejected { get; internal set; }
}

/// <summary>
/// Refusals by peer address. Whatever the engine counts while it takes a datagram is the doing of whoever sent that, so nothing is kept
/// of peers to whom nothing was refused. Bounded: when the table is full, the address that came first is forgotten, because forged
/// addresses come once each.
/// </summary>
internal sealed class PeerTallies(L2tpCounters counters)
{
    /// <summary>About 150 octets each.</summary>
    public const int MostPeers = 4096;

    private static readonly L2tpCounter[] Refused = [L2tpCounter.RefusedByPolicy, L2tpCounter.RefusedVersion, L2tpCounter.MalformedStart];
    private static readonly L2tpCounter[] SecretsWrong = [L2tpCounter.AuthenticationFailed];
    private static readonly L2tpCounter[] RateLimited = [L2tpCounter.StartRateExceeded, L2tpCounter.CallRateExceeded, L2tpCounter.CallsDeferred];

    private static readonly L2tpCounter[] OverLimit =
        [L2tpCounter.HalfOpenPerPeerLimit, L2tpCounter.TunnelLimit, L2tpCounter.SessionLimit, L2tpCounter.HalfOpenSessionLimit];

    private readonly Dictionary<IpAddress, PeerTally> _tallies = [];
    private readonly Queue<IpAddress> _oldestFirst = new();
    private long _refused;
    private long _secretsWrong;
    private long _rateLimited;
    private long _overLimit;

    public IReadOnlyDictionary<IpAddress, PeerTally> All => _tallies;

    /// <summary>After a datagram from <paramref name="peer"/>.</summary>
    public void Note(in IpAddress peer)
    {
        long refused = Take(Refused, ref _refused);
        long secretsWrong = Take(SecretsWrong, ref _secretsWrong);
        long rateLimited = Take(RateLimited, ref _rateLimited);
        long overLimit = Take(OverLimit, ref _overLimit);
        if ((refused | secretsWrong | rateLimited | overLimit) != 0)
        {
            PeerTally tally = Of(peer);
            tally.Refused += refused;
            tally.SecretsWrong += secretsWrong;
            tally.RateLimited += rateLimited;
            tally.OverLimit += overLimit;
        }
    }

    public void NoteUserRejected(in IpAddress peer) => Of(peer).UsersRejected++;

    private long Take(L2tpCounter[] which, ref long before)
    {
        long now = 0;
        foreach (L2tpCounter counter in which)
        {
            now += counters[counter];
        }

        long more = now - before;
        before = now;
        return more;
    }

    private PeerTally Of(in IpAddress peer)
    {
        if (_tallies.TryGetValue(peer, out PeerTally? tally))
        {
            return tally;
        }

        if (_tallies.Count >= MostPeers)
        {
            _tallies.Remove(_oldestFirst.Dequeue());
        }

        tally = new PeerTally();
        _tallies.Add(peer, tally);
        _oldestFirst.Enqueue(peer);
        return tally;
    }
}
