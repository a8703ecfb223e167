using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers;

/// <summary>
/// What one shard does apart from forwarding: all its tunnels, links, users and addresses, behind the face that every engine has.
/// L2TP and PPP meet here. Nothing in it does I/O or reads a clock; what it needs from outside it asks for by an event.
/// </summary>
public sealed class AccessNode
{
    /// <summary>Events are drained after every call; one call into the node causes a handful, a reload or a flap one per session.</summary>
    private const int MostEvents = 1 << 18;

    /// <summary>How often it is noticed that a session carries data: often enough that HELLOs and echoes stay away from busy peers.</summary>
    private static readonly TimeSpan ActivityInterval = TimeSpan.FromSeconds(15);

    /// <summary>Refusals told in a second: an operator needs a few to see who it is, and a flood must not fill the log.</summary>
    private const int RefusalsToldPerSecond = 5;

    private readonly L2tpEndpoint _l2tp;
    private readonly AccessPolicy _policy;
    private readonly LnsRole _lns;
    private readonly DialRole _dials;
    private readonly SubscriberSet _subscribers = new();
    private readonly Queue<Subscriber> _closing = new();
    private Timestamp _refusalsSince;
    private int _refusals;
    private Timestamp _now;
    private readonly BoundedQueue<NodeEvent> _events = new(MostEvents);

    /// <param name="settings">What the operator decided.</param>
    /// <param name="sessions">The shard's session table; it hands out the session IDs.</param>
    /// <param name="routes">Where destination addresses lead.</param>
    /// <param name="paths">What is known of the way to a peer.</param>
    /// <param name="random">Unpredictable in a node, seeded in a simulation.</param>
    public AccessNode(NodeSettings settings, SessionTable sessions, RouteTable routes, IPathMtu paths, IRandomSource random)
    {
        Random = random;
        _policy = new AccessPolicy(settings, TellRefusal);
        Plane = new Plane(sessions, routes, paths);
        _lns = new LnsRole(this, _policy);
        _dials = new DialRole(this);
        var limits = EndpointLimits.Default with
        {
            MaxTunnels = settings.Limits.Tunnels,
            MaxSessions = settings.Limits.Sessions,
            MaxHalfOpenTunnels = settings.Limits.HalfOpenTunnels,
            MaxHalfOpenTunnelsPerPeer = settings.Limits.HalfOpenTunnelsPerPeer,
            MaxHalfOpenSessions = settings.Limits.HalfOpenSessions,
        };
        _l2tp = new L2tpEndpoint(limits, _policy, sessions, random);
    }

    public Timestamp NextDeadline =>
        Timestamp.Min(_l2tp.NextDeadline, Timestamp.Min(_subscribers.NextDeadline, _dials.NextDeadline));

    /// <summary>Tunnels that have not ended.</summary>
    public IEnumerable<Tunnel> Tunnels => _l2tp.Tunnels.Where(t => t.Ended is null);

    /// <summary>Nothing is up, and every peer knows it.</summary>
    public bool IsAtRest => _l2tp.Tunnels.All(t => t.Ended is not null && t.IsEverythingAcknowledged);

    public IReadOnlyCollection<AddressPool> Pools => _policy.Pools;

    public IEnumerable<Dial> Dials => _dials.Dials;

    public int SessionCount => _subscribers.Count;

    public L2tpCounters L2tpCounters => _l2tp.Counters;

    /// <summary>Sessions whose call is not established yet.</summary>
    public int SessionsBeingSetUp => _l2tp.SessionsBeingSetUp;

    /// <summary>Sessions that have PPP frames to send.</summary>
    public int SessionsWaitingToTransmit => _subscribers.WaitingToTransmit;

    /// <summary>The rule under which a tunnel was accepted, or the connection that it was dialled for.</summary>
    public string RuleName(Tunnel tunnel) => tunnel.Owner is Dial dial ? dial.Settings.Name : _policy.RuleOf(tunnel)?.Name ?? "";

    /// <summary>Events that were lost because nobody took the earlier ones.</summary>
    public long EventsLost => _events.Refused;

    internal IRandomSource Random { get; }

    internal Plane Plane { get; }

    /// <summary>A datagram with the T bit set.</summary>
    public void ReceiveControl(in UdpPath path, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        _now = now;
        _l2tp.Receive(path, datagram, now);
        HandleL2tpEvents(now);
    }

    /// <summary>A PPP frame other than IP, as the data plane found it in a session of ours.</summary>
    public void ReceivePpp(SessionKey key, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (!TryFind(key, out Subscriber? subscriber))
        {
            return;
        }

        if (subscriber.Session.State != SessionState.Established)
        {
            // Data may overtake ICCN; see PEERS: keep a few, in order.
            subscriber.EarlyFrames ??= new BoundedQueue<byte[]>(Subscriber.MostEarlyFrames);
            _ = subscriber.EarlyFrames.TryEnqueue(frame.ToArray());
            return;
        }

        subscriber.Link.Receive(frame, now);
        Settle(subscriber, now);

        // A frame can end another session: the one whose fixed address this user takes over.
        HandleL2tpEvents(now);
    }

    public void Advance(Timestamp now)
    {
        while (_subscribers.TryTakeDue(now, out Subscriber subscriber))
        {
            CheckActivity(subscriber, now);
            subscriber.Link.Advance(now);
            Settle(subscriber, now);
        }

        _l2tp.Advance(now);
        HandleL2tpEvents(now);
        _dials.Advance(now);
    }

    /// <summary>The next datagram to send: control messages first, then PPP frames in their data messages.</summary>
    public bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path)
    {
        if (_l2tp.TryTransmit(buffer, out length, out path))
        {
            return true;
        }

        while (_subscribers.TryPeekToTransmit(out Subscriber subscriber))
        {
            if (TryTransmitPpp(subscriber, buffer, out length))
            {
                path = subscriber.Tunnel.Path;
                return true;
            }

            _subscribers.DropFromTransmit();
            if (subscriber.IsLinkClosed)
            {
                // Its last words are out, the answer to a Terminate-Request among them: now the session may go.
                subscriber.Session.Close(Disconnects.SessionClosed(subscriber.EndReason ?? ""), now);
                HandleL2tpEvents(now);
                if (_l2tp.TryTransmit(buffer, out length, out path))
                {
                    return true;
                }
            }
        }

        return false;
    }

    public bool TryNextEvent(out NodeEvent e) => _events.TryDequeue(out e);

    /// <summary>Replaces the settings: for new tunnels and sessions. Limits keep their values until the node starts again.</summary>
    public void Apply(NodeSettings settings)
    {
        _policy.Apply(settings);
        _lns.ForgetSettings();
        MoveAddressesToNewPools();
    }

    /// <summary>Opens a connection and keeps it open.</summary>
    public Dial StartDial(DialSettings settings) => _dials.Start(settings, _policy.Settings.NodeName);

    public void StopDial(Dial dial, string reason, Timestamp now)
    {
        _dials.Stop(dial, reason, Disconnects.TunnelClosed(reason), now);
        HandleL2tpEvents(now);
    }

    /// <summary>The answer to <see cref="NodeEventKind.DialResolve"/>: where to try, in order; <paramref name="problem"/> says why there is nothing.</summary>
    public void ResolveDial(Dial dial, IReadOnlyList<PeerEndpoint> candidates, string problem, Timestamp now)
    {
        _dials.Resolved(dial, candidates, problem, now);
        HandleL2tpEvents(now);
    }

    /// <summary>The way to a peer takes larger or smaller packets than before.</summary>
    public void OnPathMtuChanged(IpAddress peer)
    {
        var page = new List<Subscriber>();
        int next = _subscribers.Page(0, int.MaxValue, page);
        System.Diagnostics.Debug.Assert(next < 0);
        foreach (Subscriber subscriber in page)
        {
            if (subscriber.Tunnel.Path.Peer.Address == peer && subscriber.IsUp)
            {
                Plane.Update(subscriber);
                if (subscriber.Tunnel.Owner is Dial dial)
                {
                    Tell(NodeEventKind.DialMtuChanged, $"MTU {subscriber.Mtu}", subscriber, dial);
                }
            }
        }
    }

    /// <summary>Ends a tunnel and everything in it; false when there is no such tunnel.</summary>
    public bool CloseTunnel(ushort localTunnelId, string reason, Timestamp now)
    {
        if (!_l2tp.TryFind(localTunnelId, out Tunnel? tunnel) || tunnel.Ended is not null)
        {
            return false;
        }

        tunnel.Close(Disconnects.TunnelClosed(reason), now);
        HandleL2tpEvents(now);
        return true;
    }

    /// <summary>Ends a session, PPP first so that the user's end hears why; false when there is no such session.</summary>
    public bool CloseSession(SessionKey key, string reason, Timestamp now)
    {
        if (!TryFind(key, out Subscriber? subscriber))
        {
            return false;
        }

        Close(subscriber, reason, now);
        HandleL2tpEvents(now);
        return true;
    }

    /// <summary>Ends all sessions of a user and says how many.</summary>
    public int CloseUser(string name, string reason, Timestamp now)
    {
        List<Subscriber> all = AllSubscribers();
        all.RemoveAll(s => s.UserName != name);
        foreach (Subscriber subscriber in all)
        {
            Close(subscriber, reason, now);
        }

        HandleL2tpEvents(now);
        return all.Count;
    }

    /// <summary>The end of the node: StopCCN to every peer. Go on until <see cref="IsAtRest"/>, or long enough.</summary>
    public void CloseAll(string reason, Timestamp now)
    {
        foreach (Dial dial in _dials.Dials.ToArray())
        {
            _dials.Stop(dial, reason, Disconnects.ShuttingDown(reason), now);
        }

        _l2tp.CloseAll(Disconnects.ShuttingDown(reason), now);
        HandleL2tpEvents(now);
    }

    /// <summary>A page of sessions; the index to go on with, or -1 after the last.</summary>
    public int PageOfSubscribers(int first, int most, ICollection<Subscriber> page) => _subscribers.Page(first, most, page);

    /// <summary>What is remembered of the tunnels that have or lately had an ID, the latest first.</summary>
    public IReadOnlyList<LifeStory> ExplainTunnel(ushort localTunnelId, Timestamp now)
    {
        var lives = new List<LifeStory>();
        if (_l2tp.TryFind(localTunnelId, out Tunnel? tunnel) && tunnel.Ended is null)
        {
            lives.Add(new LifeStory($"{localTunnelId}", tunnel.ToString(), null, [.. tunnel.History.Lines(now)]));
        }

        lives.AddRange(_l2tp.EndedTunnels.Where(e => e.LocalTunnelId == localTunnelId).Select(e => Story($"{localTunnelId}", e, now)));
        return lives;
    }

    /// <summary>What is remembered of the sessions that have or lately had an ID, the latest first.</summary>
    public IReadOnlyList<LifeStory> ExplainSession(SessionKey key, Timestamp now)
    {
        var lives = new List<LifeStory>();
        if (TryFind(key, out Subscriber? subscriber))
        {
            string ppp = $"PPP: {subscriber.Link}";
            lives.Add(new LifeStory(key.ToString(), subscriber.ToString(), null, [.. subscriber.Session.History.Lines(now), ppp]));
        }

        lives.AddRange(_l2tp.EndedSessions
            .Where(e => new SessionKey(e.LocalTunnelId, e.LocalSessionId) == key)
            .Select(e => Story(key.ToString(), e, now)));
        return lives;
    }

    /// <summary>Counters of a session that is up.</summary>
    public SessionCounters CountersOf(Subscriber subscriber) =>
        Plane.TryReadCounters(subscriber, out SessionCounters counters) ? counters : subscriber.LastCounters;

    internal void Tell(NodeEventKind kind, string text, Subscriber? subscriber, Dial? dial = null, Tunnel? tunnel = null) =>
        _ = _events.TryEnqueue(new NodeEvent(kind, text, tunnel ?? subscriber?.Tunnel ?? dial?.Tunnel, subscriber, dial));

    internal int ReceiveMtu(Tunnel tunnel) => Plane.ReceiveMtu(tunnel);

    internal bool TryConnect(in UdpPath path, TunnelSettings settings, Timestamp now, out Tunnel? tunnel) =>
        _l2tp.TryConnect(path, settings, now, out tunnel);

    internal Subscriber AddSubscriber(Session session, ISessionRole role, PppLink link, Timestamp now)
    {
        Subscriber subscriber = _subscribers.Add(session, role, link, now);
        session.Owner = subscriber;
        return subscriber;
    }

    /// <summary>Ends a session without waiting for PPP: what it held is already somebody else's.</summary>
    internal void CloseNow(Subscriber subscriber, string reason)
    {
        subscriber.EndReason ??= reason;
        _closing.Enqueue(subscriber);
    }

    private static LifeStory Story(string id, EndedRecord ended, Timestamp now)
    {
        string name = ended.PeerHostName.Length == 0 ? "peer" : ended.PeerHostName;
        string lived = ended.EstablishedAt == Timestamp.Never
            ? "never established"
            : $"after {(ended.EndedAt - ended.EstablishedAt).TotalSeconds:0.0} s";
        return new LifeStory(
            id,
            $"{(ended.LocalSessionId == 0 ? "tunnel" : "session")} {id} with {name} at {ended.Peer}",
            $"{(now - ended.EndedAt).TotalSeconds:0.0} s ago, {lived}: {ended.Why}",
            [.. ended.History.Lines(now)]);
    }

    private void TellRefusal(PeerEndpoint peer, string hostName)
    {
        if (_now - _refusalsSince >= TimeSpan.FromSeconds(1))
        {
            if (_refusals > RefusalsToldPerSecond)
            {
                Tell(NodeEventKind.PeerRefused, $"{_refusals - RefusalsToldPerSecond} more SCCRQs were refused in that second", null);
            }

            _refusalsSince = _now;
            _refusals = 0;
        }

        if (++_refusals <= RefusalsToldPerSecond)
        {
            Tell(NodeEventKind.PeerRefused, $"tunnel from {peer} refused: no entry of 'peers' fits host name '{hostName}'", null);
        }
    }

    private void Close(Subscriber subscriber, string reason, Timestamp now)
    {
        subscriber.EndReason ??= reason;
        if (subscriber.Link.Phase == PppPhase.Dead)
        {
            subscriber.Session.Close(Disconnects.SessionClosed(reason), now);
            return;
        }

        subscriber.Link.Close(LinkCloseReason.Administrative, reason, now);
        Settle(subscriber, now);
    }

    private bool TryFind(SessionKey key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Subscriber? subscriber)
    {
        subscriber = _l2tp.TryFind(key.LocalTunnelId, out Tunnel? tunnel) && tunnel.TryFindSession(key.LocalSessionId, out Session? session)
            ? session.Owner as Subscriber
            : null;
        return subscriber is not null;
    }

    internal List<Subscriber> AllSubscribers()
    {
        var all = new List<Subscriber>(_subscribers.Count);
        _subscribers.Page(0, int.MaxValue, all);
        return all;
    }

    private static bool TryTransmitPpp(Subscriber subscriber, Span<byte> buffer, out int length)
    {
        Session session = subscriber.Session;
        length = 0;
        if (session.State != SessionState.Established || !subscriber.Link.TryTransmit(buffer[L2tpHeader.MinimumSize..], out int frameLength))
        {
            return false;
        }

        L2tpHeader header = L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, frameLength);
        length = L2tpHeader.MinimumSize + frameLength;
        return header.TryWrite(buffer, out _);
    }

    private void HandleL2tpEvents(Timestamp now)
    {
        while (true)
        {
            if (_l2tp.TryNextEvent(out L2tpEvent e))
            {
                Handle(e, now);
            }
            else if (_closing.TryDequeue(out Subscriber? subscriber))
            {
                subscriber.Session.Close(Disconnects.SessionClosed(subscriber.EndReason ?? ""), now);
            }
            else
            {
                return;
            }
        }
    }

    private void Handle(in L2tpEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case L2tpEventKind.TunnelEstablished:
                Tell(NodeEventKind.TunnelUp, "established", null, null, e.Tunnel);
                if (e.Tunnel.Owner is Dial dial)
                {
                    _dials.OnTunnelEstablished(dial, e.Tunnel, now);
                }

                break;
            case L2tpEventKind.TunnelClosed:
                string reason = e.Disconnect?.ToString() ?? "closed";
                Tell(NodeEventKind.TunnelDown, reason, null, null, e.Tunnel);
                if (e.Tunnel.Owner is Dial dialled)
                {
                    _dials.OnTunnelClosed(dialled, e.Tunnel, reason, now);
                }

                break;
            case L2tpEventKind.CallOffered:
                _lns.OnCallOffered(e.Session!, now);
                break;
            case L2tpEventKind.SessionEstablished when e.Session!.Owner is Subscriber subscriber:
                OnSessionEstablished(subscriber, now);
                break;
            case L2tpEventKind.SessionClosed when e.Session!.Owner is Subscriber subscriber:
                OnSessionClosed(subscriber, e.Disconnect?.ToString() ?? "closed", now);
                break;
            case L2tpEventKind.Notice:
                Tell(NodeEventKind.Notice, NoticeText.Of(e.Notice), null, null, e.Tunnel);
                break;
        }
    }

    private void OnSessionEstablished(Subscriber subscriber, Timestamp now)
    {
        if (subscriber.Role is DialRole && !Plane.TryInstall(subscriber))
        {
            subscriber.EndReason = "the session table is full";
            CloseNow(subscriber, subscriber.EndReason);
            return;
        }

        // PPP begins anew here, so what the LAC learned from the user, a password perhaps, is not kept.
        subscriber.Session.ForgetProxy();
        Plane.Update(subscriber);
        subscriber.Link.Open(now);
        while (subscriber.EarlyFrames?.TryDequeue(out byte[] frame) == true)
        {
            subscriber.Link.Receive(frame, now);
        }

        subscriber.EarlyFrames = null;
        Settle(subscriber, now);
    }

    private void OnSessionClosed(Subscriber subscriber, string reason, Timestamp now)
    {
        subscriber.Link.LowerLayerDown(reason, now);
        if (subscriber.IsUp)
        {
            subscriber.IsUp = false;
            subscriber.Role.OnNetworkDown(subscriber, now);
        }

        Plane.Remove(subscriber);
        string why = subscriber.EndReason ?? reason;
        Tell(NodeEventKind.SessionDown, why, subscriber);
        subscriber.Role.OnEnded(subscriber, why, now);
        _subscribers.Remove(subscriber);
        subscriber.Session.Owner = null;
    }

    /// <summary>After every call into a link: what it tells, what it wants to send, when it wants to be woken.</summary>
    private void Settle(Subscriber subscriber, Timestamp now)
    {
        while (subscriber.Link.TryNextEvent(out PppLinkEvent e))
        {
            Handle(subscriber, e, now);
        }

        if (subscriber.Session.Owner is null)
        {
            return;
        }

        _subscribers.QueueToTransmit(subscriber);
        Timestamp next = Timestamp.Min(subscriber.Link.NextDeadline, Timestamp.Min(subscriber.NextActivityCheck, subscriber.MustEndAt));
        _subscribers.SetDeadline(subscriber, next);
    }

    private void Handle(Subscriber subscriber, in PppLinkEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case PppLinkEventKind.AuthenticationRequested:
                subscriber.Role.OnAuthenticationRequested(subscriber, e.Request!, now);
                break;
            case PppLinkEventKind.NetworkRequested:
                subscriber.Role.OnNetworkRequested(subscriber, now);
                break;
            case PppLinkEventKind.NetworkUp:
                subscriber.IsUp = true;
                subscriber.LastActivity = now;
                // Spread over the interval, so that sessions that came up together are not looked at together.
                subscriber.NextActivityCheck = now + (ActivityInterval * (1 + (Random.NextBelow(1000) / 1000.0)) / 2);
                Plane.Update(subscriber);
                subscriber.Role.OnNetworkUp(subscriber, e.Ipcp!, now);
                break;
            case PppLinkEventKind.NetworkDown when subscriber.IsUp:
                subscriber.IsUp = false;
                subscriber.NextActivityCheck = Timestamp.Never;
                Plane.Update(subscriber);
                subscriber.Role.OnNetworkDown(subscriber, now);
                break;
            case PppLinkEventKind.Identification:
                Tell(NodeEventKind.Detail, $"identifies itself as '{e.Text}'", subscriber);
                break;
            case PppLinkEventKind.Closed:
                subscriber.EndReason ??= e.Text;
                subscriber.IsLinkClosed = true;
                break;
        }
    }

    /// <summary>Data proves that a peer lives: links and tunnels that carry some need no echo and no HELLO. Also ends idle sessions.</summary>
    private void CheckActivity(Subscriber subscriber, Timestamp now)
    {
        if (now >= subscriber.MustEndAt)
        {
            subscriber.MustEndAt = Timestamp.Never;
            Close(subscriber, "session timeout", now);
        }

        if (now < subscriber.NextActivityCheck)
        {
            return;
        }

        // In any case, or a check that cannot be made would be due for ever.
        subscriber.NextActivityCheck = now + ActivityInterval;
        if (!Plane.TryReadCounters(subscriber, out SessionCounters counters))
        {
            return;
        }

        SessionCounters before = subscriber.LastCounters;
        subscriber.LastCounters = counters;
        if (counters.PacketsReceived != before.PacketsReceived)
        {
            subscriber.Link.NoteDataReceived(now);
            subscriber.Tunnel.NoteDataReceived(now);
        }

        TimeSpan idle = subscriber.Role.IdleTimeout(subscriber);
        if (counters.PacketsReceived != before.PacketsReceived || counters.PacketsSent != before.PacketsSent)
        {
            subscriber.LastActivity = now;
        }
        else if (idle > TimeSpan.Zero && now - subscriber.LastActivity >= idle)
        {
            Close(subscriber, "idle timeout", now);
        }
    }

    private void MoveAddressesToNewPools()
    {
        foreach (Subscriber subscriber in AllSubscribers())
        {
            // Also an address that no pool held so far: a fixed one, which a new pool must not give to somebody else.
            if (subscriber.HoldsAddress && (subscriber.Pool is not { } old || !_policy.Pools.Contains(old)))
            {
                AddressPool? pool = _policy.PoolOf(subscriber.PeerAddress);
                subscriber.Pool = pool?.TryTakeExactly(subscriber.PeerAddress, subscriber.UserName) == true ? pool : null;
            }
        }
    }
}
