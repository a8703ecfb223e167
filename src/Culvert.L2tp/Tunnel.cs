using System.Diagnostics.CodeAnalysis;
using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>
/// A control connection and the sessions in it (RFC 2661 section 7). This part is its face; TunnelReceive.cs takes messages apart,
/// TunnelSetUp.cs, TunnelCalls.cs and TunnelEnd.cs act on them.
/// </summary>
public sealed partial class Tunnel
{
    private readonly L2tpEndpoint _endpoint;
    private uint _noticesGiven;

    internal Tunnel(
        L2tpEndpoint endpoint, ushort localTunnelId, in UdpPath path, TunnelSettings settings, bool isStartedHere, Timestamp now)
    {
        _endpoint = endpoint;
        LocalTunnelId = localTunnelId;
        Path = path;
        Settings = settings;
        IsStartedHere = isStartedHere;
        StartedAt = now;
        Channel = new(settings.Channel, now, endpoint.Held);
        _history = new(now);
    }

    public TunnelState State
    {
        get;
        private set
        {
            if ((value == TunnelState.WaitCtlReply) != (field == TunnelState.WaitCtlReply))
            {
                _endpoint.NoteWaiting(this, isWaiting: value == TunnelState.WaitCtlReply);
            }

            field = value;
        }
    }

    /// <summary>The ID that the peer puts into headers; never 0, and not given away again until the tunnel is forgotten.</summary>
    public ushort LocalTunnelId { get; }

    /// <summary>The ID that we put into headers; 0 until the peer has assigned it.</summary>
    public ushort PeerTunnelId => Channel.PeerTunnelId;

    /// <summary>The peer's address and port, and which of our addresses it talks to.</summary>
    public UdpPath Path { get; private set; }

    public TunnelSettings Settings { get; }

    /// <summary>True when we sent the SCCRQ.</summary>
    public bool IsStartedHere { get; }

    public Timestamp StartedAt { get; }

    /// <summary>When sessions could open first; <see cref="Timestamp.Never"/> before that.</summary>
    public Timestamp EstablishedAt { get; private set; } = Timestamp.Never;

    /// <summary>When anything, control or data, last came from the peer.</summary>
    public Timestamp LastHeard => Channel.LastHeard;

    /// <summary>The peer's Host Name, safe to log; empty until known.</summary>
    public string PeerHostName { get; private set; } = string.Empty;

    /// <summary>The peer's Vendor Name, safe to log; empty when it sent none.</summary>
    public string PeerVendorName { get; private set; } = string.Empty;

    public ushort PeerFirmwareRevision { get; private set; }

    /// <summary>The peer's Framing Capabilities: bit 0 synchronous, bit 1 asynchronous.</summary>
    public uint PeerFramingCapabilities { get; private set; }

    /// <summary>The peer's Bearer Capabilities; null when it sent none and so places no outgoing calls.</summary>
    public uint? PeerBearerCapabilities { get; private set; }

    /// <summary>The peer's Receive Window Size.</summary>
    public int PeerReceiveWindow => Channel.PeerWindow;

    /// <summary>True when the peer has proved that it knows the secret.</summary>
    public bool IsPeerAuthenticated { get; private set; }

    /// <summary>Why the tunnel has ended; null while it has not.</summary>
    public Disconnect? Ended { get; private set; }

    /// <summary>True when nothing that we sent waits for an acknowledgement. After a close: the peer knows.</summary>
    public bool IsEverythingAcknowledged => Channel.Unacknowledged == 0;

    /// <summary>Control messages that wait for their turn or their acknowledgement.</summary>
    public int MessagesQueued => Channel.Unacknowledged;

    /// <summary>Of those, how many are under way: never more than <see cref="PeerReceiveWindow"/>.</summary>
    public int MessagesInFlight => Channel.InFlight;

    /// <summary>Ns of the next control message that is sent from here.</summary>
    public ushort NextNs => Channel.NextNs;

    /// <summary>Ns of the next control message that is expected from the peer.</summary>
    public ushort NextNr => Channel.Nr;

    /// <summary>Control messages sent again.</summary>
    public long Retransmitted => Channel.Retransmitted;

    public int SessionCount => _sessions?.Count ?? 0;

    /// <summary>The sessions that have not ended, in no order. Do not open or close any while enumerating.</summary>
    public IReadOnlyCollection<Session> Sessions => _sessions is null ? [] : _sessions.Values;

    /// <summary>A place for the owner's own state.</summary>
    public object? Owner { get; set; }

    internal ControlChannel Channel { get; }

    internal byte[]? LocalChallenge { get; private set; }

    internal ulong? TieBreaker { get; private set; }

    /// <summary>In the endpoint's queue of tunnels that have something to send.</summary>
    internal bool IsQueued { get; set; }

    /// <summary>Its place in the endpoint's list of waiting, of half-open or of lingering tunnels.</summary>
    internal LinkedListNode<Tunnel>? ListNode { get; set; }

    /// <summary>Neighbours in the endpoint's list of tunnels with the same peer address and port, the newest first.</summary>
    internal Tunnel? OlderOnPath { get; set; }

    internal Tunnel? NewerOnPath { get; set; }

    /// <summary>Forgotten by the endpoint: its ID may belong to another tunnel.</summary>
    internal bool IsForgotten { get; set; }

    /// <summary>Where the search for an unused session ID goes on (<see cref="L2tpEndpoint.UnusedSessionId"/>).</summary>
    internal ushort RefusalSessionId { get; set; }

    /// <summary>The peer opened another tunnel, and this one is asked whether it is still there.</summary>
    internal bool IsProbed { get; set; }

    internal bool IsHalfOpen => State == TunnelState.WaitCtlConn;

    internal Timestamp NextDeadline
    {
        get
        {
            Timestamp own = State switch
            {
                TunnelState.WaitCtlReply or TunnelState.WaitCtlConn => StartedAt + Settings.EstablishTimeout,
                TunnelState.Idle => _forgetAt,
                _ => Timestamp.Never,
            };
            return Timestamp.Min(Timestamp.Min(own, NextCallDeadline), Channel.NextDeadline);
        }
    }

    public bool TryFindSession(ushort localSessionId, [NotNullWhen(true)] out Session? session)
    {
        session = null;
        return _sessions is not null && _sessions.TryGetValue(localSessionId, out session);
    }

    /// <summary>
    /// LAC role: places a call. The ICRQ goes out as soon as the tunnel is established, the ICCN as soon as the peer accepts; then the
    /// owner is told SessionEstablished. False when the tunnel has ended or no session is free.
    /// </summary>
    public bool TryPlaceIncomingCall(IncomingCall call, Timestamp now, [NotNullWhen(true)] out Session? session)
    {
        session = null;
        if (Ended is not null || !_endpoint.TryReserveSession(this, out ushort localSessionId))
        {
            return false;
        }

        IncomingCall numbered = call.SerialNumber == 0 ? call with { SerialNumber = _endpoint.NextSerialNumber() } : call;
        session = new(this, localSessionId, 0, isPlacedHere: true, numbered, SessionState.WaitTunnel);
        _placesCalls = true;
        AddSession(session, now);
        if (State == TunnelState.Established)
        {
            OpenCall(session, now);
        }

        _endpoint.Touch(this, now);
        return true;
    }

    /// <summary>
    /// Ends the tunnel and every session in it with a StopCCN, which is repeated until the peer acknowledges it; the tunnel then lingers
    /// for a full retransmission cycle to acknowledge what the peer repeats (section 5.7). Without effect once it has ended.
    /// </summary>
    public void Close(Disconnect why, Timestamp now)
    {
        if (Ended is null)
        {
            Apply(TunnelInput.LocalClose, why, now);
            _endpoint.Touch(this, now);
        }
    }

    /// <summary>
    /// Data came from the peer: it lives. Postpones the HELLO and keeps a peer that ignores HELLOs alive. Need not be called for every
    /// packet; once in some seconds is enough.
    /// </summary>
    public void NoteDataReceived(Timestamp now)
    {
        Channel.NoteHeard(now);
        _endpoint.Touch(this, now);
    }

    public override string ToString() =>
        $"tunnel {LocalTunnelId}/{PeerTunnelId} with {(PeerHostName.Length == 0 ? "peer" : PeerHostName)} at {Path.Peer}";

    /// <summary>Framing Type for a call placed here: never one that the peer did not advertise (section 4.4.3).</summary>
    internal uint FramingFor(IncomingCall call)
    {
        uint both = call.FramingType & PeerFramingCapabilities;
        if (both != 0 || PeerFramingCapabilities == 0)
        {
            return both != 0 ? both : call.FramingType;
        }

        return PeerFramingCapabilities & (~PeerFramingCapabilities + 1);
    }

    /// <summary>The notices that were given about this tunnel.</summary>
    public IEnumerable<L2tpNotice> NoticesGiven =>
        Enum.GetValues<L2tpNotice>().Where(n => n != L2tpNotice.None && (_noticesGiven & (1u << (int)n)) != 0);

    /// <summary>Counts what the peer did, and tells it the first time. Of a tunnel that has ended nothing more is told.</summary>
    internal void Notice(L2tpNotice notice)
    {
        _endpoint.Counters.Add(notice);
        uint bit = 1u << (int)notice;
        if (Ended is null && (_noticesGiven & bit) == 0)
        {
            _noticesGiven |= bit;
            _endpoint.Tell(new(L2tpEventKind.Notice, this, Notice: notice));
        }
    }

    private void Count(L2tpCounter counter) => _endpoint.Counters.Add(counter);
}
