using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// Packets on their way to TUN devices and from them, many with one call (io_uring) where the kernel allows it. A TUN gives and takes one
/// packet with each call otherwise, and for small packets the call is most of what they cost. Belongs to one thread.
/// </summary>
public sealed unsafe class TunTransfers : IDisposable
{
    /// <summary>Pieces of one packet that <see cref="Write"/> takes.</summary>
    public const int MaximumPieces = 1023;

    /// <summary>Packets in one call.</summary>
    public const int MaximumPackets = 64;

    // A header in front of each packet, and twice the pieces of the largest.
    private const int MaximumVectors = 2 * (MaximumPieces + 1);
    private const int HeaderRoom = 16;

    private readonly IoRing? _ring;
    private readonly NativeBlock _memory;
    private readonly Transfer* _transfers;
    private readonly IoVector* _vectors;
    private readonly byte* _headers;
    private readonly TunDevice[] _devices = new TunDevice[MaximumPackets];
    private readonly int[] _results = new int[MaximumPackets];
    private int _count;
    private int _vectorCount;

    /// <param name="joins">Whether to use one call for several packets; <see cref="Joins"/> tells what the kernel says.</param>
    public TunTransfers(bool joins = true)
    {
        _ring = joins ? IoRing.TryOpen(MaximumPackets, out _) : null;
        _memory = new NativeBlock(
            NativeBlock.SizeOf<Transfer>(MaximumPackets) + NativeBlock.SizeOf<IoVector>(MaximumVectors) + NativeBlock.SizeOf<byte>(MaximumPackets * HeaderRoom));
        _transfers = _memory.Take<Transfer>(MaximumPackets);
        _vectors = _memory.Take<IoVector>(MaximumVectors);
        _headers = _memory.Take<byte>(MaximumPackets * HeaderRoom);
    }

    /// <summary>Whether the kernel takes several packets with one call: Linux 5.12, where kernel.io_uring_disabled or a container does not forbid it.</summary>
    public bool Joins => _ring is not null;

    /// <summary>Packets (those of a run counted) that the kernel did not take: the interface is down, or was removed.</summary>
    public long Refused { get; private set; }

    /// <summary>
    /// Gives a packet to the kernel, which receives it as if from a wire: with the next <see cref="Read"/> or <see cref="Flush"/>, or
    /// before. What is given to one device arrives in order.
    /// </summary>
    /// <param name="tun">The device.</param>
    /// <param name="header">What stands in front of it: <see cref="TunDevice.HeaderSize"/> octets.</param>
    /// <param name="memory">Where the pieces lie: native memory, which stays as it is until then.</param>
    /// <param name="pieces">At most <see cref="MaximumPieces"/>, one after another the packet.</param>
    /// <param name="packets">How many it stands for, being a run; for <see cref="Refused"/>.</param>
    public void Write(TunDevice tun, ReadOnlySpan<byte> header, ReadOnlySpan<byte> memory, ReadOnlySpan<BufferRange> pieces, int packets)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pieces.Length, MaximumPieces, nameof(pieces));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(header.Length, HeaderRoom, nameof(header));
        if (_count == MaximumPackets || _vectorCount + pieces.Length + 1 > MaximumVectors)
        {
            Flush();
        }

        IoVector* first = _vectors + _vectorCount;
        int count = 0;
        if (!header.IsEmpty)
        {
            byte* front = _headers + (_count * HeaderRoom);
            header.CopyTo(new Span<byte>(front, HeaderRoom));
            first[count++] = new IoVector { Base = front, Length = (nuint)header.Length };
        }

        fixed (byte* start = memory)
        {
            foreach (BufferRange piece in pieces)
            {
                // Bounds as a slice would check them: what is written must lie in the memory.
                if ((uint)piece.Offset > (uint)memory.Length || (uint)piece.Length > (uint)(memory.Length - piece.Offset))
                {
                    throw new ArgumentOutOfRangeException(nameof(pieces), "A piece lies outside the memory.");
                }

                first[count++] = new IoVector { Base = start + piece.Offset, Length = (nuint)piece.Length };
            }
        }

        _vectorCount += count;
        Add(tun, new Transfer { Address = first, Count = count, Packets = packets });
    }

    /// <summary>Gives the kernel what was written, and takes what it has, one packet for each room and in order.</summary>
    /// <param name="tun">The device.</param>
    /// <param name="memory">Where the rooms lie: native memory.</param>
    /// <param name="rooms">
    /// At most <see cref="MaximumPackets"/>, each large enough for the interface's MTU: the kernel cuts off what does not fit and says nothing.
    /// </param>
    /// <param name="lengths">Octets in each room; 0 for one that stayed empty.</param>
    /// <returns>How many packets came.</returns>
    public int Read(TunDevice tun, Span<byte> memory, ReadOnlySpan<BufferRange> rooms, Span<int> lengths)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rooms.Length, MaximumPackets, nameof(rooms));
        if (_count + rooms.Length > MaximumPackets)
        {
            Flush();
        }

        int first = _count;
        fixed (byte* start = memory)
        {
            foreach (BufferRange room in rooms)
            {
                Span<byte> inside = memory.Slice(room.Offset, room.Length);
                Add(tun, new Transfer { Address = start + room.Offset, Count = inside.Length, IsRead = true });
            }

            CarryOut();
        }

        int packets = 0;
        for (int i = 0; i < rooms.Length; i++)
        {
            bool hasCome = tun.Judge(_results[first + i]) == TunResult.Packet;
            lengths[i] = hasCome ? _results[first + i] : 0;
            packets += hasCome ? 1 : 0;
        }

        return packets;
    }

    /// <summary>Gives the kernel what was written.</summary>
    public void Flush()
    {
        if (_count > 0)
        {
            CarryOut();
        }
    }

    public void Dispose()
    {
        _count = 0;
        _ring?.Dispose();
        _memory.Dispose();
    }

    private void Add(TunDevice tun, in Transfer transfer)
    {
        _devices[_count] = tun;
        _transfers[_count++] = transfer;
    }

    private void CarryOut()
    {
        int count = _count;
        _count = 0;
        _vectorCount = 0;
        if (_ring is null || count == 1)
        {
            CarryOutOneByOne(count);
        }
        else
        {
            for (int i = 0; i < count; i++)
            {
                Transfer* transfer = _transfers + i;
                _ring.Add(transfer->IsRead ? IoOperation.Read : IoOperation.WriteGathered, _devices[i].Descriptor, transfer->Address, transfer->Count);
            }

            _ring.Submit(_results);
        }

        for (int i = 0; i < count; i++)
        {
            Refused += _transfers[i].IsRead || _devices[i].Judge(_results[i]) == TunResult.Packet ? 0 : _transfers[i].Packets;
        }
    }

    private void CarryOutOneByOne(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Transfer* transfer = _transfers + i;
            bool isKnown = i > 0 && transfer->IsRead && _transfers[i - 1].IsRead && _results[i - 1] <= 0;
            _results[i] = isKnown ? _results[i - 1]
                : (int)(transfer->IsRead ? _devices[i].Read(transfer->Address, transfer->Count) : _devices[i].Write((IoVector*)transfer->Address, transfer->Count));
        }
    }

    private struct Transfer
    {
        /// <summary>A buffer to read into, or <see cref="IoVector"/>s to write.</summary>
        public void* Address;

        /// <summary>Octets, or vectors.</summary>
        public int Count;

        public int Packets;
        public bool IsRead;
    }
}
