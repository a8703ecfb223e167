using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Simulation;

/// <summary>One machine in a <see cref="SimulatedWorld"/>: engines behind an address, with a clock of its own.</summary>
public abstract class SimulatedEnd(string name, PeerEndpoint at)
{
    private readonly Dictionary<Tunnel, WindowWatch> _windows = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<(PeerEndpoint Peer, ushort TunnelId)> _sharedIds = [];

    public string Name { get; } = name;

    public PeerEndpoint At { get; } = at;

    /// <summary>How far its clock is ahead of the world's: a suspended machine's clock jumps. Monotonic clocks never go back.</summary>
    public TimeSpan ClockAhead { get; set; }

    /// <summary>Switched off: it hears and does nothing.</summary>
    public bool IsOff { get; set; }

    /// <summary>Its socket takes nothing: what it has to send stays in its queues.</summary>
    public bool IsClogged { get; set; }

    /// <summary>Its socket took nothing for a while once: PPP frames may have been dropped, as they may be.</summary>
    public bool WasClogged { get; set; }

    /// <summary>Whether send windows are checked with every packet; costs a look at each tunnel.</summary>
    public bool WatchesWindows { get; set; } = true;

    /// <summary>On its own clock.</summary>
    public abstract Timestamp NextDeadline { get; }

    /// <summary>Tunnels that have not ended.</summary>
    public abstract IEnumerable<Tunnel> Tunnels { get; }

    public abstract void Receive(in UdpPath path, Span<byte> datagram, Timestamp now);

    public abstract void Advance(Timestamp now);

    public abstract bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path);

    /// <summary>Reacts to what the engines tell; true when there was something.</summary>
    public abstract bool TakeEvents(SimulatedWorld world, Timestamp now);

    /// <summary>Loses everything without a word to anybody, and begins again.</summary>
    public abstract void Restart(Timestamp now);

    /// <summary>Throws when something is not as it must always be. Called when nothing is left to take or to send.</summary>
    public abstract void Check();

    public override string ToString() => Name;

    internal Timestamp Local(Timestamp worldTime) => worldTime == Timestamp.Never ? worldTime : worldTime + ClockAhead;

    internal Timestamp NextInWorldTime => IsOff || NextDeadline == Timestamp.Never ? Timestamp.Never : NextDeadline - ClockAhead;

    /// <summary>RFC 2661 section 5.8: never more messages under way than the peer's Receive Window Size. Counted from the packets alone.</summary>
    internal void WatchSent(in UdpPath path, ReadOnlySpan<byte> datagram)
    {
        if (!WatchesWindows || !L2tpHeader.TryRead(datagram, out L2tpHeader header) || !header.IsControl || header.IsZeroLengthBody)
        {
            return;
        }

        // A StopCCN may be an answer without state, whose number is what the peer expects; a tunnel that sent one has ended anyway.
        bool isStop = ControlMessage.TryRead(datagram[header.PayloadStart..header.PayloadEnd], out ControlMessage message) && message.Type == MessageType.StopCcn;
        if (isStop || _sharedIds.Contains((path.Peer, header.TunnelId)))
        {
            return;
        }

        Tunnel? sender = null;
        foreach (Tunnel tunnel in Tunnels)
        {
            if (tunnel.PeerTunnelId == header.TunnelId && tunnel.Path.Peer == path.Peer)
            {
                if (sender is not null)
                {
                    // A peer that gave one ID to two tunnels cannot tell them apart either; nor later, when one has ended and still answers.
                    _sharedIds.Add((path.Peer, header.TunnelId));
                    return;
                }

                sender = tunnel;
            }
        }

        if (sender is null)
        {
            return;
        }

        WindowWatch watch = WatchOf(sender);
        if (header.Ns == 0)
        {
            return; // the first message, or the answer to a repeated start for which there is no tunnel yet
        }

        if (watch.Next == 0)
        {
            watch.Acknowledged = header.Ns; // what came before was answered from a record, before there was a tunnel
        }

        ushort next = (ushort)(header.Ns + 1);
        if ((short)(next - watch.Next) > 0)
        {
            watch.Next = next;
        }

        int underway = (ushort)(header.Ns - watch.Acknowledged) + 1;
        Must(underway <= sender.PeerReceiveWindow, $"{sender}: {underway} messages under way, the peer's window is {sender.PeerReceiveWindow}");
    }

    internal void WatchReceived(in UdpPath path, ReadOnlySpan<byte> datagram)
    {
        if (!WatchesWindows || !L2tpHeader.TryRead(datagram, out L2tpHeader header) || !header.IsControl)
        {
            return;
        }

        foreach (Tunnel tunnel in Tunnels)
        {
            if (header.TunnelId == tunnel.LocalTunnelId && (tunnel.Path.Peer == path.Peer || tunnel.State == TunnelState.WaitCtlReply))
            {
                WindowWatch watch = WatchOf(tunnel);
                if ((ushort)(header.Nr - watch.Acknowledged) <= (ushort)(watch.Next - watch.Acknowledged))
                {
                    watch.Acknowledged = header.Nr;
                }
            }
        }
    }

    protected void ForgetWindows()
    {
        _windows.Clear();
        _sharedIds.Clear();
    }

    /// <summary>What is true of the tunnels of every end: IDs are used once, queues and windows are kept.</summary>
    protected void CheckTunnels()
    {
        var peerIds = new HashSet<(PeerEndpoint, ushort)>();
        var sessionIds = new HashSet<ushort>();
        foreach (Tunnel tunnel in Tunnels)
        {
            Must(tunnel.MessagesInFlight <= tunnel.PeerReceiveWindow, $"{tunnel}: {tunnel.MessagesInFlight} messages are under way");
            Must(
                tunnel.MessagesQueued <= tunnel.Settings.Channel.QueueLimit,
                $"{tunnel}: {tunnel.MessagesQueued} messages are queued, {tunnel.Settings.Channel.QueueLimit} may be");
            Must(
                tunnel.State != TunnelState.Established || peerIds.Add((tunnel.Path.Peer, tunnel.PeerTunnelId)),
                $"{tunnel}: two established tunnels have the same ID at the same peer");
            sessionIds.Clear();
            foreach (Session session in tunnel.Sessions)
            {
                Must(session.Tunnel == tunnel && tunnel.Ended is null, $"{session} is in a tunnel that is not its own, or has ended");
                Must(session.LocalSessionId != 0, $"{session} has ID 0");
                Must(
                    session.PeerSessionId == 0 || sessionIds.Add(session.PeerSessionId),
                    $"{session}: two sessions of one tunnel have the same ID at the peer");
            }
        }
    }

    protected void Must(bool isTrue, string otherwise)
    {
        if (!isTrue)
        {
            throw new InvariantViolatedException($"{Name}: {otherwise}");
        }
    }

    private WindowWatch WatchOf(Tunnel tunnel)
    {
        if (!_windows.TryGetValue(tunnel, out WindowWatch? watch))
        {
            // Not from 0 on: the SCCRP of a start that was answered from a record is acknowledged before there is a tunnel.
            ushort oldest = (ushort)(tunnel.NextNs - tunnel.MessagesQueued);
            watch = new WindowWatch { Acknowledged = oldest, Next = oldest };
            _windows.Add(tunnel, watch);
        }

        return watch;
    }

    private sealed class WindowWatch
    {
        public ushort Acknowledged { get; set; }

        public ushort Next { get; set; }
    }
}
