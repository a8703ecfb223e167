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

    private const int ReportsPerTurn = 64;

    /// <summary>Each holds some 8 MB; more than an operator looks at side by side.</summary>
    private const int MaximumTaps = 4;

    private readonly Listener[] _listeners;
    private readonly DataPath _data;
    private readonly Forwarder _forwarder;
    private readonly AccessNode _access;
    private readonly PathMtu _paths;
    private readonly Poller _poller = new();
    private readonly WakeEvent _wake = new();
    private readonly Action<NodeEvent> _onEvent;
    private readonly byte[] _control = new byte[L2tpEndpoint.MaximumMessageSize];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private Timestamp _stopAt = Timestamp.Never;
    private bool _isStopping;

    public Shard(Listener[] listeners, Forwarder forwarder, AccessNode access, PathMtu paths, OffloadSettings offload, int largestPacket, Action<NodeEvent> onEvent)
    {
        _listeners = listeners;
        _forwarder = forwarder;
        _access = access;
        _paths = paths;
        _onEvent = onEvent;
        DatagramSize = Math.Max(largestPacket + Forwarder.Headroom, L2tpEndpoint.MaximumMessageSize);
        _data = new DataPath(listeners, forwarder, this, offload.Tun.HasFlag(TunOffloads.Udp));
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

    public PacketCounters PacketCounters => _forwarder.Counters;

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
    }

    /// <summary>On the shard's thread: datagrams are copied to this capture from now on.</summary>
    /// <exception cref="NodeException">Too many captures run.</exception>
    public void AddTap(CaptureTap tap)
    {
        if (_data.Taps?.Length >= MaximumTaps)
        {
            throw new NodeException($"{MaximumTaps} captures run already; end one of them first");
        }

        _data.Taps = [.. _data.Taps ?? [], tap];
    }

    /// <summary>On the shard's thread.</summary>
    public bool RemoveTap(CaptureTap tap)
    {
        int before = _data.Taps?.Length ?? 0;
        _data.Taps = before > 1 ? [.. _data.Taps!.Where(t => t != tap)] : _data.Taps?[0] == tap ? null : _data.Taps;
        return before != (_data.Taps?.Length ?? 0);
    }

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

    /// <summary>What the sockets counted.</summary>
    public IEnumerable<(string Name, long Value)> TransportCounters()
    {
        yield return ("udp-received", _data.Received);
        yield return ("udp-sent", _listeners.Sum(l => (long)l.Outgoing.Counters.Sent));
        yield return ("udp-kernel-drops", _listeners.Sum(l => (long)l.Socket.KernelDrops));
        yield return ("udp-send-congested", _listeners.Sum(l => (long)l.Outgoing.Counters.Congested));
        yield return ("udp-send-too-big", _listeners.Sum(l => (long)l.Outgoing.Counters.TooBig));
        yield return ("udp-send-unsendable", _listeners.Sum(l => (long)l.Outgoing.Counters.Unsendable));
        yield return ("udp-send-unjoined", _listeners.Sum(l => (long)l.Outgoing.Counters.Unjoined));
        yield return ("tun-undelivered", _data.Undelivered);
    }

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
        _data.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!HasEnded())
            {
                // The turn may have brought the last acknowledgement: then there is nothing to wait for.
                if (!Turn() && !HasEnded())
                {
                    Sleep();
                }
            }

            Mailbox.Close();
            _ended.SetResult();
        }
        catch (Exception e)
        {
            // An error of ours: the node must end and say so, not go on with half a state.
            Mailbox.Close();
            _ended.SetException(e);
        }
    }

    private bool HasEnded() => _isStopping && (_access.IsAtRest || MonotonicClock.Now >= _stopAt);

    /// <summary>One turn of the loop; true when more may be waiting.</summary>
    private bool Turn()
    {
        bool more = _data.Turn(MonotonicClock.Now);
        Mailbox.Drain();
        Timestamp now = MonotonicClock.Now;
        _access.Advance(now);
        SendControl(now);
        _data.Flush();

        while (_access.TryNextEvent(out NodeEvent e))
        {
            _onEvent(e);
            foreach (CaptureTap tap in _data.Taps ?? [])
            {
                tap.OnEvent(e);
            }

            more = true;
        }

        return more;
    }

    private void Sleep()
    {
        int ready = _poller.Wait(Timestamp.Min(_access.NextDeadline, _stopAt));
        for (int i = 0; i < ready; i++)
        {
            Readiness readiness = _poller.Ready(i);
            if (readiness.HasError && readiness.Token is >= FirstListenerToken and < FirstTunToken)
            {
                ReadErrors(_listeners[readiness.Token - FirstListenerToken]);
            }
        }
    }

    private void SendControl(Timestamp now)
    {
        while (_access.TryTransmit(_control, now, out int length, out UdpPath path))
        {
            var frames = new OutgoingFrames(_listeners, _control, _data.Taps, now);
            _ = frames.TryAddInPlace(0, length, path, 0);
        }
    }

    private void ReadErrors(Listener listener)
    {
        for (int i = 0; i < ReportsPerTurn && listener.Socket.TryReadError(out UdpError error); i++)
        {
            if (error.Kind == UdpErrorKind.TooBig && _paths.Refresh(error.Peer.Address))
            {
                _access.OnPathMtuChanged(error.Peer.Address);
            }
        }
    }
}
