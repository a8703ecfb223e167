using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Simulation;

/// <summary>
/// An access concentrator with many lines in one tunnel, and the users at the end of its lines: an L2TP endpoint in the LAC role
/// with a PPP link behind each call. It keeps its tunnel and every wanted call up, with patience that grows.
/// </summary>
public sealed class LacEnd : SimulatedEnd, Culvert.L2tp.IPeerPolicy
{
    private const double LongestWait = 30;

    private static readonly Disconnect NoCalls = Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "this is a LAC");

    private readonly ulong _seed;
    private readonly PeerEndpoint _lns;
    private readonly TunnelSettings _settings;
    private readonly List<LacLine> _lines = [];
    private readonly Queue<LacLine> _toTransmit = new();
    private readonly HashSet<object> _ended = new(ReferenceEqualityComparer.Instance);
    private DeadlineHeap _timers = new();
    private SeededRandom _random = null!;
    private SessionTable _ids = null!;
    private Tunnel? _tunnel;
    private Timestamp _connectAt = Timestamp.Zero;
    private ulong _lives;

    public LacEnd(string name, PeerEndpoint at, PeerEndpoint lns, ulong seed, TunnelSettings? settings = null)
        : base(name, at)
    {
        _seed = seed;
        _lns = lns;
        _settings = settings ?? new TunnelSettings { HostName = name, AcceptIncomingCalls = false };
        Start();
    }

    public L2tpEndpoint Endpoint { get; private set; } = null!;

    public IReadOnlyList<LacLine> Lines => _lines;

    public int UpCount { get; private set; }

    public int LinesWaitingToTransmit => _toTransmit.Count;

    /// <summary>Most events told in one go.</summary>
    public int MostEventsAtOnce { get; private set; }

    /// <summary>IP frames that came for a line.</summary>
    public long DataFrames { get; private set; }

    /// <summary>Calls that ended before they were up, since the start.</summary>
    public long FailedCalls { get; private set; }

    /// <summary>What is said of each call.</summary>
    public IncomingCall Call { get; set; } = IncomingCall.Default;

    /// <summary>The tunnel is kept open, and the calls in it.</summary>
    public bool IsWanted { get; private set; } = true;

    public bool HoldsNothing => _tunnel is null && Endpoint.SessionCount == 0 && _ids.Count == 0 && UpCount == 0
        && Endpoint.Tunnels.Count == 0 && NextDeadline == Timestamp.Never;

    public override Timestamp NextDeadline =>
        Timestamp.Min(Endpoint.NextDeadline, Timestamp.Min(_timers.Next, _tunnel is null && IsWanted && _lines.Count > 0 ? _connectAt : Timestamp.Never));

    public override IEnumerable<Tunnel> Tunnels => Endpoint.Tunnels.Where(t => t.Ended is null);

    public string DescribeWhatIsHeld() =>
        $"{Name}: {Endpoint.SessionCount} sessions, {_ids.Count} session IDs, {UpCount} lines up, {Endpoint.Tunnels.Count} tunnels, next deadline {NextDeadline}";

    /// <summary>Adds a line whose call is placed as soon as the tunnel is there.</summary>
    /// <param name="user">The user's name.</param>
    /// <param name="password">The password that it gives.</param>
    /// <param name="call">What the LAC says of the call; null for the least.</param>
    /// <param name="proxied">See <see cref="LacLine.ProxiedLink"/>.</param>
    public LacLine PlaceCall(string user, string password, IncomingCall? call = null, PppLink? proxied = null)
    {
        var line = new LacLine(_lines.Count, user, password) { Call = call ?? Call, ProxiedLink = proxied };
        _lines.Add(line);
        _timers.Set(line.Index, Timestamp.Zero);
        return line;
    }

    /// <summary>Ends a call: by the user's Terminate-Request, or by pulling the plug (a CDN).</summary>
    public void HangUp(LacLine line, bool isOrderly, bool isForGood, Timestamp now)
    {
        line.IsWanted = line.IsWanted && !isForGood;
        if (isOrderly && line.Link is { Phase: not PppPhase.Dead } link)
        {
            link.Close(LinkCloseReason.Administrative, "the user hangs up", now);
            Settle(line, now);
        }
        else
        {
            line.Session?.Close(Disconnect.OfSession(CdnResult.LostCarrier), now);
        }

        if (line is { Session: null, IsWanted: false })
        {
            line.RetryAt = Timestamp.Never;
            _timers.Remove(line.Index);
        }
    }

    public void CloseTunnel(Timestamp now) => _tunnel?.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "maintenance"), now);

    /// <summary>Ends everything for good.</summary>
    public void CloseAll(Timestamp now)
    {
        IsWanted = false;
        foreach (LacLine line in _lines)
        {
            line.IsWanted = false;
            line.RetryAt = Timestamp.Never;
            if (line.Link is null)
            {
                _timers.Remove(line.Index);
            }
        }

        Endpoint.CloseAll(Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "closing"), now);
    }

    /// <summary>The user's end forgets its link and negotiates from the beginning, perhaps as somebody else.</summary>
    public void RenewLink(int index, string user, string password, Timestamp now)
    {
        LacLine line = _lines[index];
        line.User = user;
        line.LinkSettings = LacLine.SettingsOf(user, password);
        if (line.Session is { State: SessionState.Established })
        {
            OpenLink(line, now);
        }
    }

    /// <summary>An IPv4 packet from the user.</summary>
    public void SendIp(SimulatedWorld world, LacLine line, ReadOnlySpan<byte> packet)
    {
        if (line.Session is not { State: SessionState.Established } session)
        {
            return;
        }

        byte[] datagram = new byte[L2tpHeader.MinimumSize + 4 + packet.Length];
        L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, 4 + packet.Length).TryWrite(datagram, out int start);
        ReadOnlySpan<byte> ppp = [0xFF, 0x03, 0x00, 0x21];
        ppp.CopyTo(datagram.AsSpan(start));
        packet.CopyTo(datagram.AsSpan(start + ppp.Length));
        world.Send(At, session.Tunnel.Path.Peer, datagram);
    }

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now)
    {
        if (!L2tpHeader.TryRead(datagram, out L2tpHeader header) || header.IsControl)
        {
            Endpoint.Receive(path, datagram, now);
            return;
        }

        bool isFound = Endpoint.TryFind(header.TunnelId, out Tunnel? tunnel) & tunnel is not null;
        if (!isFound || path.Peer != tunnel!.Path.Peer || !tunnel.TryFindSession(header.SessionId, out Session? session)
            || session.Owner is not LacLine { Link: { } link } line)
        {
            return;
        }

        ReadOnlySpan<byte> frame = datagram[header.PayloadStart..header.PayloadEnd];
        if (frame is [0xFF, 0x03, 0x00, 0x21, ..] or [0x00, 0x21, ..] or [0x21, ..])
        {
            DataFrames++;
            link.NoteDataReceived(now);
            return;
        }

        link.Receive(frame, now);
        Settle(line, now);
    }

    public override void Advance(Timestamp now)
    {
        Endpoint.Advance(now);
        if (_tunnel is null && IsWanted && _lines.Count > 0 && now >= _connectAt)
        {
            Connect(now);
        }

        while (_timers.TryTakeDue(now, out int index))
        {
            LacLine line = _lines[index];
            line.Link?.Advance(now);
            if (line.RetryAt <= now)
            {
                line.RetryAt = Timestamp.Never;
                Place(line, now);
            }

            Settle(line, now);
        }
    }

    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path)
    {
        if (Endpoint.TryTransmit(buffer, out length, out path))
        {
            return true;
        }

        while (_toTransmit.TryPeek(out LacLine? line))
        {
            if (line is { Link: { } link, Session: { State: SessionState.Established } session }
                && link.TryTransmit(buffer[L2tpHeader.MinimumSize..], out int frame))
            {
                L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, frame).TryWrite(buffer, out _);
                length = L2tpHeader.MinimumSize + frame;
                path = session.Tunnel.Path;
                return true;
            }

            _toTransmit.Dequeue().IsQueued = false;
            if (line.IsLinkClosed)
            {
                line.Session?.Close(Disconnect.OfSession(CdnResult.LostCarrier, "PPP has ended"), now);
                if (Endpoint.TryTransmit(buffer, out length, out path))
                {
                    return true;
                }
            }
        }

        return false;
    }

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        int count = 0;
        while (Endpoint.TryNextEvent(out L2tpEvent e))
        {
            count++;
            world.Trace.NoteEvent(Name, e.ToString(), now);
            Watch(e);
            React(e, now);
        }

        MostEventsAtOnce = Math.Max(MostEventsAtOnce, count);
        return count > 0;
    }

    public override void Restart(Timestamp now)
    {
        Start();
        _toTransmit.Clear();
        _ended.Clear();
        ForgetWindows();
        _timers = new DeadlineHeap();
        UpCount = 0;
        _tunnel = null;
        _connectAt = now;
        FailedCalls = 0;
        foreach (LacLine line in _lines)
        {
            line.Forget();
            _timers.Set(line.Index, line.RetryAt);
        }
    }

    public override void Check()
    {
        CheckTunnels();
        int sessions = Tunnels.Sum(t => t.SessionCount);
        Must(_ids.Count == sessions && Endpoint.SessionCount == sessions, $"{_ids.Count} session IDs are taken, but there are {sessions} sessions");
        Must(Endpoint.Counters[L2tpCounter.EventDropped] == 0, "events were lost");
        int up = 0;
        foreach (LacLine line in _lines)
        {
            Must(line.Session is null || line.Session.Tunnel.Ended is null, $"line of {line.User} has a session without a tunnel");
            Must(!line.IsUp || line.Session is { State: SessionState.Established }, $"line of {line.User} is up without a session");
            Must(line.Link is null or { Dropped: 0 } || WasClogged, $"line of {line.User} lost PPP frames before they were sent");
            up += line.IsUp ? 1 : 0;
        }

        Must(up == UpCount, $"{up} lines are up, {UpCount} were counted");
    }

    bool Culvert.L2tp.IPeerPolicy.TryAccept(in TunnelRequest request, out TunnelSettings settings, out Disconnect refusal)
    {
        settings = null!;
        refusal = NoCalls;
        return false;
    }

    private void Start()
    {
        _random = new SeededRandom(_seed + (_lives++ * 1_000_003));
        _ids = new SessionTable(_random);
        Endpoint = new L2tpEndpoint(EndpointLimits.Default, this, _ids, _random);
    }

    private void Connect(Timestamp now)
    {
        _connectAt = now + TimeSpan.FromSeconds(1 + (_random.NextBelow(1000) / 1000.0));
        _ = Endpoint.TryConnect(new UdpPath(default, _lns), _settings, now, out _tunnel);
    }

    private void Place(LacLine line, Timestamp now)
    {
        if (!line.IsWanted || line.Session is not null || _tunnel is not { State: TunnelState.Established } tunnel)
        {
            return; // the tunnel's establishment brings it up again
        }

        if (tunnel.TryPlaceIncomingCall(line.Call, now, out Session? session))
        {
            line.Session = session;
            session.Owner = line;
        }
        else
        {
            Postpone(line, now);
        }
    }

    private void Postpone(LacLine line, Timestamp now)
    {
        double wait = Math.Min(LongestWait, Math.Pow(2, Math.Min(line.Failures++, 6)));
        line.RetryAt = line.IsWanted && IsWanted ? now + TimeSpan.FromSeconds(wait * (0.75 + (_random.NextBelow(500) / 1000.0))) : Timestamp.Never;
        _timers.Set(line.Index, line.NextDeadline);
    }

    private void OpenLink(LacLine line, Timestamp now)
    {
        SetUp(line, false, now);
        line.Link = line.ProxiedLink ?? new PppLink(line.LinkSettings, _random);
        line.ProxiedLink = null;
        line.IsLinkClosed = false;
        line.Link.Open(now); // without effect on one that is open already
        Settle(line, now);
    }

    private void React(in L2tpEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case L2tpEventKind.TunnelEstablished:
                foreach (LacLine line in _lines)
                {
                    Place(line, now);
                }

                break;
            case L2tpEventKind.TunnelClosed when e.Tunnel == _tunnel:
                _tunnel = null;
                _connectAt = now + TimeSpan.FromSeconds(1 + (_random.NextBelow(1000) / 1000.0));
                break;
            case L2tpEventKind.SessionEstablished when e.Session!.Owner is LacLine line:
                OpenLink(line, now);
                break;
            case L2tpEventKind.SessionClosed when e.Session!.Owner is LacLine line:
                FailedCalls += line.IsUp ? 0 : 1;
                SetUp(line, false, now);
                line.Link?.LowerLayerDown("the call has ended", now);
                line.Link = null;
                line.Session = null;
                line.IsLinkClosed = false;
                e.Session.Owner = null;
                Postpone(line, now);
                break;
        }
    }

    private void Settle(LacLine line, Timestamp now)
    {
        while (line.Link is { } link && link.TryNextEvent(out PppLinkEvent e))
        {
            switch (e.Kind)
            {
                case PppLinkEventKind.AuthenticationRequested:
                    link.Decide(Culvert.Ppp.Authentication.AuthenticationVerdict.Reject("not asked"), now);
                    break;
                case PppLinkEventKind.NetworkRequested:
                    link.StartNetwork(IpcpSettings.ForClient, now);
                    break;
                case PppLinkEventKind.NetworkUp:
                    SetUp(line, true, now);
                    break;
                case PppLinkEventKind.NetworkDown:
                    SetUp(line, false, now);
                    break;
                case PppLinkEventKind.Closed:
                    SetUp(line, false, now);
                    line.IsLinkClosed = true;
                    break;
            }
        }

        if (!line.IsQueued && line.Link is not null)
        {
            line.IsQueued = true;
            _toTransmit.Enqueue(line);
        }

        _timers.Set(line.Index, line.NextDeadline);
    }

    private void SetUp(LacLine line, bool isUp, Timestamp now)
    {
        UpCount += isUp == line.IsUp ? 0 : isUp ? 1 : -1;
        line.IsUp = isUp;
        if (isUp)
        {
            line.Failures = 0;
            line.FirstUp = Timestamp.Min(line.FirstUp, now);
        }
    }

    private void Watch(in L2tpEvent e)
    {
        Must(!_ended.Contains(e.Tunnel), $"{e} after its tunnel's end");
        Must(e.Session is null || !_ended.Contains(e.Session), $"{e} after its end");
        if (e.Kind == L2tpEventKind.SessionClosed)
        {
            _ended.Add(e.Session!);
        }
        else if (e.Kind == L2tpEventKind.TunnelClosed)
        {
            _ended.Add(e.Tunnel);
        }
    }
}
