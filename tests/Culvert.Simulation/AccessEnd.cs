using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;

namespace Culvert.Simulation;

/// <summary>
/// A node as a shard runs it, without its sockets: an access node with its data plane. An LNS, a node that dials, or both. Watches
/// what the node tells: one end for everything that began, nothing after it.
/// </summary>
public sealed class AccessEnd : SimulatedEnd
{
    private readonly ulong _seed;
    private readonly Func<ulong, IRandomSource> _makeRandom;
    private readonly HashSet<object> _ended = new(ReferenceEqualityComparer.Instance);
    private readonly List<(UdpPath Path, byte[] Frame)> _outgoing = [];
    private readonly List<NodeEvent> _events = [];
    private readonly List<(SessionKey Session, byte[] Packet)> _delivered = [];
    private readonly byte[] _tunBuffer = new byte[4096];
    private readonly byte[] _scratch = new byte[1 << 17];
    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];
    private ulong _lives;

    public AccessEnd(string name, PeerEndpoint at, NodeSettings settings, ulong seed, int pathMtu = 1500, Func<ulong, IRandomSource>? random = null)
        : base(name, at)
    {
        _seed = seed;
        _makeRandom = random ?? (s => new SeededRandom(s));
        Settings = settings;
        PathMtu = new FixedPathMtu { Octets = pathMtu };
        Resolve = dial => [.. dial.Settings.Lns.Select(ParseEndpoint)];
        Start();
    }

    public NodeSettings Settings { get; set; }

    public AccessNode Access { get; private set; } = null!;

    public SessionTable Sessions { get; private set; } = null!;

    public RouteTable Routes { get; private set; } = null!;

    public Forwarder Forwarder { get; private set; } = null!;

    public FixedPathMtu PathMtu { get; }

    /// <summary>What the node told, unless <see cref="IsRecording"/> is false.</summary>
    public IReadOnlyList<NodeEvent> Events => _events;

    public bool IsRecording { get; set; } = true;

    /// <summary>IP packets that came out of sessions.</summary>
    public IReadOnlyList<(SessionKey Session, byte[] Packet)> Delivered => _delivered;

    /// <summary>PPP frames that came before their session's ICCN.</summary>
    public int EarlyFrames { get; private set; }

    /// <summary>Most events told in one go.</summary>
    public int MostEventsAtOnce { get; private set; }

    /// <summary>Answers a dial's question for addresses.</summary>
    public Func<Dial, IReadOnlyList<PeerEndpoint>> Resolve { get; set; }

    public override Timestamp NextDeadline => Timestamp.Min(Access.NextDeadline, Forwarder.NextDeadline);

    public override IEnumerable<Tunnel> Tunnels => Access.Tunnels;

    public IReadOnlyList<Subscriber> Subscribers
    {
        get
        {
            var all = new List<Subscriber>();
            Access.PageOfSubscribers(0, int.MaxValue, all);
            return all;
        }
    }

    /// <summary>Nothing is held: no session, ID, address, route or timer.</summary>
    public string DescribeWhatIsHeld() =>
        $"{Name}: {Access.SessionCount} subscribers, {Sessions.Count} session IDs, {Routes.Count} routes, "
        + $"{Access.Pools.Sum(p => p.InUse)} addresses, {Access.Tunnels.Count()} tunnels, next deadline {NextDeadline}";

    public bool HoldsNothing => Access.SessionCount == 0 && Sessions.Count == 0 && Routes.Count == 0
        && Access.Pools.Sum(p => p.InUse) == 0 && !Access.Tunnels.Any() && NextDeadline == Timestamp.Never;

    public IEnumerable<NodeEvent> Told(NodeEventKind kind) => Events.Where(e => e.Kind == kind);

    public override void Receive(in UdpPath path, Span<byte> datagram, Timestamp now)
    {
        Verdict verdict = Forwarder.Decapsulate(datagram, path, trafficClass: 0, now);
        if (verdict.Kind == VerdictKind.Control)
        {
            Access.ReceiveControl(path, datagram, now);
            return;
        }

        Follow(verdict, datagram, now);
        TakeHeld(now);
    }

    private void TakeHeld(Timestamp now)
    {
        while (Forwarder.TryTakeHeld(now, out Span<byte> datagram, out Verdict verdict))
        {
            Follow(verdict, datagram, now);
        }
    }

    private void Follow(in Verdict verdict, Span<byte> datagram, Timestamp now)
    {
        if (verdict.SequencingChanged)
        {
            Access.OnSequencingChanged(verdict.Session, verdict.HasSequence, verdict.Ns);
        }

        switch (verdict.Kind)
        {
            case VerdictKind.PppControl:
                EarlyFrames += IsEarly(verdict.Session) ? 1 : 0;
                Access.ReceivePpp(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
            case VerdictKind.LinkScope:
                Access.ReceiveLinkScope(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
            case VerdictKind.Deliver:
                _delivered.Add((verdict.Session, datagram.Slice(verdict.Offset, verdict.Length).ToArray()));
                break;
        }
    }

    public override void Advance(Timestamp now)
    {
        TakeHeld(now);
        Access.Advance(now);
    }

    public override bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path) =>
        Access.TryTransmit(buffer, now, out length, out path);

    /// <summary>An IP packet from the node's TUN: to the session that it is routed to, or into <paramref name="session"/>.</summary>
    public Encapsulation SendIp(SimulatedWorld world, ReadOnlySpan<byte> packet, SessionKey session = default)
    {
        packet.CopyTo(_tunBuffer.AsSpan(Forwarder.Headroom));
        var sink = new FrameList(_outgoing, _tunBuffer, _scratch);
        Timestamp now = Local(world.Now);
        Encapsulation result = session.IsNone
            ? Forwarder.Encapsulate(_tunBuffer, Forwarder.Headroom, packet.Length, _reply, now, ref sink)
            : Forwarder.EncapsulateTo(session, _tunBuffer, Forwarder.Headroom, packet.Length, _reply, now, ref sink);
        foreach ((UdpPath path, byte[] frame) in _outgoing)
        {
            world.Send(At, path.Peer, frame);
        }

        _outgoing.Clear();
        return result;
    }

    public override bool TakeEvents(SimulatedWorld world, Timestamp now)
    {
        int count = 0;
        while (Access.TryNextEvent(out NodeEvent e))
        {
            count++;
            world.Trace.NoteEvent(Name, $"{e.Kind} {e.Subscriber?.ToString() ?? e.Tunnel?.ToString()} {e.Text}", now);
            Watch(e);
            if (IsRecording)
            {
                _events.Add(e);
            }

            if (e is { Kind: NodeEventKind.DialResolve, Dial: { } dial })
            {
                Access.ResolveDial(dial, Resolve(dial), "no address", now);
            }
        }

        MostEventsAtOnce = Math.Max(MostEventsAtOnce, count);
        return count > 0;
    }

    public override void Restart(Timestamp now)
    {
        Start();
        _ended.Clear();
        _events.Clear();
        _delivered.Clear();
        ForgetWindows();
    }

    public override void Check()
    {
        CheckTunnels();
        List<Subscriber> all = [.. Subscribers.Where(s => s.Session.Ended is null)];
        int sessions = Access.Tunnels.Sum(t => t.SessionCount);
        int ended = Access.SessionsToClear;
        Must(Subscribers.Count == all.Count + ended, $"{Subscribers.Count - all.Count} subscribers' sessions have ended, {ended} wait to be cleared away");
        Must(
            Access.SessionCount == all.Count + ended + Access.OutgoingLines.Count && Access.SessionCount == sessions + ended,
            $"{Access.SessionCount} subscribers and lines, but {sessions} sessions and {ended} to be cleared away");
        Must(
            Sessions.Count >= sessions && Sessions.Count <= sessions + ended,
            $"{Sessions.Count} session IDs are taken, but there are {sessions} sessions and {ended} to be cleared away");
        Must(Access.EventsLost == 0 && Access.L2tpCounters[L2tpCounter.EventDropped] == 0, "events were lost");
        int held = Access.Pools.Sum(p => p.InUse);
        Must(held <= sessions + ended, $"{held} addresses are out for {sessions} sessions and {ended} to be cleared away");
        int halfOpen = Access.Tunnels.Count(t => t.State == TunnelState.WaitCtlConn);
        NodeLimits limits = Settings.Limits;
        Must(halfOpen <= limits.HalfOpenTunnels, $"{halfOpen} tunnels are half open, {limits.HalfOpenTunnels} may be");
        Must(
            Access.SessionsBeingSetUp <= limits.HalfOpenSessions,
            $"{Access.SessionsBeingSetUp} sessions are being set up, {limits.HalfOpenSessions} may be");
        Must(sessions <= limits.Sessions, $"{sessions} sessions, {limits.Sessions} may be");
        var addresses = new HashSet<IpAddress>();
        int routes = 0;
        foreach (Subscriber subscriber in all)
        {
            Must(subscriber.Link.Dropped == 0 || WasClogged, $"{subscriber} lost PPP frames before they were sent");
            Must(subscriber.Tunnel.Ended is null, $"{subscriber} is in a tunnel that has ended");
            if (subscriber.IsUp && subscriber.Tunnel.Owner is not Dial)
            {
                Must(addresses.Add(subscriber.PeerAddress), $"{subscriber}: {subscriber.PeerAddress} is out twice");
                Must(Routes.Find(subscriber.PeerAddress) == subscriber.Key, $"{subscriber}: {subscriber.PeerAddress} does not lead to it");
                routes++;
            }
        }

        Must(addresses.Count == 0 || Routes.Count >= routes, $"{Routes.Count} routes for {routes} sessions");
        Must(addresses.Count > 0 || Routes.Count == 0, $"{Routes.Count} routes, but no session is up");
    }

    private void Start()
    {
        IRandomSource random = _makeRandom(_seed + (_lives++ * 1_000_003));
        Routes = new RouteTable();
        Sessions = new SessionTable(random, Routes);
        Forwarder = new Forwarder(Sessions, Routes);
        Access = new AccessNode(Settings, Sessions, Routes, PathMtu, random);
    }

    private bool IsEarly(SessionKey key) =>
        Access.Tunnels.FirstOrDefault(t => t.LocalTunnelId == key.LocalTunnelId) is { } tunnel
        && tunnel.TryFindSession(key.LocalSessionId, out Session? session) && session.State != Culvert.L2tp.SessionState.Established;

    private void Watch(in NodeEvent e)
    {
        if (e.Subscriber is { } subscriber)
        {
            Must(!_ended.Contains(subscriber), $"{e.Kind} of {subscriber} after its end: {e.Text}");
            Must(!_ended.Contains(subscriber.Tunnel), $"{e.Kind} of {subscriber} after its tunnel's end: {e.Text}");
        }

        if (e.Tunnel is { } tunnel)
        {
            Must(!_ended.Contains(tunnel), $"{e.Kind} of {tunnel} after its end: {e.Text}");
        }

        switch (e.Kind)
        {
            case NodeEventKind.SessionDown:
                Must(e.Text.Length > 0, "a session ended without a reason");
                _ended.Add(e.Subscriber!);
                break;
            case NodeEventKind.TunnelDown:
                Must(e.Text.Length > 0, "a tunnel ended without a reason");
                _ended.Add(e.Tunnel!);
                break;
        }
    }

    private static PeerEndpoint ParseEndpoint(string text)
    {
        int colon = text.IndexOf(':');
        return colon < 0
            ? new PeerEndpoint(IpAddress.Parse(text), 1701)
            : new PeerEndpoint(IpAddress.Parse(text[..colon]), ushort.Parse(text[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>Copies frames out of the forwarder's buffers.</summary>
    private readonly struct FrameList(List<(UdpPath Path, byte[] Frame)> frames, byte[] buffer, byte[] scratch) : IFrameSink
    {
        public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
        {
            frames.Add((path, buffer.AsSpan(offset, length).ToArray()));
            return true;
        }

        public bool TryTake(int length, in UdpPath path, out Span<byte> room)
        {
            room = scratch.AsSpan(0, length);
            return true;
        }

        public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session)
        {
            for (int start = 0; start < length; start += frameLength)
            {
                frames.Add((path, scratch.AsSpan(start, Math.Min(frameLength, length - start)).ToArray()));
            }
        }
    }
}

/// <summary>Every path has the same MTU, which a test may change.</summary>
public sealed class FixedPathMtu : IPathMtu
{
    public int Octets { get; set; } = 1500;

    public int To(IpAddress peer) => Octets;
}
