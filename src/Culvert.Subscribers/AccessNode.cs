using System.Diagnostics.CodeAnalysis;
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
public sealed partial class AccessNode
{
    /// <summary>Events are drained after every call; one call into the node causes a handful, a reload or a flap one per session.</summary>
    private const int MostEvents = 1 << 18;

    /// <summary>How often it is noticed that a session carries data: often enough that HELLOs and echoes stay away from busy peers.</summary>
    private static readonly TimeSpan ActivityInterval = TimeSpan.FromSeconds(15);

    /// <summary>Refusals told in a second: an operator needs a few to see who it is, and a flood must not fill the log.</summary>
    private const int RefusalsToldPerSecond = 5;

    private readonly L2tpEndpoint _l2tp;
    private readonly ControlGate _gate;
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
        _gate = new ControlGate(ControlGateLimits.Default, random);
    }

    public Timestamp NextDeadline => _gate.Waiting > 0
        ? _now
        : Timestamp.Min(
            Timestamp.Min(_l2tp.NextDeadline, _l2tp.NextReport), Timestamp.Min(_subscribers.NextDeadline, _dials.NextDeadline));

    /// <summary>Tunnels that have not ended.</summary>
    public IEnumerable<Tunnel> Tunnels => _l2tp.Tunnels.Where(t => t.Ended is null);

    /// <summary>Nothing is up, and every peer knows it.</summary>
    public bool IsAtRest => _l2tp.Tunnels.All(t => t.Ended is not null && t.IsEverythingAcknowledged);

    public IReadOnlyCollection<AddressPool> Pools => _policy.Pools;

    public IEnumerable<Dial> Dials => _dials.Dials;

    public int SessionCount => _subscribers.Count;

    public L2tpCounters L2tpCounters => _l2tp.Counters;

    /// <summary>What control messages had to wait or were dropped, so that no peer starves another.</summary>
    public ControlGate ControlGate => _gate;

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
        if (_gate.TryAdmit(path, datagram, _l2tp.IsOfEstablished(path, datagram)))
        {
            _l2tp.Receive(path, datagram, now);
            HandleL2tpEvents(now);
        }
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
            // Data may overtake ICCN on its way: keep a few, in order.
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
        // Called once in every turn of the loop. What waited because its peer had its share comes before what the next turn brings.
        _gate.BeginTurn();
        while (_gate.TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram))
        {
            _l2tp.Receive(path, datagram, now);
            HandleL2tpEvents(now);
        }

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

    private bool TryFind(SessionKey key, [NotNullWhen(true)] out Subscriber? subscriber)
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
}
