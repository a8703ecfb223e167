using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>
/// One thread with one loop: its UDP sockets, its TUN devices, its tunnels. Nothing in it is locked; other threads reach it through
/// its <see cref="Mailbox"/>. Order of the loop: take a batch from each socket and TUN, hand each packet on, advance the clock once,
/// send everything, report, and only then sleep, until a packet or a deadline comes.
/// </summary>
internal sealed class Shard : IControlPath, IDisposable
{
    private const int WakeToken = 0;
    private const int FirstListenerToken = 1;
    private const int FirstTunToken = 1_000;

    /// <summary>How long peers may take to acknowledge that we stop; section 5.7 of RFC 2661 would allow a full retransmission cycle.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    /// <summary>For the peers' answers when the node cannot go on: less than for an orderly stop, as nothing is forwarded.</summary>
    private static readonly TimeSpan FailurePatience = TimeSpan.FromSeconds(2);

    private readonly Listener[] _listeners;
    private readonly DataPath _data;
    private readonly Forwarder _forwarder;
    private readonly BusyPoll _busyPoll;
    private readonly List<ForwardingThread> _helpers = [];
    private readonly AccessNode _access;
    private readonly PathMtu _paths;
    private readonly Poller _poller = new();
    private readonly WakeEvent _wake = new();
    private readonly Action<NodeEvent> _onEvent;
    private readonly byte[] _control = new byte[L2tpEndpoint.MaximumMessageSize];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private volatile string? _stopWanted;
    private Timestamp _stopAt = Timestamp.Never;
    private NodeException? _failure;
    private bool _isStopping;

    public Shard(Listener[] listeners, Forwarder forwarder, AccessNode access, PathMtu paths, ForwardingSettings forwarding, int largestPacket, Action<NodeEvent> onEvent)
    {
        _busyPoll = new BusyPoll(forwarding.BusyPoll);
        _listeners = listeners;
        _forwarder = forwarder;
        _access = access;
        _paths = paths;
        _onEvent = onEvent;
        DatagramSize = Math.Max(largestPacket + Forwarder.Headroom, L2tpEndpoint.MaximumMessageSize);
        _data = new DataPath(listeners, forwarder, this, handover: null, Taps, forwarding.Offload.JoinTunCalls);
        Mailbox = new Mailbox(_wake);
        _poller.Add(_wake.Descriptor, WakeToken);
        for (int i = 0; i < listeners.Length; i++)
        {
            _poller.Add(listeners[i].Socket.Descriptor, FirstListenerToken + i);
        }

        _thread = new Thread(Run) { Name = "shard", IsBackground = true };
    }

    public Mailbox Mailbox { get; }

    public AccessNode Access => _access;

    /// <summary>The captures that run.</summary>
    public TapSet Taps { get; } = new();

    /// <summary>What any thread heard about paths.</summary>
    public PathReports PathReports { get; } = new();

    /// <summary>Whether the kernel exchanges several packets with a TUN by one call.</summary>
    public bool JoinsTunCalls => _data.JoinsTunCalls;

    /// <summary>Packets dropped for a reason, by all threads.</summary>
    public long Drops(DropReason reason) => _forwarder.Counters.Drops(reason) + _helpers.Sum(h => h.Counters.Drops(reason));

    /// <summary>"Too big" messages given to the TUN, and held back, by all threads.</summary>
    public (long Sent, long Suppressed) Icmp => (
        _forwarder.Counters.IcmpSent + _helpers.Sum(h => h.Counters.IcmpSent),
        _forwarder.Counters.IcmpSuppressed + _helpers.Sum(h => h.Counters.IcmpSuppressed));

    /// <summary>Ends when the loop does; faulted when it ended by an error in our own code.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Octets of the largest datagram to be expected, either way: a packet with its headers, or a control message.</summary>
    public int DatagramSize { get; }

    /// <summary>False when the node failed before the loop could begin: then there is nothing to stop.</summary>
    public bool IsStarted { get; private set; }

    public void Start()
    {
        IsStarted = true;
        _thread.Start();
        _helpers.ForEach(h => h.Start());
    }

    /// <summary>Before the start: a thread that forwards too.</summary>
    public void Add(ForwardingThread helper) => _helpers.Add(helper);

    /// <summary>On the shard's thread, or before it starts: packets of this TUN are forwarded from now on.</summary>
    /// <param name="tun">The device.</param>
    /// <param name="dial">The dialled connection that it belongs to; null for the one that all subscribers share.</param>
    public void AddTun(TunDevice tun, Dial? dial)
    {
        _data.AddTun(tun, dial);
        _poller.Add(tun.Descriptor, FirstTunToken);
    }

    /// <summary>On the shard's thread: forgets a TUN, before it is disposed of.</summary>
    public void RemoveTun(TunDevice tun)
    {
        _poller.Remove(tun.Descriptor);
        _data.RemoveTun(tun);
    }

    /// <summary>From any thread, and never refused: <see cref="Stop"/> as soon as the loop comes round.</summary>
    public void RequestStop(string reason)
    {
        _stopWanted = reason;
        Mailbox.Signal();
    }

    /// <summary>On the shard's thread: tells every peer, and ends the loop when all have acknowledged or <paramref name="patience"/> is over.</summary>
    public void Stop(string reason, TimeSpan patience)
    {
        if (!_isStopping)
        {
            _isStopping = true;
            _stopAt = MonotonicClock.Now + patience;
            _access.CloseAll(reason, MonotonicClock.Now);
        }
    }

    void IControlPath.ReceiveControl(in UdpPath path, Span<byte> datagram, Timestamp now) => _access.ReceiveControl(path, datagram, now);

    void IControlPath.ReceivePpp(SessionKey session, Span<byte> frame, Timestamp now) => _access.ReceivePpp(session, frame, now);

    void IControlPath.ReceiveLinkScope(SessionKey session, ReadOnlySpan<byte> packet, Timestamp now) => _access.ReceiveLinkScope(session, packet, now);

    void IControlPath.SequencingChanged(SessionKey session, bool isSequenced, ushort ns) => _access.OnSequencingChanged(session, isSequenced, ns);

    /// <summary>What the sockets counted.</summary>
    public IEnumerable<(string Name, long Value)> TransportCounters()
    {
        Listener[] listeners = [.. _listeners, .. _helpers.SelectMany(h => h.Listeners)];
        yield return ("udp-received", _data.Received + _helpers.Sum(h => h.Data.Received));
        yield return ("udp-sent", listeners.Sum(l => (long)l.Outgoing.Counters.Sent));
        yield return ("udp-kernel-drops", listeners.Sum(l => (long)l.Socket.KernelDrops));
        yield return ("udp-send-congested", listeners.Sum(l => (long)l.Outgoing.Counters.Congested));
        yield return ("udp-send-too-big", listeners.Sum(l => (long)l.Outgoing.Counters.TooBig));
        yield return ("udp-send-unsendable", listeners.Sum(l => (long)l.Outgoing.Counters.Unsendable));
        yield return ("udp-send-unjoined", listeners.Sum(l => (long)l.Outgoing.Counters.Unjoined));
        yield return ("tun-undelivered", _data.Undelivered + _helpers.Sum(h => h.Data.Undelivered));
        yield return ("handover-dropped", _helpers.Sum(h => h.Handover.Dropped));
    }

    public void Dispose()
    {
        _helpers.ForEach(h => h.Dispose());
        _poller.Dispose();
        _wake.Dispose();
        _data.Dispose();
    }

    private void Run()
    {
        // Nothing depends on it where the kernel refuses.
        _ = ThreadSlice.TrySet(ThreadSlice.Shortest);
        try
        {
            while (!HasEnded())
            {
                // The turn may have brought the last acknowledgement: then there is nothing to wait for.
                Timestamp now = MonotonicClock.Now;
                if (!Turn(now) && !HasEnded() && !_busyPoll.GoOn(_data))
                {
                    Wait(NextDeadline);
                }
                else if (_busyPoll.MustListen(now))
                {
                    Wait(Timestamp.Zero);
                }
            }

            _helpers.ForEach(h => h.Stop());
            Mailbox.Close();
            if (_failure is null)
            {
                _ended.SetResult();
            }
            else
            {
                _ended.SetException(_failure);
            }
        }
        catch (Exception e)
        {
            // An error of ours: the node must end and say so, not go on with half a state.
            _helpers.ForEach(h => h.Stop());
            Mailbox.Close();
            _ended.SetException(e);
        }
    }

    private bool HasEnded() => _isStopping && (_access.IsAtRest || MonotonicClock.Now >= _stopAt);

    /// <summary>One turn of the loop; true when more may be waiting.</summary>
    private bool Turn(Timestamp begin)
    {
        bool more = _data.Turn(begin);

        // After the mailbox: whoever fills a queue signals there, and the signal is cleared before the queues are looked at.
        Mailbox.Drain();
        if (_stopWanted is { } reason)
        {
            Stop(reason, StopPatience);
        }

        Timestamp now = MonotonicClock.Now;
        FollowPaths(now);
        foreach (ForwardingThread helper in _helpers)
        {
            _data.TakeOver(helper.Handover, now);
            if (helper.Ended.Exception?.InnerException is { } failure)
            {
                throw new InvalidOperationException("a forwarding thread failed", failure);
            }
        }

        _access.Advance(now);
        SendControl(now);
        _data.Flush();

        while (_access.TryNextEvent(out NodeEvent e))
        {
            _onEvent(e);
            Taps.OnEvent(e);
            more = true;
        }

        return more;
    }

    private void Wait(Timestamp deadline)
    {
        int ready = _poller.Wait(deadline);
        for (int i = 0; i < ready; i++)
        {
            Readiness readiness = _poller.Ready(i);
            if (readiness.HasError && readiness.Token is >= FirstListenerToken and < FirstTunToken)
            {
                _ = PathReports.AddFrom(_listeners[readiness.Token - FirstListenerToken].Socket);
            }
            else if (readiness is { HasError: true, Token: FirstTunToken } && _data.FindRemovedTun() is { } removed)
            {
                Fail(removed);
            }
        }

        _busyPoll.Woke();
    }

    private Timestamp NextDeadline => Timestamp.Min(
        Timestamp.Min(_access.NextDeadline, _forwarder.NextDeadline), Timestamp.Min(_paths.Changes.NextDeadline, _stopAt));

    /// <summary>The kernel refused datagrams as larger than the path, or somebody claims that a router did.</summary>
    private void FollowPaths(Timestamp now)
    {
        while (PathReports.TryTake(out IpAddress reported, out bool hasLost))
        {
            if (_access.Knows(reported))
            {
                _paths.Changes.Add(reported);
            }

            if (hasLost && _paths.Changes.IsEmpty)
            {
                // It may have been about any of them.
                foreach (Tunnel tunnel in _access.Tunnels)
                {
                    _paths.Changes.Add(tunnel.Path.Peer.Address);
                }
            }
        }

        if (_paths.Changes.TryTake(now, out IpAddress peer) && _paths.Refresh(peer))
        {
            _access.OnPathMtuChanged(peer);
        }
    }

    /// <summary>Subscribers must not go on believing that they are connected, and whoever supervises the node starts it again.</summary>
    private void Fail(TunDevice removed)
    {
        _failure ??= new NodeException($"somebody removed the interface {removed.Name}; nothing can be forwarded without it");
        RemoveTun(removed);
        Stop("the interface was removed", FailurePatience);
    }

    private void SendControl(Timestamp now)
    {
        while (_access.TryTransmit(_control, now, out int length, out UdpPath path, out byte trafficClass))
        {
            var frames = new OutgoingFrames(_listeners, _control, Taps, now);
            _ = frames.TryAddInPlace(0, length, path, trafficClass, session: default);
        }
    }
}
