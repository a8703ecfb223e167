using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// Takes up to <see cref="Capacity"/> datagrams from a socket in one call (recvmmsg) into native memory. What it hands out lives until
/// the next <see cref="Receive"/>. One batch may serve several sockets of a shard in turn.
/// </summary>
public sealed unsafe class ReceiveBatch : IDisposable
{
    private const int ControlSize = 128;

    // Reports about earlier datagrams interrupt a receive call, one per call; the queue itself holds the details.
    private const int MaximumInterruptions = 16;

    private readonly NativeBlock _memory;
    private readonly MultiMessageHeader* _messages;
    private readonly byte* _names;
    private readonly byte* _controls;
    private readonly byte* _buffers;
    private int _touched;

    /// <param name="capacity">Datagrams per call; 32 to 64 are enough.</param>
    /// <param name="bufferSize">Octets per datagram, at most 65,536; with coalescing exactly that, else a little above the MTU.</param>
    public ReceiveBatch(int capacity = 64, int bufferSize = 2048)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, 1024); // UIO_MAXIOV
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bufferSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bufferSize, 1 << 16);
        Capacity = capacity;
        BufferSize = bufferSize;
        _memory = new NativeBlock(
            NativeBlock.SizeOf<MultiMessageHeader>(capacity) + NativeBlock.SizeOf<IoVector>(capacity)
            + NativeBlock.SizeOf<byte>(capacity * SocketAddress.SizeIPv6) + NativeBlock.SizeOf<byte>(capacity * ControlSize)
            + NativeBlock.SizeOf<byte>(capacity * (bufferSize + PacketBuffer.Spacing)));
        _messages = _memory.Take<MultiMessageHeader>(capacity);
        IoVector* vectors = _memory.Take<IoVector>(capacity);
        _names = _memory.Take<byte>(capacity * SocketAddress.SizeIPv6);
        _controls = _memory.Take<byte>(capacity * ControlSize);
        _buffers = _memory.Take<byte>(capacity * Stride);
        for (int i = 0; i < capacity; i++)
        {
            vectors[i] = new IoVector { Base = _buffers + ((nint)i * Stride), Length = (nuint)bufferSize };
            _messages[i].Message = new MessageHeader
            {
                Name = _names + (i * SocketAddress.SizeIPv6),
                Vectors = vectors + i,
                VectorCount = 1,
                Control = _controls + (i * ControlSize),
            };
        }

        _touched = capacity;
    }

    public int Capacity { get; }

    public int BufferSize { get; }

    /// <summary>All buffers: what <see cref="OffsetOf"/> counts in.</summary>
    public Span<byte> Memory => new(_buffers, Capacity * Stride);

    private int Stride => BufferSize + PacketBuffer.Spacing;

    /// <summary>Datagrams that the last <see cref="Receive"/> took.</summary>
    public int Count { get; private set; }

    /// <summary>Datagrams received in all.</summary>
    public ulong Received { get; private set; }

    /// <summary>Calls that failed for another reason than "nothing there" or a report about an earlier datagram.</summary>
    public ulong Failed { get; private set; }

    /// <summary>
    /// Takes what is there and returns how many; 0 when nothing is. A full batch means that more may wait. Reports about earlier
    /// datagrams do not disturb it: see <see cref="UdpSocket.TryReadError"/>.
    /// </summary>
    public int Receive(UdpSocket socket)
    {
        Count = 0;
        Rearm();
        for (int attempt = 0; attempt < MaximumInterruptions; attempt++)
        {
            int received = Libc.ReceiveMessages(socket.Descriptor, _messages, (uint)Capacity, Constants.MessageDoNotWait, null);
            if (received > 0)
            {
                Count = received;
                _touched = received;
                Received += (ulong)received;
                return received;
            }

            Errno error = Libc.LastError;
            if (error == Errno.EAGAIN)
            {
                return 0;
            }

            if (error is Errno.EBADF or Errno.EFAULT or Errno.EINVAL or Errno.ENOMEM)
            {
                Failed++;
                return 0;
            }
        }

        return 0;
    }

    /// <summary>The octets of a datagram, in native memory; may be changed in place.</summary>
    public Span<byte> Datagram(int index)
    {
        Check(index);
        return new Span<byte>(_buffers + ((nint)index * Stride), (int)_messages[index].Length);
    }

    /// <summary>Where in <see cref="Memory"/> a datagram starts.</summary>
    public int OffsetOf(int index)
    {
        Check(index);
        return index * Stride;
    }

    /// <summary>Who sent the datagram, and which of our addresses it came to.</summary>
    public UdpPath Path(int index) => Path(index, out _);

    /// <inheritdoc cref="Path(int)"/>
    /// <param name="trafficClass">DSCP and ECN of its packet; 0 unless <see cref="UdpSocketOptions.ReceiveTrafficClass"/>.</param>
    public UdpPath Path(int index, out byte trafficClass)
    {
        Check(index);
        trafficClass = 0;
        MessageHeader* message = &_messages[index].Message;
        IpAddress peer = SocketAddress.Read((byte*)message->Name, message->NameLength, out ushort port);
        IpAddress local = default;
        uint mark = 0;
        var reader = new ControlReader(message->Control, message->ControlLength);
        while (reader.MoveNext())
        {
            if (reader.Level == Constants.LevelIPv4 && reader.Type == Constants.IPv4PacketInfo && reader.Length >= 12)
            {
                // ipi_spec_dst: our own address also when the datagram went to a broadcast address.
                local = IpAddress.FromBytes(new ReadOnlySpan<byte>(reader.Data + 4, 4));
            }
            else if (reader.Level == Constants.LevelIPv6 && reader.Type == Constants.IPv6PacketInfo && reader.Length >= 20)
            {
                // ipi6_addr, ipi6_ifindex.
                local = IpAddress.FromBytes(new ReadOnlySpan<byte>(reader.Data, 16));
                local = local.IsLinkLocal ? local with { Scope = *(uint*)(reader.Data + 16) } : local;
            }
            else if (reader.Level == Constants.LevelSocket && reader.Type == Constants.Mark && reader.Length >= sizeof(uint))
            {
                mark = *(uint*)reader.Data;
            }
            else if (reader.Level == Constants.LevelIPv4 && reader.Type == Constants.IPv4Tos && reader.Length >= 1)
            {
                trafficClass = *reader.Data;
            }
            else if (reader.Level == Constants.LevelIPv6 && reader.Type == Constants.IPv6TrafficClass && reader.Length >= sizeof(int))
            {
                trafficClass = (byte)*(int*)reader.Data;
            }
        }

        return new UdpPath(local, new PeerEndpoint(peer, port, mark));
    }

    /// <summary>The datagram was larger than the buffer and its end is lost.</summary>
    public bool IsTruncated(int index)
    {
        Check(index);
        return (_messages[index].Message.Flags & Constants.MessageTruncated) != 0;
    }

    /// <summary>
    /// 0: one datagram. Otherwise several of one path lie one after another, each of this size, the last perhaps shorter (only with
    /// <see cref="UdpSocketOptions.ReceiveCoalesced"/>).
    /// </summary>
    public int SegmentSize(int index)
    {
        Check(index);
        MessageHeader* message = &_messages[index].Message;
        var reader = new ControlReader(message->Control, message->ControlLength);
        while (reader.MoveNext())
        {
            if (reader.Level == Constants.LevelUdp && reader.Type == Constants.UdpCoalesce && reader.Length >= sizeof(int))
            {
                return *(int*)reader.Data;
            }
        }

        return 0;
    }

    public void Dispose()
    {
        Count = 0;
        _memory.Dispose();
    }

    /// <summary>The kernel wrote the lengths that it used over the lengths that it may use.</summary>
    private void Rearm()
    {
        for (int i = 0; i < _touched; i++)
        {
            _messages[i].Message.NameLength = SocketAddress.SizeIPv6;
            _messages[i].Message.ControlLength = ControlSize;
        }

        _touched = 0;
    }

    private void Check(int index) => ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
}
