using Culvert.Core;
using Culvert.Dataplane.Offload;

namespace Culvert.Server;

/// <summary>What one forwarding thread received and the shard must handle: copied, because its buffers are used again.</summary>
internal struct HandedOver
{
    /// <summary>From the network; false: from the TUN that all subscribers share.</summary>
    public bool IsDatagram;
    public byte TrafficClass;
    public UdpPath Path;
    public OffloadHeader Offload;
    internal int Start;
    internal int Length;
    internal int Taken;
}

/// <summary>
/// A queue between two threads, one of which puts in and the other takes out, without a lock. Bounded: what does not fit is dropped
/// and counted, like a datagram for which a socket has no room.
/// </summary>
internal sealed class Handover
{
    /// <summary>PPP negotiations of a reconnecting concentrator are many and small.</summary>
    public const int Entries = 4096;
    private const int Octets = 1 << 20;

    private readonly HandedOver[] _entries = new HandedOver[Entries];
    private readonly byte[] _octets = new byte[Octets];
    private long _put;
    private long _taken;
    private long _dropped;
    private int _octetsUsed;
    private int _octetsFreed;
    private int _next;

    /// <summary>What did not fit.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Something may be waiting. For either side.</summary>
    public bool HasAny => Volatile.Read(ref _put) != Volatile.Read(ref _taken);

    /// <summary>For the thread that puts in.</summary>
    public void Add(in HandedOver facts, ReadOnlySpan<byte> octets)
    {
        long put = _put;

        // Wraps early rather than in the middle of a packet; what is left behind counts as used until the packet is taken.
        int start = _next + octets.Length > Octets ? 0 : _next;
        int taken = octets.Length + (start == _next ? 0 : Octets - _next);
        bool hasRoom = put - Volatile.Read(ref _taken) < Entries
            && octets.Length <= Octets && _octetsUsed - Volatile.Read(ref _octetsFreed) + taken <= Octets;
        if (!hasRoom)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            return;
        }

        octets.CopyTo(_octets.AsSpan(start));
        ref HandedOver entry = ref _entries[put % Entries];
        entry = facts;
        entry.Start = start;
        entry.Length = octets.Length;
        entry.Taken = taken;
        _octetsUsed += taken;
        _next = start + octets.Length;
        Volatile.Write(ref _put, put + 1);
    }

    /// <summary>For the thread that takes out: the oldest, which lies there until <see cref="Remove"/>.</summary>
    public bool TryPeek(out HandedOver facts, out Span<byte> octets)
    {
        bool found = HasAny;
        facts = found ? _entries[_taken % Entries] : default;
        octets = _octets.AsSpan(facts.Start, facts.Length);
        return found;
    }

    /// <summary>For the thread that takes out: the oldest is done with.</summary>
    public void Remove()
    {
        // Both counters of octets come round; only their difference matters.
        Volatile.Write(ref _octetsFreed, _octetsFreed + _entries[_taken % Entries].Taken);
        Volatile.Write(ref _taken, _taken + 1);
    }
}
