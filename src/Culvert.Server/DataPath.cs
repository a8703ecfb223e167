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

    // The packet begins at a multiple of 16, behind room for the frame's header; the offload header is read into that room.
    private const int PacketStart = 32;

    private readonly Listener[] _listeners;
    private readonly List<TunPort> _tuns = [];
    private readonly ReceiveBatch _incoming;
    private readonly Forwarder _forwarder;
    private readonly IControlPath _control;
    private readonly PacketCoalescer _joiner;
    private readonly BufferRange[] _pieces = new BufferRange[PacketCoalescer.LongestRun];
    private readonly byte[] _offloadHeader = new byte[OffloadHeader.Size];
    private readonly byte[] _tunBuffer = new byte[PacketStart + (1 << 16)];
    private readonly byte[] _reply = new byte[OffloadHeader.Size + Forwarder.ReplyCapacity];

    // Where the packets in the joiner go: those of another TUN wait until they are gone.
    private TunPort? _target;
    private TunPort? _shared;

    public DataPath(Listener[] listeners, Forwarder forwarder, IControlPath control, bool joinsUdp)
    {
        _listeners = listeners;
        _forwarder = forwarder;
        _control = control;
        _incoming = new ReceiveBatch(DatagramsPerTurn, Listener.FrameSize);
        _joiner = new PacketCoalescer(PacketsPerDelivery, joinsUdp);
    }

    /// <summary>Null unless somebody captures: that is all it costs then.</summary>
    public CaptureTap[]? Taps { get; set; }

    public long Received => (long)_incoming.Received;

    /// <summary>Packets that the kernel did not take from us: the interface is down, or was removed.</summary>
    public long Undelivered { get; private set; }

    /// <param name="tun">The device.</param>
    /// <param name="dial">The dialled connection that it belongs to; null for the one that all subscribers share.</param>
    public void AddTun(TunDevice tun, Dial? dial)
    {
        var port = new TunPort(tun, dial);
        _tuns.Add(port);
        _shared = dial is null ? port : _shared;
    }

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

        return more;
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

    public void Dispose() => _incoming.Dispose();

    private bool Receive(Listener listener, Timestamp now)
    {
        int count = _incoming.Receive(listener.Socket);
        for (int i = 0; i < count; i++)
        {
            if (_incoming.IsTruncated(i))
            {
                continue;
            }

            UdpPath path = _incoming.Path(i);
            int start = _incoming.OffsetOf(i);
            int end = start + _incoming.Datagram(i).Length;
            int step = _incoming.SegmentSize(i) is > 0 and int segment ? segment : end - start;
            do
            {
                int length = Math.Min(step, end - start);
                Handle(listener, new BufferRange(start, length), path, now);
                start += step;
            }
            while (start < end);
        }

        Deliver();
        return count == _incoming.Capacity;
    }

    private void Handle(Listener listener, BufferRange range, in UdpPath path, Timestamp now)
    {
        Span<byte> datagram = _incoming.Memory.Slice(range.Offset, range.Length);
        if (Taps is not null)
        {
            foreach (CaptureTap tap in Taps)
            {
                tap.Tap(datagram, path, listener.Socket.LocalPort, isSent: false, now);
            }
        }

        Verdict verdict = _forwarder.Decapsulate(datagram, path);
        switch (verdict.Kind)
        {
            case VerdictKind.Deliver:
                Collect(verdict.Session, new BufferRange(range.Offset + verdict.Offset, verdict.Length));
                break;
            case VerdictKind.Control:
                _control.ReceiveControl(path, datagram, now);
                break;
            case VerdictKind.PppControl:
                _control.ReceivePpp(verdict.Session, datagram.Slice(verdict.Offset, verdict.Length), now);
                break;
        }
    }

    private void Collect(SessionKey session, BufferRange packet)
    {
        TunPort? port = _shared;
        foreach (TunPort candidate in _tuns)
        {
            if (candidate.Dial?.Subscriber?.Key == session)
            {
                port = candidate;
                break;
            }
        }

        if (port != _target || _joiner.IsFull)
        {
            Deliver();
            _target = port;
        }

        if (port is null)
        {
            return;
        }

        if (port.Tun.HeaderSize == 0)
        {
            Write(port.Tun.Write(_incoming.Memory.Slice(packet.Offset, packet.Length)), 1);
        }
        else
        {
            _joiner.Add(_incoming.Memory, packet);
        }
    }

    /// <summary>Gives the kernel what was collected, before its memory is used again.</summary>
    private void Deliver()
    {
        for (int run = 0; run < _joiner.Count; run++)
        {
            int pieces = _joiner.Finish(_incoming.Memory, run, _pieces, out OffloadHeader offload);
            offload.Write(_offloadHeader);
            Write(_target!.Tun.Write(_offloadHeader, _incoming.Memory, _pieces.AsSpan(0, pieces)), _joiner.PacketsIn(run));
        }

        _joiner.Clear();
    }

    private void Write(TunResult result, int packets) => Undelivered += result == TunResult.Packet ? 0 : packets;

    private bool Drain(TunPort port, Timestamp now)
    {
        SessionKey session = port.Dial?.Subscriber is { IsUp: true } subscriber ? subscriber.Key : default;
        int header = port.Tun.HeaderSize;
        int octets = 0;
        for (int i = 0; i < TunTurn && octets < TunTurnOctets; i++)
        {
            if (port.Tun.Read(_tunBuffer.AsSpan(PacketStart - header), out int length) != TunResult.Packet)
            {
                return false;
            }

            octets += length;
            OffloadHeader offload = default;
            if (header == 0 || OffloadHeader.TryRead(_tunBuffer.AsSpan(PacketStart - header, header), out offload))
            {
                Encapsulate(port, session, offload, length - header, now);
            }
        }

        return true;
    }

    private void Encapsulate(TunPort port, SessionKey session, in OffloadHeader offload, int length, Timestamp now)
    {
        var frames = new OutgoingFrames(_listeners, _tunBuffer, Taps, now);
        Span<byte> reply = _reply.AsSpan(OffloadHeader.Size);
        Encapsulation sent = port.Dial is null
            ? _forwarder.EncapsulateOffloaded(offload, _tunBuffer, PacketStart, length, reply, now, ref frames)
            : _forwarder.EncapsulateOffloadedTo(session, offload, _tunBuffer, PacketStart, length, reply, now, ref frames);
        if (sent.Kind == EncapsulationKind.Reply)
        {
            // The header's octets stay zero: one packet, finished.
            Write(port.Tun.Write(_reply.AsSpan(OffloadHeader.Size - port.Tun.HeaderSize, port.Tun.HeaderSize + sent.ReplyLength)), 1);
        }
    }

    /// <param name="Dial">The dialled connection that the device belongs to; null for the one that all other sessions share.</param>
    private sealed record TunPort(TunDevice Tun, Dial? Dial);
}
