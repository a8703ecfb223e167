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

    /// <summary>Runs of datagrams that the kernel would not cut, and that were sent one by one.</summary>
    public ulong Unjoined { get; internal set; }
}

/// <summary>How a <see cref="SendBatch"/> keeps what it collects.</summary>
public sealed record SendBatchOptions
{
    /// <summary>Messages per call: datagrams, or runs of them.</summary>
    public int Capacity { get; init; } = 64;

    /// <summary>Octets per message, at most 65,536 (a run of segments for UDP_SEGMENT).</summary>
    public int FrameSize { get; init; } = 2048;

    /// <summary>Octets in all; 0 has room for <see cref="Capacity"/> messages of <see cref="FrameSize"/>.</summary>
    public int Memory { get; init; }

    /// <summary>False: runs are sent as single datagrams, as on kernels that cannot cut them.</summary>
    public bool Segments { get; init; } = true;

    /// <summary>Datagrams of one size that follow each other on one path become a run, if the kernel can cut runs.</summary>
    public bool Joins { get; init; }
}

/// <summary>
/// Collects datagrams written directly into native memory and gives them to the kernel in one call (sendmmsg). Each leaves from the
/// local address of its path. Never throws and never keeps a datagram longer than <see cref="Flush"/>: what cannot be sent is
/// dropped and counted, as on any wire.
/// </summary>
public sealed unsafe class SendBatch : IDisposable
{
    /// <summary>Most datagrams in one run (UDP_MAX_SEGMENTS is 64 or, on newer kernels, 128).</summary>
    public const int LongestRun = 64;

    /// <summary>Most octets in one run: what an IPv4 datagram holds.</summary>
    public const int LargestRun = 65_507;

    // Any report pending on the socket fails the next call whatever its datagram: only a datagram that fails again and again is to blame.
    private const int MaximumAttempts = 3;

    private const int MostMessages = 1024; // UIO_MAXIOV
    private const int LargestFrame = 1 << 16;

    // A local EMSGSIZE puts a report into the error queue each time; one repetition tells it from a pending one.
    private const int MaximumAttemptsTooBig = 2;

    // A full buffer drains within microseconds on a working link; the whole shard waits meanwhile.
    private const int MaximumWaits = 2;
    private const int WaitMilliseconds = 1;

    // Messages that are not joined after the kernel refused a run: a path that takes none costs one call in so many.
    private const int JoinPause = 1000;

    private readonly UdpSocket _socket;
    private readonly NativeBlock _memory;
    private readonly byte* _frames;
    private readonly SendQueue _queue;
    private readonly int _size;
    private readonly int _spacing;
    private readonly bool _segments;
    private readonly bool _joins;
    private SendCounters _counters;
    private int _used;
    private int _joinPause;

    /// <param name="socket">Where the datagrams leave; not disposed with the batch.</param>
    /// <param name="capacity">Datagrams per call.</param>
    /// <param name="frameSize">Octets per datagram, at most 65,536 (a run of segments for UDP_SEGMENT).</param>
    public SendBatch(UdpSocket socket, int capacity = 64, int frameSize = 2048)
        : this(socket, new SendBatchOptions { Capacity = capacity, FrameSize = frameSize })
    {
    }

    /// <param name="socket">Where the datagrams leave; not disposed with the batch.</param>
    /// <param name="options">See <see cref="SendBatchOptions"/>.</param>
    public SendBatch(UdpSocket socket, SendBatchOptions options)
    {
        int capacity = options.Capacity;
        bool isSound = capacity is > 0 and <= MostMessages && options.FrameSize is > 0 and <= LargestFrame && options.Memory >= 0;
        if (!isSound)
        {
            throw new ArgumentOutOfRangeException(nameof(options), options, $"1 to {MostMessages} messages of 1 to {LargestFrame} octets");
        }

        _socket = socket;
        Capacity = capacity;
        FrameSize = options.FrameSize;
        _size = options.Memory == 0 ? capacity * FrameSize : Math.Max(options.Memory, FrameSize);
        _spacing = options.Memory == 0 && !options.Joins ? FrameSize : 0;
        _segments = options.Segments && socket.CanSegment;
        _joins = options.Joins && _segments;
        _memory = new NativeBlock(NativeBlock.SizeOf<byte>(_size));
        _frames = _memory.Take<byte>(_size);
        _queue = new SendQueue(capacity, socket.Family, _frames, _joins);
    }

    public int Capacity { get; }

    public int FrameSize { get; }

    /// <summary>Messages committed and not yet flushed: datagrams, or runs of them.</summary>
    public int Count => _queue.Count;

    public SendCounters Counters => _counters;

    private bool HasRoom => Count < Capacity && _size - _used >= FrameSize;

    /// <summary>The memory of the next datagram; false when the batch is full. Without a commit the next call gives the same.</summary>
    public bool TryReserve(out Span<byte> frame)
    {
        frame = HasRoom ? new Span<byte>(_frames + _used, FrameSize) : default;
        return HasRoom;
    }

    /// <summary>The memory of the next datagram; flushes first when the batch is full.</summary>
    public Span<byte> Reserve()
    {
        if (!HasRoom)
        {
            _ = Flush();
        }

        return new Span<byte>(_frames + _used, FrameSize);
    }

    /// <summary>Queues the reserved datagram.</summary>
    /// <param name="length">Octets written at the start of the reserved memory.</param>
    /// <param name="path">Where to and from which address; the kernel chooses the address when Local is none.</param>
    /// <param name="segmentSize">
    /// 0, or the size of the equal datagrams (the last may be shorter) that the octets consist of: at most <see cref="LongestRun"/> and
    /// <see cref="LargestRun"/> octets together. Where the kernel cannot cut them they are sent one by one.
    /// </param>
    /// <param name="trafficClass">
    /// DSCP and ECN of the datagram (of all its segments) as they stand in the IP header; 0 leaves the socket's default, which is 0
    /// too, and costs nothing.
    /// </param>
    /// <param name="flow">
    /// Datagrams of one flow leave in their order. Those of different flows may overtake each other on the way out of the batch, so that
    /// equal ones leave together. 0: overtakes nothing, and is overtaken by nothing.
    /// </param>
    /// <exception cref="InvalidOperationException">Nothing was reserved.</exception>
    public void Commit(int length, in UdpPath path, ushort segmentSize = 0, byte trafficClass = 0, uint flow = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)FrameSize, nameof(length));
        if (!HasRoom)
        {
            throw new InvalidOperationException("Commit without a reservation.");
        }

        int segment = segmentSize == 0 || segmentSize >= length ? length : segmentSize;
        if (path.Peer.Address.Family != _socket.Family || (!path.Local.IsNone && path.Local.Family != _socket.Family))
        {
            _counters.Unsendable += (ulong)SendQueue.DatagramsIn(length, segment);
        }
        else if (segment != length && !_segments)
        {
            CommitOneByOne(length, segment, path, trafficClass, flow);
        }
        else
        {
            int joined = MayJoin() ? _queue.Join(_used, length, segment, path, trafficClass, flow) : 0;
            if (joined < length || length == 0)
            {
                _queue.Add(_used + joined, length - joined, segment, path, trafficClass, flow);
            }

            _used += _spacing == 0 ? length : _spacing;
        }
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
                _socket.Descriptor, _queue.Messages + next, (uint)(Count - next), Constants.MessageDoNotWait | Constants.MessageNoSignal);
            if (taken > 0)
            {
                sent += _queue.DatagramsBetween(next, next + taken);
                next += taken;
                attempts = 0;
                continue;
            }

            Errno error = Libc.LastError;
            if (error == Errno.EAGAIN)
            {
                if (waits++ == MaximumWaits)
                {
                    _counters.Congested += (ulong)_queue.DatagramsBetween(next, Count);
                    break;
                }

                WaitForRoom();
            }
            else if (error is Errno.EINVAL or Errno.EIO or Errno.EMSGSIZE && _queue.IsRun(next))
            {
                // A segment larger than the path, or a path through IPsec: the kernel cuts no runs there.
                sent += SendOneByOne(next++);
                attempts = 0;
            }
            else if (IsToBlame(error, ++attempts))
            {
                CountDrop(error, (ulong)_queue.DatagramsBetween(next, next + 1));
                next++;
                attempts = 0;
            }
            else
            {
                _counters.Interruptions++;
            }
        }

        _counters.Sent += (ulong)sent;
        _queue.Clear();
        _used = 0;
        return sent;
    }

    public void Dispose()
    {
        _queue.Dispose();
        _memory.Dispose();
    }

    private static bool IsToBlame(Errno error, int attempts) =>
        error == Errno.ENOBUFS || attempts >= (error == Errno.EMSGSIZE ? MaximumAttemptsTooBig : MaximumAttempts);

    private bool MayJoin()
    {
        if (_joinPause == 0)
        {
            return _joins;
        }

        _joinPause--;
        return false;
    }

    // The kernel knows no runs: the datagrams stay where they lie and become messages of their own.
    private void CommitOneByOne(int length, int segment, in UdpPath path, byte trafficClass, uint flow)
    {
        int start = _used;
        int left = length;
        _used += _spacing == 0 ? length : _spacing;
        while (left > 0)
        {
            if (Count == Capacity)
            {
                // What was queued leaves; what is still to be queued lies untouched behind it.
                _ = Flush();
            }

            int take = Math.Min(segment, left);
            _queue.Add(start, take, take, path, trafficClass, flow);
            start += take;
            left -= take;
        }

        _used = Math.Max(_used, start);
    }

    private int SendOneByOne(int index)
    {
        _counters.Unjoined++;
        _joinPause = JoinPause;
        byte* control = stackalloc byte[ControlWriter.Capacity];
        IoVector vector = default;
        MessageHeader message = _queue.HeaderOfOne(index, control, &vector);
        int sent = 0;
        for (int piece = 0, at = 0; _queue.TryNextOfRun(index, ref piece, ref at, out vector);)
        {
            sent += TrySendOne(&message) ? 1 : 0;
        }

        return sent;
    }

    private bool TrySendOne(MessageHeader* message)
    {
        for (int attempts = 1; ; attempts++)
        {
            if (Libc.SendMessage(_socket.Descriptor, message, Constants.MessageDoNotWait | Constants.MessageNoSignal) >= 0)
            {
                return true;
            }

            Errno error = Libc.LastError;
            if (error == Errno.EAGAIN || IsToBlame(error, attempts))
            {
                CountDrop(error, 1);
                return false;
            }

            _counters.Interruptions++;
        }
    }

    private void CountDrop(Errno error, ulong datagrams)
    {
        switch (error)
        {
            case Errno.ENOBUFS or Errno.EAGAIN:
                _counters.Congested += datagrams;
                break;
            case Errno.EMSGSIZE:
                _counters.TooBig += datagrams;
                break;
            default:
                _counters.Unsendable += datagrams;
                break;
        }
    }

    private void WaitForRoom()
    {
        var descriptor = new PollDescriptor { Descriptor = _socket.Descriptor, Events = Constants.PollOut };
        _ = Libc.Poll(&descriptor, 1, WaitMilliseconds);
    }
}
