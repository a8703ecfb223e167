using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Simulation;

/// <summary>
/// An L2TP endpoint without PPP that keeps calls of both kinds up: incoming ones that it has as a LAC, and outgoing ones that it asks
/// the other end to dial as an LNS. What is offered to it, it accepts late or (while there are faults) not at all; dialled numbers
/// answer late. It tells line errors, connect speeds and ACCMs, and remembers what it told, so that both ends can be compared.
/// </summary>
public sealed class CallEnd : SimulatedEnd, Culvert.L2tp.IPeerPolicy
{
    private const double LongestWait = 20;

    private readonly ulong _seed;
    private readonly PeerEndpoint? _partner;
    private readonly TunnelSettings _settings;
    private readonly EndpointLimits _limits;
    private readonly TunnelIdSpace _space;
    private readonly List<WantedCall> _wanted = [];
    private readonly HashSet<object> _ended = new(ReferenceEqualityComparer.Instance);
    private readonly List<(Session Session, Timestamp At, bool IsAnswer)> _decisions = [];
    private SeededRandom _random = null!;
    private SessionTable _ids = null!;
    private Tunnel? _tunnel;
    private Timestamp _connectAt = Timestamp.Zero;
    private Timestamp _statusAt;
    private ulong _lives;

    /// <param name="name">In traces.</param>
    /// <param name="at">Its address.</param>
    /// <param name="partner">Whom it opens the tunnel to; null for the end that waits.</param>
    /// <param name="seed">Of everything random here.</param>
    /// <param name="settings">Of the tunnel, for either end.</param>
    /// <param name="limits">Rate limits among them.</param>
    /// <param name="space">The tunnel IDs of its shard.</param>
    public CallEnd(
        string name, PeerEndpoint at, PeerEndpoint? partner, ulong seed, TunnelSettings settings, EndpointLimits limits, TunnelIdSpace space)
        : base(name, at)
    {
        _seed = seed;
        _partner = partner;
        _settings = settings;
        _limits = limits;
        _space = space;
        Start();
    }

    public L2tpEndpoint Endpoint { get; private set; } = null!;

    public int WantedCount => _wanted.Count;

    /// <summary>Keeps the tunnel and its calls up.</summary>
    public bool IsWanted { get; private set; } = true;

    /// <summary>Refuses nothing any more, and tells nothing new: so that both ends can agree.</summary>
    public bool IsCalm { get; set; }

    /// <summary>Status messages told, since the start.</summary>
    public long StatusesTold { get; private set; }

    public bool HoldsNothing =>
        Endpoint.Tunnels.Count == 0 && Endpoint.SessionCount == 0 && _ids.Count == 0 && Endpoint.SessionsBeingSetUp == 0 && NextDeadline == Timestamp.Never;

    public override Timestamp NextDeadline
    {
        get
        {
            Timestamp next = Timestamp.Min(Endpoint.NextDeadline, _partner is not null && _tunnel is null && IsWanted ? _connectAt : Timestamp.Never);
            next = Timestamp.Min(next, IsWanted && !IsCalm ? _statusAt : Timestamp.Never);
            foreach (WantedCall call in _wanted)
            {
                next = Timestamp.Min(next, call.RetryAt);
            }

            foreach ((_, Timestamp at, _) in _decisions)
            {
                next = Timestamp.Min(next, at);
            }

            return next;
        }
    }

    public override IEnumerable<Tunnel> Tunnels => Endpoint.Tunnels.Where(t => t.Ended is null);

    public string DescribeWhatIsHeld() =>
        $"{Name}: {Endpoint.Tunnels.Count} tunnels, {Endpoint.SessionCount} sessions, {_ids.Count} session IDs, next deadline {NextDeadline}";

    public void Want(bool isOutgoing, bool isSequenced) => _wanted.Add(new WantedCall(isOutgoing, isSequenced));

    /// <summary>In what this end and its partner do not agree about the calls that this end wants; null when in nothing.</summary>
    /// <param name="partner">The other end.</param>
    /// <param name="isExact">No message was damaged: what was told must be known to the letter.</param>
    public string? FindQuarrel(CallEnd partner, bool isExact)
    {
        foreach (WantedCall call in _wanted)
        {
            if (call.Session is not { State: SessionState.Established } session)
            {
                return $"{Name}: {call} is not up";
            }

            Session? other = null;
            bool isThere = partner.Endpoint.TryFind(session.Tunnel.PeerTunnelId, out Tunnel? tunnel) && tunnel.TryFindSession(session.PeerSessionId, out other);
            if (!isThere || other is not { State: SessionState.Established })
            {
                return $"{Name}: {session} is up here, but at {partner.Name} it is {(isThere ? other!.State : "not there")}";
            }

            Session lac = session.IsLac ? session : other;
            Session lns = session.IsLac ? other : session;
            bool isSame = other.PeerSessionId == session.LocalSessionId && other.Tunnel.PeerTunnelId == session.Tunnel.LocalTunnelId
                && other.Direction == session.Direction && other.IsLac != session.IsLac;
            isSame &= !isExact || (other.SequencesData == session.SequencesData && other.Call.SerialNumber == session.Call.SerialNumber && other.Phb == session.Phb);
            if (!isSame)
            {
                return $"{Name}: {session} ({session.Direction}, sequenced {session.SequencesData}, call {session.Call.SerialNumber}) is {other} ({other.Direction}, sequenced {other.SequencesData}, call {other.Call.SerialNumber}) at {partner.Name}";
            }

            if (isExact && ToldOf(lns).Accm is { } accm && lac.Accm != accm)
            {
                return $"{Name}: {lac} was told {accm} and knows {lac.Accm}";
            }

            if (isExact && ToldOf(lac).Errors is { } errors && lns.CallErrors != errors)
            {
                return $"{Name}: {lns} was told {errors} and knows {lns.CallErrors}";
            }
        }

        return null;
    }

    public void CloseTunnel(Timestamp now) => _tunnel?.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "maintenance"), now);

    /// <summary>Ends every tunnel, old ones too: they come again with everything in them.</summary>
    public void BeginAgain(Timestamp now) => Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "begin again"), now);

    public void HangUp(int index, Timestamp now)
    {
        Session? session = _wanted[index % _wanted.Count].Session;
        session?.Close(Disconnect.OfSession(CdnResult.LostCarrier, "hung up"), now);
    }

    /// <summary>Ends everything for good.</summary>
    public void CloseAll(Timestamp now)
    {
        IsWanted = false;
        foreach (WantedCall call in _wanted)
        {
            call.RetryAt = Timestamp.Never;
        }

        Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "closing"), now);
    }

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now) => Endpoint.Receive(path, datagram, now);

    public override void Advance(Timestamp now)
    {
        Endpoint.Advance(now);
        if (_partner is { } partner && _tunnel is null && IsWanted && _connectAt <= now)
        {
            _connectAt = now + Seconds(1, 3);
            _ = Endpoint.TryConnect(new UdpPath(default, partner), _settings, now, out _tunnel);
        }

        foreach (WantedCall call in _wanted)
        {
            if (call.RetryAt <= now)
            {
                call.RetryAt = Timestamp.Never;
                Place(call, now);
            }
        }

        Decide(now);
        if (IsWanted && !IsCalm && _statusAt <= now)
        {
            _statusAt = now + Seconds(5, 40);
            TellStatus(now);
        }
    }

    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path) =>
        Endpoint.TryTransmit(buffer, out length, out path);

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        bool isBusy = false;
        while (Endpoint.TryNextEvent(out L2tpEvent e))
        {
            isBusy = true;
            world.Trace.NoteEvent(Name, e.ToString(), now);
            Watch(e);
            React(e, now);
        }

        return isBusy;
    }

    public override void Restart(Timestamp now)
    {
        Start();
        _ended.Clear();
        _decisions.Clear();
        ForgetWindows();
        _tunnel = null;
        _connectAt = now;
        foreach (WantedCall call in _wanted)
        {
            call.Session = null;
            call.RetryAt = Timestamp.Never;
        }
    }

    public override void Check()
    {
        CheckTunnels();
        int sessions = Tunnels.Sum(t => t.SessionCount);
        Must(_ids.Count == sessions && Endpoint.SessionCount == sessions, $"{_ids.Count} session IDs are taken, but there are {sessions} sessions");
        Must(Endpoint.Counters[L2tpCounter.EventDropped] == 0, "events were lost");
        Must(Endpoint.HalfOpenCount <= _limits.MaxHalfOpenTunnels, $"{Endpoint.HalfOpenCount} tunnels are half open");
        Must(Endpoint.SessionsBeingSetUp <= _limits.MaxHalfOpenSessions, $"{Endpoint.SessionsBeingSetUp} sessions are being set up");
        foreach (Tunnel tunnel in Tunnels)
        {
            Must(tunnel.LocalTunnelId % _space.Divisor == _space.Remainder, $"{tunnel} has an ID of another shard");
        }
    }

    bool Culvert.L2tp.IPeerPolicy.TryAccept(
        in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
    {
        settings = _settings;
        refusal = null;
        return true;
    }

    private void Start()
    {
        _random = new SeededRandom(_seed + (_lives++ * 1_000_003));
        _ids = new SessionTable(_random);
        _statusAt = Timestamp.Zero;
        Endpoint = new L2tpEndpoint(_limits, this, _ids, _random, _space);
    }

    private TimeSpan Seconds(int least, int most) => TimeSpan.FromMilliseconds((least * 1000) + _random.NextBelow((most - least) * 1000));

    private void Place(WantedCall call, Timestamp now)
    {
        if (!IsWanted || call.Session is not null || _tunnel is not { State: TunnelState.Established } tunnel)
        {
            return; // the tunnel's establishment brings it up again
        }

        bool isPlaced = call.IsOutgoing
            ? tunnel.TryPlaceOutgoingCall(new OutgoingCall { CalledNumber = "5550100" }, now, out Session? session)
            : tunnel.TryPlaceIncomingCall(
                IncomingCall.Default with { CallingNumber = "5550199", SequencingRequired = call.IsSequenced, SendsSpeedUpdates = true }, now, out session);
        if (isPlaced)
        {
            call.Session = session;
            session!.Owner = new Told(call);
        }
        else
        {
            Postpone(call, now);
        }
    }

    private void Postpone(WantedCall call, Timestamp now)
    {
        double wait = Math.Min(LongestWait, Math.Pow(2, Math.Min(call.Failures++, 5)));
        call.RetryAt = IsWanted ? now + TimeSpan.FromSeconds(wait * (0.75 + (_random.NextBelow(500) / 1000.0))) : Timestamp.Never;
    }

    private void React(in L2tpEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case L2tpEventKind.TunnelEstablished:
                _tunnel = e.Tunnel;
                foreach (WantedCall call in _wanted)
                {
                    Place(call, now);
                }

                break;
            case L2tpEventKind.TunnelClosed when e.Tunnel == _tunnel:
                _tunnel = Tunnels.FirstOrDefault(t => t.State == TunnelState.Established);
                _connectAt = now + Seconds(1, 3);
                break;
            case L2tpEventKind.CallOffered or L2tpEventKind.OutgoingCallRequested:
                e.Session!.Owner = new Told(null);
                _decisions.Add((e.Session, now + TimeSpan.FromMilliseconds(_random.NextBelow(3) * 700), false));
                break;
            case L2tpEventKind.SessionEstablished when e.Session!.Owner is Told { Call: { } call }:
                call.Failures = 0;
                break;
            case L2tpEventKind.SessionClosed:
                Forget(e.Session!);
                if (e.Session!.Owner is Told { Call: { } lost })
                {
                    lost.Session = null;
                    Postpone(lost, now);
                }

                break;
        }
    }

    private void Forget(Session session) => _decisions.RemoveAll(d => d.Session == session);

    /// <summary>Accepts, refuses, and lets called parties answer, each at its time.</summary>
    private void Decide(Timestamp now)
    {
        for (int i = _decisions.Count - 1; i >= 0; i--)
        {
            (Session session, Timestamp at, bool isAnswer) = _decisions[i];
            if (at > now)
            {
                continue;
            }

            _decisions.RemoveAt(i);
            if (isAnswer)
            {
                session.Connect(new BearerConnection(64_000, 1, 32_000, (session.Call.SerialNumber & 1) != 0), now);
            }
            else if (!IsCalm && _random.NextBelow(8) == 0)
            {
                session.Refuse(Disconnect.OfSession(CdnResult.Busy, "busy"), now);
            }
            else
            {
                session.Accept(now, session.IsLac ? 7u : null);
                if (session.Direction == CallDirection.Outgoing)
                {
                    _decisions.Add((session, now + TimeSpan.FromMilliseconds(_random.NextBelow(4000)), true));
                }
            }
        }
    }

    private void TellStatus(Timestamp now)
    {
        List<Session> up = [.. Tunnels.SelectMany(t => t.Sessions).Where(s => s.State == SessionState.Established).OrderBy(s => s.LocalSessionId)];
        if (up.Count == 0)
        {
            return;
        }

        Session session = up[_random.NextBelow(up.Count)];
        Told told = ToldOf(session);
        var accm = new Accm(_random.NextUInt32(), _random.NextUInt32());
        var errors = new CallErrors { Crc = _random.NextUInt32(), Timeouts = 1 };
        if (session.IsLac && session.TrySendCallErrors(errors, now))
        {
            told.Errors = errors;
            StatusesTold++;
            _ = session.TrySendConnectSpeed(_random.NextUInt32(), 1000, now);
        }
        else if (session.TrySendAccm(accm, now))
        {
            told.Accm = accm;
            StatusesTold++;
            _ = session.TryRequestConnectSpeed(now);
        }
    }

    private static Told ToldOf(Session session) => session.Owner as Told ?? new Told(null);

    private void Watch(in L2tpEvent e)
    {
        Must(!_ended.Contains(e.Tunnel), $"{e} after its tunnel's end");
        Must(e.Session is null || !_ended.Contains(e.Session), $"{e} after its end");
        if (e.Kind is L2tpEventKind.SessionClosed or L2tpEventKind.TunnelClosed)
        {
            Must(e.Disconnect is not null, $"{e} without a reason");
            _ended.Add(e.Kind == L2tpEventKind.SessionClosed ? e.Session! : e.Tunnel);
        }
    }

    private sealed class WantedCall(bool isOutgoing, bool isSequenced)
    {
        public bool IsOutgoing { get; } = isOutgoing;

        public bool IsSequenced { get; } = isSequenced;

        public Session? Session { get; set; }

        public Timestamp RetryAt { get; set; } = Timestamp.Never;

        public int Failures { get; set; }

        public override string ToString() => $"a wanted {(IsOutgoing ? "outgoing" : "incoming")} call";
    }

    /// <summary>What the other end of a session was told last.</summary>
    private sealed class Told(WantedCall? call)
    {
        public WantedCall? Call { get; } = call;

        public Accm? Accm { get; set; }

        public CallErrors? Errors { get; set; }
    }
}
