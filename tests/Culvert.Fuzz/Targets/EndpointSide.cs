using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.Fuzz.Coverage;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>An L2TP endpoint with an owner that reacts as a node would, and watches what it is told.</summary>
internal sealed class EndpointSide : IPeerPolicy
{
    private static readonly Disconnect Refused = Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "not known here");

    private readonly HashSet<object> _ended = new(ReferenceEqualityComparer.Instance);

    public EndpointSide(TunnelSettings settings, EndpointLimits limits, ulong seed)
    {
        Settings = settings;
        Endpoint = new L2tpEndpoint(limits, this, Ids, new NarrowRandom(seed));
    }

    public L2tpEndpoint Endpoint { get; }

    public CountedSessionIds Ids { get; } = new();

    public TunnelSettings Settings { get; }

    /// <summary>Offers are left open, for a decision to come later.</summary>
    public bool IsHesitant { get; init; }

    public List<Session> Offers { get; } = [];

    /// <summary>The last tunnel that was heard of.</summary>
    public Tunnel? Newest { get; set; }

    bool IPeerPolicy.TryAccept(
        in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
    {
        bool isWelcome = request.HostName[0] != (byte)'!';
        _ = request.HostNameText;
        settings = isWelcome ? Settings : null;
        refusal = isWelcome ? null : Refused;
        return isWelcome;
    }

    /// <summary>Takes one event, reacts, and checks that it may come.</summary>
    public bool TakeEvent(Timestamp now, out L2tpEvent e)
    {
        if (!Endpoint.TryNextEvent(out e))
        {
            return false;
        }

        EdgeMap.Note(1, ((int)e.Kind << 16) | (e.Disconnect is { } why ? (((int)why.Carrier & 7) << 12) | (why.Result << 4) | (int)why.Error & 15 : (int)e.Notice));
        Watch(e);
        Newest = e.Tunnel;
        if (e.Kind is L2tpEventKind.CallOffered or L2tpEventKind.OutgoingCallRequested && e.Session is { } session)
        {
            Offers.Add(session);
            if (!IsHesitant)
            {
                AnswerAll(now);
            }
        }

        return true;
    }

    /// <summary>Accepts everything that is offered; what was to be dialled answers at once.</summary>
    public void AnswerAll(Timestamp now)
    {
        foreach (Session session in Offers.ToArray())
        {
            session.Accept(now, 9);
            session.Connect(new BearerConnection(64_000, 1, 32_000, (session.LocalSessionId & 1) != 0), now);
        }

        Offers.Clear();
    }

    /// <summary>What is always true of an endpoint.</summary>
    public void Check()
    {
        EndpointLimits limits = Endpoint.Limits;
        int sessions = 0;
        int beingSetUp = 0;
        foreach (Tunnel tunnel in Endpoint.Tunnels)
        {
            sessions += tunnel.SessionCount;
            Must(tunnel.LocalTunnelId != 0, "a tunnel has ID 0");
            Must(tunnel.Ended is null || tunnel.SessionCount == 0, $"{tunnel} has ended, and has sessions");
            Must(tunnel.MessagesQueued <= tunnel.Settings.Channel.QueueLimit, $"{tunnel}: {tunnel.MessagesQueued} messages are queued");
            Must(tunnel.MessagesInFlight <= tunnel.PeerReceiveWindow && tunnel.MessagesInFlight <= tunnel.MessagesQueued,
                $"{tunnel}: {tunnel.MessagesInFlight} messages are under way of {tunnel.MessagesQueued}, the window is {tunnel.PeerReceiveWindow}");
            foreach (Session session in tunnel.Sessions)
            {
                Must(session.Tunnel == tunnel && session.Ended is null && session.LocalSessionId != 0, $"{session} does not belong into {tunnel}");
                Must(!_ended.Contains(session), $"{session} has ended, and is there");
                beingSetUp += session.State is SessionState.Idle or SessionState.Established ? 0 : 1;
            }
        }

        Must(sessions == Endpoint.SessionCount, $"{sessions} sessions are in tunnels, {Endpoint.SessionCount} are counted");
        Must(sessions == Ids.InUse, $"{sessions} sessions have {Ids.InUse} IDs");
        Must(beingSetUp == Endpoint.SessionsBeingSetUp, $"{beingSetUp} sessions are being set up, {Endpoint.SessionsBeingSetUp} are counted");
        Must(sessions <= limits.MaxSessions, $"{sessions} sessions, {limits.MaxSessions} may be");
        Must(Endpoint.SessionsBeingSetUp <= limits.MaxHalfOpenSessions, "more sessions are being set up than may be");
        Must(Endpoint.Tunnels.Count <= limits.MaxTunnels, $"{Endpoint.Tunnels.Count} tunnels, {limits.MaxTunnels} may be");
        Must(Endpoint.HalfOpenCount <= limits.MaxHalfOpenTunnels, $"{Endpoint.HalfOpenCount} tunnels are half open");
        Must(Endpoint.Counters[L2tpCounter.EventDropped] == 0, "events were lost");
    }

    /// <summary>What is true long after everything was closed.</summary>
    public void CheckEmpty()
    {
        Must(
            Endpoint.Tunnels.Count == 0 && Endpoint.SessionCount == 0 && Ids.InUse == 0 && Endpoint.HalfOpenCount == 0
                && Endpoint.LingeringCount == 0 && Endpoint.SessionsBeingSetUp == 0 && Endpoint.NextDeadline == Timestamp.Never,
            $"left after the end: {Endpoint.Tunnels.Count} tunnels ({string.Join(", ", Endpoint.Tunnels.Select(t => t.State))}), {Endpoint.SessionCount} sessions, "
                + $"{Ids.InUse} IDs, {Endpoint.HalfOpenCount} half open, {Endpoint.LingeringCount} lingering, next deadline {Endpoint.NextDeadline}");
    }

    private void Watch(in L2tpEvent e)
    {
        Must(!_ended.Contains(e.Tunnel), $"{e} after its tunnel's end");
        Must(e.Session is null || !_ended.Contains(e.Session), $"{e} after its end");
        if (e.Kind is L2tpEventKind.SessionClosed or L2tpEventKind.TunnelClosed)
        {
            Must(e.Disconnect is not null, $"{e} without a reason");
            Must(e.Disconnect!.ToString().Length > 0, $"{e} with a reason that says nothing");
            _ended.Add(e.Kind == L2tpEventKind.SessionClosed ? e.Session! : e.Tunnel);
        }
    }
}

/// <summary>Draws small numbers, so that tunnel IDs lie close together and tables by ID stay small; and numbers meet more often.</summary>
internal sealed class NarrowRandom(ulong seed) : IRandomSource
{
    private readonly SeededRandom _random = new(seed);

    public void Fill(Span<byte> destination)
    {
        _random.Fill(destination);
        if (destination.Length == sizeof(uint))
        {
            (destination[0], destination[1]) = (0, (byte)(destination[1] & 0x1F));
        }
    }
}

/// <summary>Hands out session IDs, and notices when one is given back that was not out.</summary>
internal sealed class CountedSessionIds : ISessionIds
{
    private readonly HashSet<(ushort Tunnel, ushort Session)> _used = [];
    private ushort _last = 100;

    public int InUse => _used.Count;

    public bool TryReserve(ushort localTunnelId, out ushort localSessionId)
    {
        _last = _last == ushort.MaxValue ? (ushort)1 : (ushort)(_last + 1);
        localSessionId = _last;
        return _used.Add((localTunnelId, localSessionId));
    }

    public void Release(ushort localTunnelId, ushort localSessionId)
    {
        if (!_used.Remove((localTunnelId, localSessionId)))
        {
            throw new FuzzFailedException($"ID {localTunnelId}/{localSessionId} was given back and was not out");
        }
    }
}
