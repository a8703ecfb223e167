using System.Globalization;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>What is remembered of a tunnel or session after its end.</summary>
public sealed class EndedRecord
{
    internal EndedRecord(Tunnel tunnel, Session? session, Disconnect why, Timestamp now)
    {
        LocalTunnelId = tunnel.LocalTunnelId;
        PeerTunnelId = tunnel.PeerTunnelId;
        LocalSessionId = session?.LocalSessionId ?? 0;
        PeerSessionId = session?.PeerSessionId ?? 0;
        Peer = tunnel.Path.Peer;
        PeerHostName = tunnel.PeerHostName;
        EstablishedAt = session?.EstablishedAt ?? tunnel.EstablishedAt;
        EndedAt = now;
        Why = why;
        History = session?.History ?? tunnel.History;
        session?.ForgetProxy();
        Call = session?.Call;
    }

    public ushort LocalTunnelId { get; }

    public ushort PeerTunnelId { get; }

    /// <summary>0 for a tunnel.</summary>
    public ushort LocalSessionId { get; }

    public ushort PeerSessionId { get; }

    public PeerEndpoint Peer { get; }

    /// <summary>Safe to log; empty when it never became known.</summary>
    public string PeerHostName { get; }

    /// <summary><see cref="Timestamp.Never"/> when it never was.</summary>
    public Timestamp EstablishedAt { get; }

    public Timestamp EndedAt { get; }

    public Disconnect Why { get; }

    public History History { get; }

    /// <summary>The facts of a session's call, without what the LAC learned from the user; null for a tunnel.</summary>
    public IncomingCall? Call { get; }

    /// <summary>Everything known, in lines: who, how long, why, and the history.</summary>
    public IEnumerable<string> Lines(Timestamp now)
    {
        string what = LocalSessionId == 0 ? $"tunnel {LocalTunnelId}/{PeerTunnelId}"
            : $"tunnel {LocalTunnelId}/{PeerTunnelId} session {LocalSessionId}/{PeerSessionId}";
        yield return $"{what} with {(PeerHostName.Length == 0 ? "peer" : PeerHostName)} at {Peer}";
        string lived = EstablishedAt == Timestamp.Never ? "never established"
            : string.Create(CultureInfo.InvariantCulture, $"established for {(EndedAt - EstablishedAt).TotalSeconds:0.0} s");
        yield return string.Create(CultureInfo.InvariantCulture, $"ended {(now - EndedAt).TotalSeconds:0.0} s ago, {lived}");
        yield return Why.ToString();
        foreach (string line in History.Lines(now))
        {
            yield return line;
        }
    }
}

/// <summary>The last ones that ended; the oldest is forgotten for each that comes.</summary>
internal sealed class EndedList(int capacity)
{
    private EndedRecord?[] _ring = [];
    private long _written;

    public void Add(EndedRecord record)
    {
        if (capacity > 0)
        {
            _ring = _ring.Length == 0 ? new EndedRecord?[capacity] : _ring;
            _ring[_written++ % capacity] = record;
        }
    }

    /// <summary>The newest first.</summary>
    public IEnumerable<EndedRecord> Newest()
    {
        for (long i = _written - 1; i >= 0 && i >= _written - _ring.Length; i--)
        {
            yield return _ring[i % _ring.Length]!;
        }
    }
}
