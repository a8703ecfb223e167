using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// Packets read from a TUN together. Read before the first is handled, what they need of their sessions can be fetched from memory
/// together (<see cref="Forwarder.Prefetch(ReadOnlySpan{byte}, ReadOnlySpan{BufferRange})"/>).
/// </summary>
internal sealed class TunBatch : IDisposable
{
    /// <summary>Packets at once: enough to share a call, and few enough to lie in the processor's cache.</summary>
    internal const int Capacity = 32;

    /// <summary>Of large packets fewer lie in the cache.</summary>
    internal const int CapacityForLarge = 4;

    private const int LargeOctets = 1 << 14;

    // A packet stands behind room for the frame's header; the offload header is read into that room.
    private const int Front = 32;
    private const int LargestPacket = 1 << 16;
    private const int Stride = Front + LargestPacket + PacketBuffer.Spacing;

    private readonly PacketBuffer _buffer = new(Capacity * Stride);
    private readonly BufferRange[] _rooms = new BufferRange[Capacity];
    private readonly int[] _lengths = new int[Capacity];
    private readonly BufferRange[] _packets = new BufferRange[Capacity];

    // Of the device for which the rooms were made; none yet.
    private int _header = -1;

    public Span<byte> Memory => _buffer.Octets;

    public int Count { get; private set; }

    /// <summary>Where in <see cref="Memory"/> the packets lie, each with <see cref="Forwarder.Headroom"/> free in front.</summary>
    public ReadOnlySpan<BufferRange> Packets => _packets.AsSpan(0, Count);

    /// <summary>Reads what waits, in place of what was there; true when more may be waiting.</summary>
    /// <param name="tun">The device.</param>
    /// <param name="transfers">Reads it; what was to be written is written before.</param>
    /// <param name="expected">
    /// How many packets to ask for, at least 1. To ask for one that is not there costs less than another call. Left for the next time: one
    /// more than came, or twice as many if all came.
    /// </param>
    public bool Read(TunDevice tun, TunTransfers transfers, ref int expected)
    {
        if (_header != tun.HeaderSize)
        {
            MakeRooms(tun.HeaderSize);
        }

        bool isFull = transfers.Read(tun, Memory, _rooms.AsSpan(0, expected), _lengths) == expected;
        Count = 0;
        int octets = 0;
        for (int i = 0; i < expected; i++)
        {
            if (_lengths[i] > 0)
            {
                octets += _lengths[i];
                _packets[Count++] = new BufferRange(_rooms[i].Offset + _header, Math.Max(0, _lengths[i] - _header));
            }
        }

        int most = octets > LargeOctets ? CapacityForLarge : Capacity;
        expected = Math.Min(isFull ? expected * 2 : Count + 1, most);
        return isFull;
    }

    /// <summary>A packet that came another way, in place of what was there.</summary>
    /// <returns>Where it lies.</returns>
    public BufferRange Put(ReadOnlySpan<byte> packet)
    {
        Count = 0;
        packet.CopyTo(Memory[Front..]);
        return new BufferRange(Front, packet.Length);
    }

    /// <summary>What the kernel said about a packet: nothing without offloads. False when it cannot be understood.</summary>
    public bool TryReadOffload(int index, out OffloadHeader offload)
    {
        offload = default;
        return _header == 0 || OffloadHeader.TryRead(Memory.Slice(_packets[index].Offset - _header, _header), out offload);
    }

    public void Dispose() => _buffer.Dispose();

    private void MakeRooms(int header)
    {
        _header = header;
        for (int i = 0; i < Capacity; i++)
        {
            _rooms[i] = new BufferRange((i * Stride) + Front - header, header + LargestPacket);
        }
    }
}
