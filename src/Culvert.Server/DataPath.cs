using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;
using Culvert.Linux;
using Culvert.Server.Captures;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>What a <see cref="DataPath"/> does not handle itself: everything but forwarding.</summary>
internal interface IControlPath
{
    void ReceiveControl(in UdpPath path, Span<byte> datagram, Timestamp now);

    void ReceivePpp(SessionKey session, Span<byte> frame, Timestamp now);

    /// <summary>An IP packet that a subscriber sent to its link, to be answered or forgotten.</summary>
    void ReceiveLinkScope(SessionKey session, ReadOnlySpan<byte> packet, Timestamp now);

    /// <summary>The peer begins or ceases to number a session's frames (RFC 2661 section 5.4).</summary>
    void SequencingChanged(SessionKey session, bool isSequenced, ushort ns);
}

/// <summary>
/// One thread's packet path: its sockets, its TUN queues, and what lies between them. Nothing here is allocated, locked or awaited
/// per packet. Packets cross into the kernel and out of it as many at once as have come: datagrams that the kernel joined are taken
/// apart here, packets of a flow are joined for the TUN, runs of segments from the TUN are cut into one send.
/// </summary>
internal sealed class DataPath : IDisposable
{
    /// <summary>Packets, and octets, from one TUN in one turn, so that a flood in one direction does not starve the other.</summary>
    private const int TunTurn = 64;
    private const int TunTurnOctets = 1 << 19;

    /// <summary>Receive calls to one socket in one turn, for the same reason: each may bring megabytes.</summary>
    private const int DatagramsPerTurn = 64;

    /// <summary>Packets handed to the TUN together: all of a turn, if small ones were joined 64 at a time.</summary>
    private const int PacketsPerDelivery = 4096;

    /// <summary>The place of what does not lie in the receive batch.</summary>
    private const int Elsewhere = -1;

    private static ReadOnlySpan<byte> NoOffload => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly Listener[] _listeners;
    private readonly List<TunPort> _tuns = [];
    private readonly ReceiveBatch _incoming;
    private readonly Forwarder _forwarder;
    private readonly IControlPath? _control;
    private readonly Handover? _handover;
    private readonly TapSet _taps;
    private readonly PacketCoalescer _joiner;
    private readonly BufferRange[] _pieces = new BufferRange[PacketCoalescer.LongestRun];
    private readonly byte[] _offloadHeader = new byte[OffloadHeader.Size];
    private readonly TunTransfers _transfers;
    private readonly TunBatch _fromTun = new();
    private readonly byte[] _reply = new byte[OffloadHeader.Size + Forwarder.ReplyCapacity];

    // Where the packets in the joiner go: those of another TUN wait until they are gone.
    private TunPort? _target;
    private TunPort? _shared;
    private long _read;
    private long _undelivered;

    /// <param name="listeners">The sockets.</param>
    /// <param name="forwarder">What decides about packets.</param>
    /// <param name="control">What handles the rest; null for a thread that hands it over.</param>
    /// <param name="handover">Where to; null for the thread that has <paramref name="control"/>.</param>
    /// <param name="taps">The captures that run.</param>
    /// <param name="joinTunCalls">Whether to exchange several packets with a TUN by one call.</param>
    public DataPath(Listener[] listeners, Forwarder forwarder, IControlPath? control, Handover? handover, TapSet taps, bool joinTunCalls)
    {
        _listeners = listeners;
        _forwarder = forwarder;
        _control = control;
        _handover = handover;
        _taps = taps;
        _incoming = new ReceiveBatch(DatagramsPerTurn, Listener.FrameSize);
        _joiner = new PacketCoalescer(PacketsPerDelivery);
        _transfers = new TunTransfers(joinTunCalls);
    }

    /// <summary>Datagrams, each of those that the kernel joined.</summary>
    public long Received { get; private set; }

    /// <summary>Grows whenever something came, from either side.</summary>
    public long Packets => Received + _read;

    /// <summary>Packets that the kernel did not take from us: the interface is down, or was removed.</summary>
    public long Undelivered => _undelivered + _transfers.Refused;

    /// <summary>Whether the kernel exchanges several packets with a TUN by one call.</summary>
    public bool JoinsTunCalls => _transfers.Joins;

    /// <param name="tun">The device.</param>
    /// <param name="dial">The dialled connection that it belongs to; null for the one that all subscribers share.</param>
    public void AddTun(TunDevice tun, Dial? dial)
    {
        var port = new TunPort(tun, dial);
        _tuns.Add(port);
        _shared = dial is null ? port : _shared;
    }

    /// <summary>A TUN that somebody removed under us; null when all are there.</summary>
    public TunDevice? FindRemovedTun() => _tuns.Find(p => p.Tun.LastError == Errno.EBADFD)?.Tun;

    public void RemoveTun(TunDevice tun) => _tuns.RemoveAll(p => p.Tun == tun);

    /// <summary>One batch from each socket and TUN; true when more may be waiting.</summary>
    public bool Turn(Timestamp now)
    {
        bool more = false;
        foreach (Listener listener in _listeners)
        {
            more |= Receive(listener, now);
        }

        for (int i = 0; i < _tuns.Count; i++)
        {
            more |= Drain(_tuns[i], now);
        }

        _transfers.Flush();
        if (_forwarder.NextDeadline <= now)
        {
            TakeHeld(now);
        }

        return more;
    }

    /// <summary>What another thread received and may not handle: as many as its queue holds, though it may go on filling it.</summary>
    public void TakeOver(Handover handover, Timestamp now)
    {
        for (int i = 0; i < Handover.Entries && handover.TryPeek(out HandedOver facts, out Span<byte> octets); i++)
        {
            if (facts.IsDatagram)
            {
                Handle(octets, before: default, Elsewhere, facts.Path, facts.TrafficClass, now);
            }
            else if (_shared is not null)
            {
                Encapsulate(_shared, default, facts.Offload, _fromTun.Put(octets), now);
            }

            handover.Remove();
        }
    }

    public void Flush()
    {
        foreach (Listener listener in _listeners)
        {
            if (listener.Outgoing.Count > 0)
            {
                listener.Outgoing.Flush();
            }
        }
    }

    public void Dispose()
    {
        _transfers.Dispose();
        _incoming.Dispose();
        _fromTun.Dispose();
    }

    private bool Receive(Listener listener, Timestamp now)
    {
        // What came before is still in the memory.
        _transfers.Flush();
        int count = _incoming.Receive(listener.Socket);
        for (int i = 0; i < count; i++)
        {
            if (_incoming.IsTruncated(i))
            {
                continue;
            }

            UdpPath path = _incoming.Path(i, out byte trafficClass) with { LocalPort = listener.Socket.LocalPort };
            int start = _incoming.OffsetOf(i);
            int end = start + _incoming.Datagram(i).Length;
            int step = _incoming.SegmentSize(i) is > 0 and int segment ? segment : end - start;
            if (step < end - start)
            {
                _forwarder.Prefetch(_incoming.Memory[start..end], step);
            }

            ReadOnlySpan<byte> before = default;
            do
            {
                int length = Math.Min(step, end - start);
                Span<byte> datagram = _incoming.Memory.Slice(start, length);
                Received++;
                _taps.Offer(datagram, path, listener.Socket.LocalPort, isSent: false, now);
                Handle(datagram, before, start, path, trafficClass, now);
                before = datagram;
                start += step;
            }
            while (start < end);
        }

        Deliver();
        return count == _incoming.Capacity;
    }

    /// <param name="datagram">One datagram.</param>
    /// <param name="before">The one before it in the same joined datagram, if any.</param>
    /// <param name="offset">Where in the batch's memory it lies; <see cref="Elsewhere"/> for one that will be overwritten sooner.</param>
    /// <param name="path">Where it came from.</param>
    /// <param name="trafficClass">DSCP and ECN of its packet.</param>
    /// <param name="now">The time.</param>
    private void Handle(Span<byte> datagram, ReadOnlySpan<byte> before, int offset, in UdpPath path, byte trafficClass, Timestamp now)
    {
        Verdict verdict = _forwarder.Decapsulate(datagram, path, trafficClass, now, before);
        if (_control is null)
        {
            Help(verdict, datagram, offset, path, trafficClass);
            return;
        }

        if (verdict.Kind == VerdictKind.Control)
        {
            _control.ReceiveControl(path, datagram, now);
            return;
        }

        Follow(verdict, datagram, offset, now);
        if (_forwarder.HasHeldToTake)
        {
            TakeHeld(now);
        }
    }

    private void Help(in Verdict verdict, Span<byte> datagram, int offset, in UdpPath path, byte trafficClass)
    {
        switch (verdict.Kind)
        {
            case VerdictKind.Deliver:
                Collect(verdict.Session, new BufferRange(offset + verdict.Offset, verdict.Length));
                break;
            case VerdictKind.Control or VerdictKind.PppControl or VerdictKind.HandOver:
                _handover!.Add(new HandedOver { IsDatagram = true, Path = path, TrafficClass = trafficClass }, datagram);
                break;
        }
    }

    private void Follow(in Verdict verdict, Span<byte> datagram, int offset, Timestamp now)
    {
        if (verdict.SequencingChanged)
        {
            _control!.SequencingChanged(verdict.Session, verdict.HasSequence, verdict.Ns);
        }

        switch (verdict.Kind)
        {
            case VerdictKind.Deliver when offset != Elsewhere:
                Collect(verdict.Session, new BufferRange(offset + verdict.Offset, verdict.Length));
                break;
            case VerdictKind.Deliver:
                DeliverAlone(PortOf(verdict.Session), datagram.Slice(verdict.Offset, verdict.Length));
                break;
            case VerdictKind.PppControl:
                _control!.ReceivePpp(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
            case VerdictKind.LinkScope:
                _control!.ReceiveLinkScope(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
        }
    }

    /// <summary>Sequenced frames whose turn has come, or that have waited long enough.</summary>
    private void TakeHeld(Timestamp now)
    {
        while (_forwarder.TryTakeHeld(now, out Span<byte> datagram, out Verdict verdict))
        {
            Follow(verdict, datagram, Elsewhere, now);
        }
    }

    private TunPort? PortOf(SessionKey session)
    {
        // Most nodes have one; those that dial have one for each connection.
        for (int i = _control is null || _tuns.Count == 1 ? _tuns.Count : 0; i < _tuns.Count; i++)
        {
            if (_tuns[i].Dial?.Subscriber?.Key == session)
            {
                return _tuns[i];
            }
        }

        return _shared ?? (_tuns.Count > 0 && _tuns[0].Dial?.Subscriber?.Key == session ? _tuns[0] : null);
    }

    private void Collect(SessionKey session, BufferRange packet)
    {
        TunPort? port = PortOf(session);
        if (port != _target || _joiner.IsFull)
        {
            Deliver();
            _target = port;
            TunOffloads taken = port?.Tun.Offloads ?? TunOffloads.None;
            _joiner.WithUdp = (taken & TunOffloads.Udp) != 0;
            _joiner.WithTcp = (taken & TunOffloads.Tcp) != 0;
        }

        if (port is null)
        {
            _undelivered++;
            return;
        }

        if (port.Tun.HeaderSize == 0)
        {
            _transfers.Write(port.Tun, default, _incoming.Memory, [packet], 1);
        }
        else
        {
            _joiner.Add(_incoming.Memory, packet);
        }
    }

    /// <summary>A packet that does not lie in the batch, in its order behind those that do.</summary>
    private void DeliverAlone(TunPort? port, Span<byte> packet)
    {
        Deliver();
        _transfers.Flush();
        if (port is null)
        {
            _undelivered++;
            return;
        }

        Count(port.Tun.Write(NoOffload[..port.Tun.HeaderSize], packet));
    }

    /// <summary>Gives on what was collected; it leaves before its memory is used again (<see cref="TunTransfers.Flush"/>).</summary>
    private void Deliver()
    {
        for (int run = 0; run < _joiner.Count; run++)
        {
            int pieces = _joiner.Finish(_incoming.Memory, run, _pieces, out OffloadHeader offload);
            offload.Write(_offloadHeader);
            _transfers.Write(_target!.Tun, _offloadHeader, _incoming.Memory, _pieces.AsSpan(0, pieces), _joiner.PacketsIn(run));
        }

        _joiner.Clear();
    }

    private void Count(TunResult written) => _undelivered += written == TunResult.Packet ? 0 : 1;

    private bool Drain(TunPort port, Timestamp now)
    {
        SessionKey session = port.Dial?.Subscriber is { IsUp: true } subscriber ? subscriber.Key : default;
        int octets = 0;
        for (int packets = 0; packets < TunTurn && octets < TunTurnOctets; packets += _fromTun.Count)
        {
            bool more = _fromTun.Read(port.Tun, _transfers, ref port.Expected);
            if (port.Dial is null && _fromTun.Count > 1)
            {
                _forwarder.Prefetch(_fromTun.Memory, _fromTun.Packets);
            }

            for (int i = 0; i < _fromTun.Count; i++)
            {
                octets += _fromTun.Packets[i].Length;
                if (_fromTun.TryReadOffload(i, out OffloadHeader offload))
                {
                    Encapsulate(port, session, offload, _fromTun.Packets[i], now);
                }
            }

            _read += _fromTun.Count;
            if (!more)
            {
                return false;
            }
        }

        return true;
    }

    private void Encapsulate(TunPort port, SessionKey session, in OffloadHeader offload, BufferRange packet, Timestamp now)
    {
        Span<byte> memory = _fromTun.Memory;
        var frames = new OutgoingFrames(_listeners, memory, _taps, now);
        Span<byte> reply = _reply.AsSpan(OffloadHeader.Size);
        Encapsulation sent = port.Dial is null
            ? _forwarder.EncapsulateOffloaded(offload, memory, packet.Offset, packet.Length, reply, now, ref frames)
            : _forwarder.EncapsulateOffloadedTo(session, offload, memory, packet.Offset, packet.Length, reply, now, ref frames);
        if (sent.Kind == EncapsulationKind.HandOver)
        {
            // A finished checksum is not to be finished again.
            _handover!.Add(new HandedOver { Offload = offload.Kind == SegmentKind.None ? default : offload }, memory.Slice(packet.Offset, packet.Length));
        }
        else if (sent.Kind == EncapsulationKind.Reply)
        {
            // The header's octets stay zero: one packet, finished.
            Count(port.Tun.Write(_reply.AsSpan(OffloadHeader.Size - port.Tun.HeaderSize, port.Tun.HeaderSize + sent.ReplyLength)));
        }
    }

    private sealed class TunPort(TunDevice tun, Dial? dial)
    {
        /// <summary>Packets to be asked for next time (<see cref="TunBatch.Read"/>).</summary>
        public int Expected = 1;

        public TunDevice Tun => tun;

        /// <summary>The dialled connection that the device belongs to; null for the one that all other sessions share.</summary>
        public Dial? Dial => dial;
    }
}
