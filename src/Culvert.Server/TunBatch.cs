using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// Packets read from a TUN, one behind another. The kernel gives one with each call; read before the first is handled, what they need
/// of their sessions can be fetched from memory together (<see cref="Forwarder.Prefetch(ReadOnlySpan{byte}, ReadOnlySpan{BufferRange})"/>).
/// </summary>
internal sealed class TunBatch : IDisposable
{
    /// <summary>Packets at once: enough for their sessions' memory to come meanwhile, and few enough to lie in the processor's cache.</summary>
    private const int Capacity = 16;

    /// <summary>Room for one more packet of any size is left behind so many octets: a large packet stands alone.</summary>
    private const int SmallOctets = 1 << 15;

    // A packet begins at a multiple of 16, behind room for the frame's header; the offload header is read into that room.
    private const int Front = 32;
    private const int LargestPacket = 1 << 16;

    private readonly PacketBuffer _buffer = new(SmallOctets + Front + LargestPacket);
    private readonly BufferRange[] _packets = new BufferRange[Capacity];
    private int _header;

    public Span<byte> Memory => _buffer.Octets;

    public int Count { get; private set; }

    /// <summary>Where in <see cref="Memory"/> the packets lie, each with <see cref="Forwarder.Headroom"/> free in front.</summary>
    public ReadOnlySpan<BufferRange> Packets => _packets.AsSpan(0, Count);

    /// <summary>Reads what waits, as much as there is room for, in place of what was there; true when more may be waiting.</summary>
    public bool Read(TunDevice tun)
    {
        Count = 0;
        _header = tun.HeaderSize;
        Span<byte> memory = Memory;
        for (int start = Front; Count < Capacity && start <= SmallOctets + Front; start = NextStart())
        {
            if (tun.Read(memory.Slice(start - _header, _header + LargestPacket), out int length) != TunResult.Packet)
            {
                return false;
            }

            _packets[Count++] = new BufferRange(start, Math.Max(0, length - _header));
        }

        return true;
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

    private int NextStart()
    {
        BufferRange last = _packets[Count - 1];
        return Front + ((last.Offset + last.Length + 15) & ~15);
    }
}
