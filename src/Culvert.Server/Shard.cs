using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>
/// One thread with one loop: its UDP sockets, its TUN devices, its tunnels. Nothing in it is locked; other threads reach it through
/// its <see cref="Mailbox"/>. Order of the loop: take a batch from each socket and TUN, hand each packet on, advance the clock once,
/// send everything, report, and only then sleep, until a packet or a deadline comes.
/// </summary>
internal sealed class Shard : IDisposable
{
    private const int WakeToken = 0;
    private const int FirstListenerToken = 1;
    private const int FirstTunToken = 1_000;

    /// <summary>Packets from one TUN in one turn, so that a flood in one direction does not starve the other.</summary>
    private const int TunTurn = 64;

    private const int DatagramsPerTurn = 64;

    /// <summary>Each holds some 8 MB; more than an operator looks at side by side.</summary>
    private const int MaximumTaps = 4;

    /// <summary>Fragments of one packet (64 KiB) with their headers.</summary>
    private const int ScratchSize = 1 << 17;

    private readonly Listener[] _listeners;
    private readonly List<TunPort> _tuns = [];
    private readonly ReceiveBatch _incoming;
    private readonly Forwarder _forwarder;
    private readonly AccessNode _access;
    private readonly PathMtu _paths;
    private readonly Poller _poller = new();
    private readonly WakeEvent _wake = new();
    private readonly Action<NodeEvent> _onEvent;
    private readonly byte[] _tunBuffer;
    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];
    private readonly byte[] _scratch = new byte[ScratchSize];
    private readonly byte[] _control = new byte[L2tpEndpoint.MaximumMessageSize];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private TunDevice? _sharedTun;

    // Null unless somebody captures: that is all it costs then.
    private CaptureTap[]? _taps;
    private Timestamp _stopAt = Timestamp.Never;
    private bool _isStopping;

    public Shard(Listener[] listeners, Forwarder forwarder, AccessNode access, PathMtu paths, int largestPacket, Action<NodeEvent> onEvent)
    {
        _listeners = listeners;
        _forwarder = forwarder;
        _access = access;
        _paths = paths;
        _onEvent = onEvent;
        _incoming = new ReceiveBatch(DatagramsPerTurn, LargestDatagram(largestPacket));
        _tunBuffer = new byte[Forwarder.Headroom + largestPacket];
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

    /// <summary>What must fit into one datagram, in octets: a packet with its headers, or a control message.</summary>
    public static int LargestDatagram(int largestPacket) => Math.Max(largestPacket + Forwarder.Headroom, L2tpEndpoint.MaximumMessageSize);

    /// <summary>Octets of the largest datagram that this shard takes in or sends.</summary>
    public int DatagramSize => _incoming.BufferSize;

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
        if (_taps?.Length >= MaximumTaps)
        {
            throw new NodeException($"{MaximumTaps} captures run already; end one of them first");
        }

        _taps = [.. _taps ?? [], tap];
    }

    /// <summary>On the shard's thread.</summary>
    public bool RemoveTap(CaptureTap tap)
    {
        int before = _taps?.Length ?? 0;
        _taps = before > 1 ? [.. _taps!.Where(t => t != tap)] : _taps?[0] == tap ? null : _taps;
        return before != (_taps?.Length ?? 0);
    }

    /// <summary>On the shard's thread, or before it starts: packets of this TUN are forwarded from now on.</summary>
    /// <param name="tun">The device.</param>
    /// <param name="dial">The dialled connection that it belongs to; null for the one that all subscribers share.</param>
    public void AddTun(TunDevice tun, Dial? dial)
    {
        _tuns.Add(new TunPort(tun, dial));
        _sharedTun = dial is null ? tun : _sharedTun;
        _poller.Add(tun.Descriptor, FirstTunToken);
    }

    /// <summary>On the shard's thread: forgets a TUN, before it is disposed of.</summary>
    public void RemoveTun(TunDevice tun)
    {
        _poller.Remove(tun.Descriptor);
        _tuns.RemoveAll(p => p.Tun == tun);
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

    /// <summary>What the sockets counted.</summary>
    public IEnumerable<(string Name, long Value)> TransportCounters()
    {
        yield return ("udp-received", (long)_incoming.Received);
        yield return ("udp-sent", _listeners.Sum(l => (long)l.Outgoing.Counters.Sent));
        yield return ("udp-kernel-drops", _listeners.Sum(l => (long)l.Socket.KernelDrops));
        yield return ("udp-send-congested", _listeners.Sum(l => (long)l.Outgoing.Counters.Congested));
        yield return ("udp-send-too-big", _listeners.Sum(l => (long)l.Outgoing.Counters.TooBig));
        yield return ("udp-send-unsendable", _listeners.Sum(l => (long)l.Outgoing.Counters.Unsendable));
    }

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
        _incoming.Dispose();
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
        bool more = false;
        Timestamp now = MonotonicClock.Now;
        foreach (Listener listener in _listeners)
        {
            more |= Receive(listener, now);
        }

        for (int i = 0; i < _tuns.Count; i++)
        {
            more |= Drain(_tuns[i], now);
        }

        if (_forwarder.NextDeadline <= now)
        {
            TakeHeld(now);
        }

        Mailbox.Drain();
        now = MonotonicClock.Now;
        _access.Advance(now);
        SendControl(now);
        foreach (Listener listener in _listeners)
        {
            if (listener.Outgoing.Count > 0)
            {
                listener.Outgoing.Flush();
            }
        }

        while (_access.TryNextEvent(out NodeEvent e))
        {
            _onEvent(e);
            foreach (CaptureTap tap in _taps ?? [])
            {
                tap.OnEvent(e);
            }

            more = true;
        }

        return more;
    }

    private void Sleep()
    {
        int ready = _poller.Wait(Timestamp.Min(Timestamp.Min(_access.NextDeadline, _forwarder.NextDeadline), _stopAt));
        for (int i = 0; i < ready; i++)
        {
            Readiness readiness = _poller.Ready(i);
            if (readiness.HasError && readiness.Token is >= FirstListenerToken and < FirstTunToken)
            {
                ReadErrors(_listeners[readiness.Token - FirstListenerToken]);
            }
        }
    }

    private bool Receive(Listener listener, Timestamp now)
    {
        int count = _incoming.Receive(listener.Socket);
        for (int i = 0; i < count; i++)
        {
            if (!_incoming.IsTruncated(i))
            {
                if (_taps is not null)
                {
                    TapReceived(_taps, _incoming.Datagram(i), _incoming.Path(i), listener.Socket.LocalPort, now);
                }

                Handle(_incoming.Datagram(i), _incoming.Path(i, out byte trafficClass), trafficClass, now);
            }
        }

        return count == _incoming.Capacity;
    }

    private static void TapReceived(CaptureTap[] taps, ReadOnlySpan<byte> datagram, in UdpPath path, ushort localPort, Timestamp now)
    {
        foreach (CaptureTap tap in taps)
        {
            tap.Tap(datagram, path, localPort, isSent: false, now);
        }
    }

    private void Handle(Span<byte> datagram, in UdpPath path, byte trafficClass, Timestamp now)
    {
        Verdict verdict = _forwarder.Decapsulate(datagram, path, trafficClass, now);
        if (verdict.Kind == VerdictKind.Control)
        {
            _access.ReceiveControl(path, datagram, now);
            return;
        }

        Follow(verdict, datagram, now);
        if (_forwarder.HasHeldToTake)
        {
            TakeHeld(now);
        }
    }

    /// <summary>Sequenced frames whose turn has come, or that have waited long enough.</summary>
    private void TakeHeld(Timestamp now)
    {
        while (_forwarder.TryTakeHeld(now, out Span<byte> datagram, out Verdict verdict))
        {
            Follow(verdict, datagram, now);
        }
    }

    private void Follow(in Verdict verdict, Span<byte> datagram, Timestamp now)
    {
        if (verdict.SequencingChanged)
        {
            _access.OnSequencingChanged(verdict.Session, verdict.HasSequence, verdict.Ns);
        }

        switch (verdict.Kind)
        {
            case VerdictKind.Deliver:
                Deliver(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length));
                break;
            case VerdictKind.PppControl:
                _access.ReceivePpp(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
        }
    }

    private void Deliver(SessionKey session, ReadOnlySpan<byte> packet)
    {
        TunDevice? tun = _sharedTun;
        foreach (TunPort port in _tuns)
        {
            if (port.Dial?.Subscriber?.Key == session)
            {
                tun = port.Tun;
                break;
            }
        }

        _ = tun?.Write(packet);
    }

    private bool Drain(TunPort port, Timestamp now)
    {
        SessionKey session = port.Dial?.Subscriber is { IsUp: true } subscriber ? subscriber.Key : default;
        for (int i = 0; i < TunTurn; i++)
        {
            if (port.Tun.Read(_tunBuffer.AsSpan(Forwarder.Headroom), out int length) != TunResult.Packet)
            {
                return false;
            }

            var frames = new OutgoingFrames(_listeners, _tunBuffer, _scratch, _taps, now);
            Encapsulation sent = port.Dial is null
                ? _forwarder.Encapsulate(_tunBuffer, Forwarder.Headroom, length, _reply, now, ref frames)
                : _forwarder.EncapsulateTo(session, _tunBuffer, Forwarder.Headroom, length, _reply, now, ref frames);
            if (sent.Kind == EncapsulationKind.Reply)
            {
                _ = port.Tun.Write(_reply.AsSpan(0, sent.ReplyLength));
            }
        }

        return true;
    }

    private void SendControl(Timestamp now)
    {
        while (_access.TryTransmit(_control, now, out int length, out UdpPath path, out byte trafficClass))
        {
            var frames = new OutgoingFrames(_listeners, _control, _scratch, _taps, now);
            _ = frames.TryAddInPlace(0, length, path, trafficClass);
        }
    }

    private void ReadErrors(Listener listener)
    {
        for (int i = 0; i < DatagramsPerTurn && listener.Socket.TryReadError(out UdpError error); i++)
        {
            if (error.Kind == UdpErrorKind.TooBig && _paths.Refresh(error.Peer.Address))
            {
                _access.OnPathMtuChanged(error.Peer.Address);
            }
        }
    }

    /// <param name="Dial">The dialled connection that the device belongs to; null for the one that all other sessions share.</param>
    private sealed record TunPort(TunDevice Tun, Dial? Dial);
}
