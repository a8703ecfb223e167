using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Outgoing;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers;

/// <summary>
/// What one shard does apart from forwarding: all its tunnels, links, users and addresses, behind the face that every engine has.
/// L2TP and PPP meet here. Nothing in it does I/O or reads a clock; what it needs from outside it asks for by an event.
/// </summary>
public sealed partial class AccessNode
{
    /// <summary>Events are drained after every call; one call into the node causes a handful, a reload or a flap one per session.</summary>
    private const int MostEvents = 1 << 18;

    /// <summary>
    /// How often it is noticed that a session carries data: often enough that HELLOs and echoes stay away from busy peers. By so much later
    /// are idle sessions ended, and dead ones found.
    /// </summary>
    private static readonly TimeSpan ActivityInterval = TimeSpan.FromSeconds(15);

    /// <summary>Refusals told in a second: an operator needs a few to see who it is, and a flood must not fill the log.</summary>
    private const int RefusalsToldPerSecond = 5;

    private readonly L2tpEndpoint _l2tp;
    private readonly ControlGate _controlGate;
    private readonly AccessPolicy _policy;
    private readonly LnsRole _lns;
    private readonly DialRole _dials;
    private readonly OutgoingCalls _outgoing;
    private readonly PeerTallies _tallies;
    private readonly AuthenticationGate _gate;
    private readonly SubscriberSet _subscribers = new();
    private readonly Queue<Subscriber> _closing = new();
    private readonly Queue<L2tpEvent> _ended = new();
    private int _clearedInTurn;
    private (Disconnect? Why, string Text) _lastEnd = (null, "");
    private Timestamp _refusalsSince;
    private int _refusals;
    private Timestamp _now;
    private readonly BoundedQueue<NodeEvent> _events = new(MostEvents);

    /// <param name="settings">What the operator decided.</param>
    /// <param name="sessions">The shard's session table; it hands out the session IDs.</param>
    /// <param name="routes">Where destination addresses lead.</param>
    /// <param name="paths">What is known of the way to a peer.</param>
    /// <param name="random">Unpredictable in a node, seeded in a simulation.</param>
    /// <param name="handlers">Who places calls for LNSes, besides the loopback.</param>
    public AccessNode(
        NodeSettings settings, SessionTable sessions, RouteTable routes, IPathMtu paths, IRandomSource random,
        params IEnumerable<IOutgoingCallHandler> handlers)
    {
        Random = random;
        _policy = new AccessPolicy(settings, TellRefusal);
        Plane = new Plane(sessions, routes, paths, DataPolicyOf);
        _lns = new LnsRole(this, _policy);
        _dials = new DialRole(this);
        _outgoing = new OutgoingCalls(this, handlers.Prepend(new LoopbackHandler(random)));
        _l2tp = new L2tpEndpoint(EngineSettings.Of(settings.Limits), _policy, sessions, random);
        _tallies = new PeerTallies(_l2tp.Counters);
        _gate = new AuthenticationGate(_l2tp, settings.Limits.AuthenticationsInFlight);
        _controlGate = new ControlGate(ControlGateLimits.Default, random);
    }

    public Timestamp NextDeadline => _controlGate.Waiting > 0 || _ended.Count > 0
        ? _now
        : Timestamp.Min(
            Timestamp.Min(Timestamp.Min(_l2tp.NextDeadline, _l2tp.NextReport), _outgoing.NextDeadline),
            Timestamp.Min(_subscribers.NextDeadline, _dials.NextDeadline));

    /// <summary>Tunnels that have not ended.</summary>
    public IEnumerable<Tunnel> Tunnels => _l2tp.Tunnels.Where(t => t.Ended is null);

    /// <summary>Whether there is a tunnel with a peer at this address. Costs the same however many there are.</summary>
    public bool Knows(in IpAddress peer) => _l2tp.Knows(peer);

    /// <summary>Nothing is up, and every peer knows it.</summary>
    public bool IsAtRest => _ended.Count == 0 && _l2tp.Tunnels.All(t => t.Ended is not null && t.IsEverythingAcknowledged);

    /// <summary>Sessions that have ended and are still to be cleared away, some in each turn.</summary>
    public int SessionsToClear => _ended.Count(e => e.Kind == L2tpEventKind.SessionClosed);

    public IReadOnlyCollection<AddressPool> Pools => _policy.Pools;

    public IEnumerable<Dial> Dials => _dials.Dials;

    /// <summary>Calls that this node places for LNSes.</summary>
    public IReadOnlyCollection<OutgoingLine> OutgoingLines => _outgoing.Lines;

    /// <summary>All sessions, in either role.</summary>
    public int SessionCount => _subscribers.Count + _outgoing.Lines.Count;

    /// <summary>Users whose identity is being judged by somebody who takes his time.</summary>
    public int AuthenticationsInFlight => _gate.InFlight;

    /// <summary>
    /// Asked before a user is judged: true takes the request away, to be given back through <see cref="Judge"/> once what was waited for
    /// (an answer from elsewhere) is there. Null: everybody is judged at once.
    /// </summary>
    public Func<Subscriber, AuthenticationRequest, bool>? HoldAuthentication { get; set; }

    public L2tpCounters L2tpCounters => _l2tp.Counters;

    /// <summary>What control messages had to wait or were dropped, so that no peer starves another.</summary>
    public ControlGate ControlGate => _controlGate;

    /// <summary>Sessions whose call is not established yet.</summary>
    public int SessionsBeingSetUp => _l2tp.SessionsBeingSetUp;

    /// <summary>Sessions that have PPP frames to send.</summary>
    public int SessionsWaitingToTransmit => _subscribers.WaitingToTransmit;

    /// <summary>The rule under which a tunnel was accepted, or the connection that it was dialled for.</summary>
    public string RuleName(Tunnel tunnel) => PolicyOf(tunnel)?.Name ?? "";

    /// <summary>What was refused to peers, by their address.</summary>
    public IReadOnlyDictionary<IpAddress, PeerTally> PeerTallies => _tallies.All;

    /// <summary>Events that were lost because nobody took the earlier ones.</summary>
    public long EventsLost => _events.Refused;

    internal IRandomSource Random { get; }

    /// <summary>The rule or the dialled connection by whose settings a tunnel is run.</summary>
    internal TunnelPolicy? PolicyOf(Tunnel tunnel) => tunnel.Owner is Dial dial ? dial.Settings : _policy.RuleOf(tunnel);

    internal Plane Plane { get; }

    /// <summary>A datagram with the T bit set.</summary>
    public void ReceiveControl(in UdpPath path, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        _now = now;
        if (_controlGate.TryAdmit(path, datagram, _l2tp.IsOfEstablished(path, datagram)))
        {
            Take(path, datagram, now);
        }
    }

    private void Take(in UdpPath path, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        _l2tp.Receive(path, datagram, now);
        _tallies.Note(path.Peer.Address);
        HandleL2tpEvents(now);
    }

    /// <summary>A PPP frame other than IP, as the data plane found it in a session of ours.</summary>
    public void ReceivePpp(SessionKey key, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (!TryFind(key, out Subscriber? subscriber))
        {
            ReceiveForLine(key, frame, now);
            return;
        }

        if (subscriber.Session.State != SessionState.Established)
        {
            // Data may overtake ICCN on its way: keep a few, in order.
            if (frame.Length <= Subscriber.LargestEarlyFrame)
            {
                subscriber.EarlyFrames ??= new BoundedQueue<byte[]>(Subscriber.MostEarlyFrames);
                _ = subscriber.EarlyFrames.TryEnqueue(frame.ToArray());
            }

            return;
        }

        subscriber.Link.Receive(frame, now);
        Settle(subscriber, now);

        // A frame can end another session: the one whose fixed address this user takes over.
        HandleL2tpEvents(now);
    }

    public void Advance(Timestamp now)
    {
        // Called once in every turn of the loop. What waited because its peer had its share comes before what the next turn brings.
        _controlGate.BeginTurn();
        while (_controlGate.TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram))
        {
            Take(path, datagram, now);
        }

        ClearEnded(now);
        while (_subscribers.TryTakeDue(now, out Subscriber subscriber))
        {
            if (subscriber.Session.Ended is null)
            {
                CheckActivity(subscriber, now);
                subscriber.Link.Advance(now);
                Settle(subscriber, now);
            }
        }

        _l2tp.Advance(now);
        _outgoing.Advance(now);
        HandleL2tpEvents(now);
        _dials.Advance(now);
    }

    /// <summary>The next datagram to send: control messages first, then PPP frames in their data messages.</summary>
    /// <param name="trafficClass">DSCP and ECN for its packet.</param>
    public bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path, out byte trafficClass)
    {
        if (TryTransmitControl(buffer, out length, out path, out trafficClass) || TryTransmitAnswer(buffer, out length, out path, out trafficClass))
        {
            return true;
        }

        while (_subscribers.TryPeekToTransmit(out Subscriber subscriber))
        {
            if (TryTransmitPpp(subscriber, buffer, out length, out trafficClass))
            {
                path = subscriber.Tunnel.Path;
                if (subscriber.Link.HasFrames)
                {
                    // One frame of each in turn: sessions that come up together then send frames of one size one after the other, which
                    // the kernel takes as one piece.
                    _subscribers.RotateToTransmit();
                }

                return true;
            }

            _subscribers.DropFromTransmit();
            if (subscriber.IsLinkClosed)
            {
                // Its last words are out, the answer to a Terminate-Request among them: now the session may go.
                subscriber.Session.Close(Disconnects.SessionClosed(subscriber.EndReason ?? "", subscriber.EndCause), now);

                // The CDN says why in a way that a StopCCN cannot, so it goes before whatever follows from the session's end.
                bool isSaid = TryTransmitControl(buffer, out length, out path, out trafficClass);
                HandleL2tpEvents(now);
                if (isSaid || TryTransmitControl(buffer, out length, out path, out trafficClass))
                {
                    return true;
                }
            }
        }

        return TryTransmitForLines(buffer, now, out length, out path, out trafficClass);
    }

    public bool TryNextEvent(out NodeEvent e) => _events.TryDequeue(out e);

    internal void TellAuthenticationFailed(Subscriber subscriber, string userName, string text)
    {
        _tallies.NoteUserRejected(subscriber.Tunnel.Path.Peer.Address);
        _ = _events.TryEnqueue(new NodeEvent(NodeEventKind.AuthenticationFailed, text, subscriber.Tunnel, subscriber, null, userName));
    }

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

    private void ReceiveForLine(SessionKey key, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (TryFindLine(key, out OutgoingLine? line) && line.Session.State == SessionState.Established)
        {
            line.Handler.OnFrame(line, frame, now);
            HandleL2tpEvents(now);
        }
    }

    private bool TryTransmitForLines(Span<byte> buffer, Timestamp now, out int length, out UdpPath path, out byte trafficClass)
    {
        if (_outgoing.TryTransmit(buffer, now, out length, out path, out trafficClass))
        {
            return true;
        }

        // A line that was hung up may have closed its session just now.
        HandleL2tpEvents(now);
        return TryTransmitControl(buffer, out length, out path, out trafficClass);
    }

    private bool TryFind(SessionKey key, [NotNullWhen(true)] out Subscriber? subscriber)
    {
        subscriber = OwnerOf(key) as Subscriber;
        return subscriber is not null;
    }

    private bool TryFindLine(SessionKey key, [NotNullWhen(true)] out OutgoingLine? line)
    {
        line = OwnerOf(key) as OutgoingLine;
        return line is not null;
    }

    private object? OwnerOf(SessionKey key) =>
        _l2tp.TryFind(key.LocalTunnelId, out Tunnel? tunnel) && tunnel.TryFindSession(key.LocalSessionId, out Session? session)
            ? session.Owner
            : null;

    internal List<Subscriber> AllSubscribers()
    {
        var all = new List<Subscriber>(_subscribers.Count);
        _subscribers.Page(0, int.MaxValue, all);
        return all;
    }
}
