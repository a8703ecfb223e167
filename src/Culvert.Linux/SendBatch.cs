using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>What became of the datagrams given to a <see cref="SendBatch"/>, since it was made.</summary>
public struct SendCounters
{
    /// <summary>Datagrams that the kernel took.</summary>
    public ulong Sent { get; internal set; }

    /// <summary>Dropped because the socket's buffer or the device's queue stayed full.</summary>
    public ulong Congested { get; internal set; }

    /// <summary>Dropped because larger than the path takes (EMSGSIZE); <see cref="UdpSocket.TryReadError"/> tells the MTU.</summary>
    public ulong TooBig { get; internal set; }

    /// <summary>Dropped: no route leads there, the local address is gone, a firewall forbids it, the path is of another family.</summary>
    public ulong Unsendable { get; internal set; }

    /// <summary>Reports about earlier datagrams (such as ICMP "port unreachable") that interrupted sending; nothing was lost.</summary>
    public ulong Interruptions { get; internal set; }
}

/// <summary>
/// Collects datagrams written directly into native memory and gives them to the kernel in one call (sendmmsg). Each leaves from the
/// local address of its path. Never throws and never keeps a datagram longer than <see cref="Flush"/>: what cannot be sent is
/// dropped and counted, as on any wire.
/// </summary>
public sealed unsafe class SendBatch : IDisposable
{
    // Any report pending on the socket fails the next call whatever its datagram: only a datagram that fails again and again is to blame.
    private const int MaximumAttempts = 3;

    // A local EMSGSIZE puts a report into the error queue each time; one repetition tells it from a pending one.
    private const int MaximumAttemptsTooBig = 2;

    // A full buffer drains within microseconds on a working link; the whole shard waits meanwhile.
    private const int MaximumWaits = 2;
    private const int WaitMilliseconds = 1;

    private readonly UdpSocket _socket;
    private readonly NativeBlock _memory;
    private readonly MultiMessageHeader* _messages;
    private readonly IoVector* _vectors;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly byte* _frames;
    private SendCounters _counters;

    /// <param name="socket">Where the datagrams leave; not disposed with the batch.</param>
    /// <param name="capacity">Datagrams per call.</param>
    /// <param name="frameSize">Octets per datagram, at most 65,536 (a run of segments for UDP_SEGMENT).</param>
    public SendBatch(UdpSocket socket, int capacity = 64, int frameSize = 2048)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, 1024); // UIO_MAXIOV
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(frameSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameSize, 1 << 16);
        _socket = socket;
        Capacity = capacity;
        FrameSize = frameSize;
        _memory = new NativeBlock(
            NativeBlock.SizeOf<MultiMessageHeader>(capacity) + NativeBlock.SizeOf<IoVector>(capacity)
            + NativeBlock.SizeOf<byte>(capacity * SocketAddress.SizeIPv6) + NativeBlock.SizeOf<byte>(capacity * ControlWriter.Capacity)
            + NativeBlock.SizeOf<byte>(capacity * frameSize));
        _messages = _memory.Take<MultiMessageHeader>(capacity);
        _vectors = _memory.Take<IoVector>(capacity);
        _names = _memory.Take<byte>(capacity * SocketAddress.SizeIPv6);
        _controls = _memory.Take<byte>(capacity * ControlWriter.Capacity);
        _frames = _memory.Take<byte>(capacity * frameSize);
        for (int i = 0; i < capacity; i++)
        {
            _vectors[i].Base = _frames + ((nint)i * frameSize);
            _messages[i].Message = new MessageHeader
            {
                Name = _names + (i * SocketAddress.SizeIPv6),
                Vectors = _vectors + i,
                VectorCount = 1,
                Control = _controls + (i * ControlWriter.Capacity),
            };
        }
    }

    public int Capacity { get; }

    public int FrameSize { get; }

    /// <summary>Datagrams committed and not yet flushed.</summary>
    public int Count { get; private set; }

    public SendCounters Counters => _counters;

    /// <summary>The memory of the next datagram; false when the batch is full. Without a commit the next call gives the same.</summary>
    public bool TryReserve(out Span<byte> frame)
    {
        if (Count == Capacity)
        {
            frame = default;
            return false;
        }

        frame = new Span<byte>(_frames + ((nint)Count * FrameSize), FrameSize);
        return true;
    }

    /// <summary>The memory of the next datagram; flushes first when the batch is full.</summary>
    public Span<byte> Reserve()
    {
        if (Count == Capacity)
        {
            _ = Flush();
        }

        return new Span<byte>(_frames + ((nint)Count * FrameSize), FrameSize);
    }

    /// <summary>Queues the reserved datagram.</summary>
    /// <param name="length">Octets written at the start of the reserved memory.</param>
    /// <param name="path">Where to and from which address; the kernel chooses the address when Local is none.</param>
    /// <param name="segmentSize">
    /// 0, or the size of the equal segments (the last may be shorter) that the kernel cuts the octets into (UDP_SEGMENT: at most 64
    /// segments and 65,507 octets together).
    /// </param>
    /// <param name="trafficClass">
    /// DSCP and ECN of the datagram (of all its segments) as they stand in the IP header; 0 leaves the socket's default, which is 0
    /// too, and costs nothing.
    /// </param>
    /// <exception cref="InvalidOperationException">Nothing was reserved.</exception>
    public void Commit(int length, in UdpPath path, ushort segmentSize = 0, byte trafficClass = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)FrameSize, nameof(length));
        if (Count == Capacity)
        {
            throw new InvalidOperationException("Commit without a reservation.");
        }

        if (path.Peer.Address.Family != _socket.Family || (!path.Local.IsNone && path.Local.Family != _socket.Family))
        {
            _counters.Unsendable++;
            return;
        }

        MessageHeader* message = &_messages[Count].Message;
        message->NameLength = SocketAddress.Write((byte*)message->Name, path.Peer.Address, path.Peer.Port);
        _vectors[Count].Length = (nuint)length;
        var control = new ControlWriter(_controls + (Count * ControlWriter.Capacity));
        if (!path.Local.IsNone)
        {
            control.AddLocalAddress(path.Local);
        }

        if (path.Peer.Mark != 0)
        {
            control.AddMark(path.Peer.Mark);
        }

        if (segmentSize != 0 && segmentSize < length)
        {
            control.AddSegmentSize(segmentSize);
        }

        if (trafficClass != 0)
        {
            control.AddTrafficClass(trafficClass, _socket.Family);
        }

        message->Control = control.Length == 0 ? null : _controls + (Count * ControlWriter.Capacity);
        message->ControlLength = control.Length;
        Count++;
    }

    /// <summary>Sends everything committed; returns how many datagrams the kernel took. Waits 2 ms at most, for a full buffer.</summary>
    public int Flush()
    {
        int next = 0;
        int sent = 0;
        int attempts = 0;
        int waits = 0;
        while (next < Count)
        {
            int taken = Libc.SendMessages(
                _socket.Descriptor, _messages + next, (uint)(Count - next), Constants.MessageDoNotWait | Constants.MessageNoSignal);
            if (taken > 0)
            {
                next += taken;
                sent += taken;
                attempts = 0;
                continue;
            }

            Errno error = Libc.LastError;
            if (error == Errno.EAGAIN)
            {
                if (waits++ == MaximumWaits)
                {
                    _counters.Congested += (ulong)(Count - next);
                    break;
                }

                WaitForRoom();
            }
            else if (IsToBlame(error, ++attempts))
            {
                CountDrop(error);
                next++;
                attempts = 0;
            }
            else
            {
                _counters.Interruptions++;
            }
        }

        _counters.Sent += (ulong)sent;
        Count = 0;
        return sent;
    }

    public void Dispose()
    {
        Count = 0;
        _memory.Dispose();
    }

    private static bool IsToBlame(Errno error, int attempts) =>
        error == Errno.ENOBUFS || attempts >= (error == Errno.EMSGSIZE ? MaximumAttemptsTooBig : MaximumAttempts);

    private void CountDrop(Errno error)
    {
        switch (error)
        {
            case Errno.ENOBUFS:
                _counters.Congested++;
                break;
            case Errno.EMSGSIZE:
                _counters.TooBig++;
                break;
            default:
                _counters.Unsendable++;
                break;
        }
    }

    private void WaitForRoom()
    {
        var descriptor = new PollDescriptor { Descriptor = _socket.Descriptor, Events = Constants.PollOut };
        _ = Libc.Poll(&descriptor, 1, WaitMilliseconds);
    }
}
