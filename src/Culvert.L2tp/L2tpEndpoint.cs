using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// All control connections that one shard serves, in both roles (RFC 2661). A pure engine: after every call into it, or into one of
/// its tunnels or sessions, its owner takes what <see cref="TryNextEvent"/> and <see cref="TryTransmit(Span{byte}, out int, out UdpPath)"/> give, and reads
/// <see cref="NextDeadline"/>.
/// </summary>
public sealed partial class L2tpEndpoint
{
    /// <summary>Room that <see cref="TryTransmit(Span{byte}, out int, out UdpPath)"/> wants, octets.</summary>
    public const int MaximumMessageSize = ControlMessages.MaximumSize;

    private const int MaximumDatagram = 65_535;

    /// <summary>Session IDs drawn for a refusal before they are tried in turn: enough for a tunnel that is half full.</summary>
    private const int UnusedIdDraws = 16;

    private readonly IPeerPolicy _policy;
    private readonly ISessionIds _sessionIds;
    private readonly TunnelDirectory _directory;
    private readonly DeadlineHeap _deadlines = new();
    private readonly Queue<Tunnel> _ready = new();
    private readonly BoundedQueue<L2tpEvent> _events;
    private readonly byte[] _scratch = new byte[MaximumDatagram];
    private readonly PeerRates _startRates;
    private readonly AdmissionLog _denials = new();
    private readonly EndedList _endedTunnels;
    private readonly EndedList _endedSessions;
    private TokenBucket _starts;
    private TokenBucket _calls;
    private Timestamp _now;
    private uint _serialNumber;
    private int _sessionCount;
    private int _sessionsBeingSetUp;

    /// <param name="limits">What peers may make the endpoint hold.</param>
    /// <param name="policy">Decides about every SCCRQ.</param>
    /// <param name="sessionIds">Hands out local session IDs.</param>
    /// <param name="random">Not predictable in a node: IDs and challenges come from it.</param>
    /// <param name="tunnelIds">The tunnel IDs that belong to this shard; null for all.</param>
    public L2tpEndpoint(
        EndpointLimits limits, IPeerPolicy policy, ISessionIds sessionIds, IRandomSource random, TunnelIdSpace? tunnelIds = null)
    {
        Limits = limits;
        Random = random;
        Held = new(limits.HeldOctets);
        _policy = policy;
        _sessionIds = sessionIds;
        _pending = new(limits.PendingStarts, tunnelIds ?? TunnelIdSpace.All, random);
        _directory = new(limits, tunnelIds ?? TunnelIdSpace.All, random, _pending);
        _replies = new(limits.MaxPendingReplies);
        _startRates = new(limits.StartRatePerPeer, limits.RatedPeers);
        _endedTunnels = new(limits.EndedTunnelsKept);
        _endedSessions = new(limits.EndedSessionsKept);
        _serialNumber = random.NextUInt32() >> 1;

        // A session tells at most three things, a tunnel two and its notices; all of them may happen in one call.
        _events = new((4 * limits.MaxSessions) + (16 * limits.MaxTunnels));
    }

    public EndpointLimits Limits { get; private set; }

    public L2tpCounters Counters { get; } = new();

    /// <summary>
    /// All tunnels, those that linger after their end included, in no order. Do not receive or advance while enumerating.
    /// </summary>
    public IReadOnlyCollection<Tunnel> Tunnels => _directory.All;

    /// <summary>Tunnels begun by peers and not completed.</summary>
    public int HalfOpenCount => _directory.HalfOpenCount;

    /// <summary>Tunnels that have ended and are remembered for a while.</summary>
    public int LingeringCount => _directory.LingeringCount;

    public int SessionCount => _sessionCount;

    public int SessionsBeingSetUp => _sessionsBeingSetUp;

    public Timestamp NextDeadline => _deadlines.Next;

    /// <summary>When <see cref="TryNextReport"/> has something, for an owner that takes reports; not part of <see cref="NextDeadline"/>.</summary>
    public Timestamp NextReport => _denials.NextDeadline;

    /// <summary>The last tunnels that ended, the newest first.</summary>
    public IEnumerable<EndedRecord> EndedTunnels => _endedTunnels.Newest();

    /// <summary>The last sessions that ended, the newest first.</summary>
    public IEnumerable<EndedRecord> EndedSessions => _endedSessions.Newest();

    /// <summary>
    /// Back-pressure, for the owner to set and clear: while it is set, every new ICRQ and OCRQ is refused with CDN 4 "try again later"
    /// and counted as <see cref="L2tpCounter.CallsDeferred"/>. Calls that were offered before go on.
    /// </summary>
    /// <remarks>
    /// Meant for authentications in flight: a call that cannot be authenticated soon is better refused at once, while the LAC still
    /// has another LNS to try, than kept until its user gives up.
    /// </remarks>
    public bool DefersCalls { get; set; }

    internal Timestamp Now => _now;

    internal IRandomSource Random { get; }

    /// <summary>What the tunnels keep of messages that came too early.</summary>
    internal HeldBudget Held { get; }

    /// <summary>Where hidden AVPs are revealed; used by one message at a time.</summary>
    internal Span<byte> Scratch => _scratch;

    /// <summary>
    /// Other limits from now on, for what comes; nothing that is there is closed. Those by which tables and queues were made keep their
    /// values: <see cref="EndpointLimits.MaxTunnels"/>, <see cref="EndpointLimits.MaxSessions"/>, <see cref="EndpointLimits.PendingStarts"/>,
    /// <see cref="EndpointLimits.RatedPeers"/>, <see cref="EndpointLimits.MaxPendingReplies"/> and how many ended ones are kept.
    /// </summary>
    public void Apply(EndpointLimits limits)
    {
        Limits = limits with
        {
            MaxTunnels = Limits.MaxTunnels,
            MaxSessions = Limits.MaxSessions,
            PendingStarts = Limits.PendingStarts,
            RatedPeers = Limits.RatedPeers,
            MaxPendingReplies = Limits.MaxPendingReplies,
            EndedTunnelsKept = Limits.EndedTunnelsKept,
            EndedSessionsKept = Limits.EndedSessionsKept,
        };
        _startRates.Limit = limits.StartRatePerPeer;
        Held.Limit = limits.HeldOctets;
    }

    /// <summary>Takes a datagram with a control message (T bit). Whatever it holds, nothing is thrown.</summary>
    public void Receive(in UdpPath path, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        _now = now;
        if (!L2tpHeader.TryRead(datagram, out L2tpHeader header, out L2tpHeaderFault fault))
        {
            Counters.Add(fault switch
            {
                L2tpHeaderFault.VersionL2f => L2tpCounter.VersionL2f,
                L2tpHeaderFault.VersionL2tpV3 => L2tpCounter.VersionL2tpV3,
                _ => L2tpCounter.BadHeader,
            });
        }
        else if (!header.IsControl)
        {
            Counters.Add(L2tpCounter.NotControl);
        }
        else
        {
            Counters.Add(L2tpCounter.MessagesReceived);
            Route(path, header, datagram, now);
        }
    }

    /// <summary>True for a message of an established tunnel from its own peer: what <see cref="ControlGate"/> prefers.</summary>
    public bool IsOfEstablished(in UdpPath path, ReadOnlySpan<byte> datagram) =>
        L2tpHeader.TryRead(datagram, out L2tpHeader header, out _) && header.TunnelId != 0 &&
            _directory.TryFind(header.TunnelId, out Tunnel? tunnel) && tunnel.State == TunnelState.Established && tunnel.Path.Peer == path.Peer;

    /// <summary>Fires what is due.</summary>
    public void Advance(Timestamp now)
    {
        _now = now;
        while (_deadlines.TryTakeDue(now, out int id))
        {
            if (_directory.TryFind((ushort)id, out Tunnel? tunnel))
            {
                tunnel.Advance(now);
                Touch(tunnel, now);
            }
        }
    }

    /// <summary>
    /// Writes the next datagram to send into <paramref name="buffer"/>, which has room for <see cref="MaximumMessageSize"/> octets.
    /// </summary>
    public bool TryTransmit(Span<byte> buffer, out int length, out UdpPath path) => TryTransmit(buffer, out length, out path, out _);

    /// <param name="tunnel">Whose message it is, for its marking (RFC 3308); null for a refusal without a tunnel.</param>
    /// <inheritdoc cref="TryTransmit(Span{byte}, out int, out UdpPath)"/>
    public bool TryTransmit(Span<byte> buffer, out int length, out UdpPath path, out Tunnel? tunnel)
    {
        tunnel = null;
        if (TryTransmitReply(buffer, out length, out path))
        {
            return true;
        }

        // One message per tunnel and turn: a tunnel with much to say does not hold up the others.
        while (_ready.TryDequeue(out tunnel))
        {
            tunnel.IsQueued = false;
            (long repeated, long fast) = (tunnel.Retransmitted, tunnel.Channel.FastRetransmitted);
            if (!tunnel.IsForgotten && tunnel.Channel.TryTransmit(buffer, _now, out length))
            {
                Counters.Add(L2tpCounter.MessagesSent);
                Counters.Add(L2tpCounter.Retransmissions, tunnel.Retransmitted - repeated);
                Counters.Add(L2tpCounter.FastRetransmissions, tunnel.Channel.FastRetransmitted - fast);
                path = tunnel.Path;
                Touch(tunnel, _now);
                return true;
            }
        }

        length = 0;
        path = default;
        return false;
    }

    public bool TryNextEvent(out L2tpEvent e) => _events.TryDequeue(out e);

    /// <summary>What peers were denied since the last report: to be taken along with the events until false.</summary>
    public bool TryNextReport(Timestamp now, out AdmissionReport report) => _denials.TryTake(now, out report);

    /// <summary>Opens a tunnel to a peer: sends an SCCRQ (section 6.1). False when there is no room for another tunnel.</summary>
    public bool TryConnect(in UdpPath path, TunnelSettings settings, Timestamp now, [NotNullWhen(true)] out Tunnel? tunnel)
    {
        _now = now;
        if (!TryMake(path, settings, isStartedHere: true, now, out tunnel))
        {
            return false;
        }

        tunnel.Start(Random, now);
        Touch(tunnel, now);
        return true;
    }

    public bool TryFind(ushort localTunnelId, [NotNullWhen(true)] out Tunnel? tunnel) => _directory.TryFind(localTunnelId, out tunnel);

    /// <summary>Whether there is a tunnel, in whatever state, with a peer at this address.</summary>
    public bool Knows(in IpAddress peer) => _directory.HasAnyWith(peer);

    /// <summary>
    /// Closes every tunnel, as when a node stops. Done when no tunnel is left whose <see cref="Tunnel.IsEverythingAcknowledged"/> is
    /// false.
    /// </summary>
    public void CloseAll(Disconnect why, Timestamp now)
    {
        foreach (Tunnel tunnel in _directory.All)
        {
            tunnel.Close(why, now);
        }
    }

    /// <summary>Something about a tunnel changed: note its deadline, and whether it wants to send.</summary>
    internal void Touch(Tunnel tunnel, Timestamp now)
    {
        _now = Timestamp.Max(_now, now);
        if (tunnel.IsForgotten)
        {
            return;
        }

        _deadlines.Set(tunnel.LocalTunnelId, tunnel.NextDeadline);
        if (!tunnel.IsQueued && tunnel.Channel.WantsToTransmit)
        {
            tunnel.IsQueued = true;
            _ready.Enqueue(tunnel);
        }
    }

    internal void Tell(in L2tpEvent e)
    {
        if (!_events.TryEnqueue(e))
        {
            Counters.Add(L2tpCounter.EventDropped);
        }
    }

    internal uint NextSerialNumber()
    {
        _serialNumber = _serialNumber == uint.MaxValue ? 1 : _serialNumber + 1;
        return _serialNumber;
    }

    internal bool TryReserveSession(Tunnel tunnel, out ushort localSessionId)
    {
        localSessionId = 0;
        if (_sessionsBeingSetUp >= Limits.MaxHalfOpenSessions)
        {
            Deny(L2tpCounter.HalfOpenSessionLimit, tunnel.Path.Peer);
            return false;
        }

        if (_sessionCount >= Limits.MaxSessions || tunnel.SessionCount >= Math.Min(tunnel.Settings.MaxSessions, TunnelSettings.SessionLimit) ||
            !_sessionIds.TryReserve(tunnel.LocalTunnelId, out localSessionId))
        {
            Counters.Add(L2tpCounter.SessionLimit);
            return false;
        }

        _sessionCount++;
        return true;
    }

    /// <summary>False when the peers place calls faster than they may, in this tunnel or in all, or none are taken now.</summary>
    internal bool TryAdmitCall(Tunnel tunnel, ref TokenBucket ofTunnel, Timestamp now)
    {
        if (DefersCalls)
        {
            Deny(L2tpCounter.CallsDeferred, tunnel.Path.Peer);
            return false;
        }

        if (ofTunnel.TryTake(tunnel.Settings.CallRate, now) && _calls.TryTake(Limits.CallRate, now))
        {
            return true;
        }

        Deny(L2tpCounter.CallRateExceeded, tunnel.Path.Peer);
        return false;
    }

    /// <summary>Counts what a peer was denied, and has it told.</summary>
    private void Deny(L2tpCounter reason, in PeerEndpoint peer)
    {
        Counters.Add(reason);
        _denials.Note(reason, peer);
    }

    internal void ReleaseSession(Tunnel tunnel, ushort localSessionId)
    {
        _sessionCount--;
        _sessionIds.Release(tunnel.LocalTunnelId, localSessionId);
    }

    internal void NoteSetUp(int change) => _sessionsBeingSetUp += change;

    /// <summary>
    /// An ID for a refusal: nobody's, so that the peer cannot take it for a session that exists. A tunnel never has all IDs
    /// (<see cref="TunnelSettings.SessionLimit"/>), so there is one.
    /// </summary>
    internal ushort UnusedSessionId(Tunnel tunnel)
    {
        for (int draw = 0; draw < UnusedIdDraws; draw++)
        {
            ushort drawn = Random.NextUInt16();
            if (drawn != 0 && !tunnel.TryFindSession(drawn, out _))
            {
                return drawn;
            }
        }

        // Nearly full: from the one that was found last, which is free still unless a call took it. So refusing stays cheap.
        ushort id = tunnel.RefusalSessionId;
        for (int step = 0; step <= ushort.MaxValue && (id == 0 || tunnel.TryFindSession(id, out _)); step++)
        {
            id++;
        }

        tunnel.RefusalSessionId = id;
        return id;
    }
}
