using System.Runtime.CompilerServices;

namespace Culvert.Dataplane;

/// <summary>Per-session drops, indexed by <see cref="DropReason"/> below <see cref="DropReasons.PerSessionCount"/>.</summary>
[InlineArray(DropReasons.PerSessionCount)]
public struct SessionDrops
{
    private long _first;

    public readonly long this[DropReason reason] => this[(int)reason];
}

/// <summary>Counters of one session, since its ID was reserved. Octets are those of IP packets, without PPP and L2TP headers.</summary>
public struct SessionCounters
{
    /// <summary>IP packets from the peer, delivered.</summary>
    public long PacketsReceived { get; internal set; }

    public long OctetsReceived { get; internal set; }

    /// <summary>IP packets to the peer as they crossed the tunnel: every fragment counts.</summary>
    public long PacketsSent { get; internal set; }

    public long OctetsSent { get; internal set; }

    private SessionDrops _drops;

    public readonly long Drops(DropReason reason) => _drops[reason];

    public readonly long DropsTotal
    {
        get
        {
            long sum = 0;
            foreach (long count in _drops)
            {
                sum += count;
            }

            return sum;
        }
    }

    internal void Add(ReadOnlySpan<long> block, int sign)
    {
        PacketsReceived += sign * Volatile.Read(in block[PacketCounters.PacketsReceived]);
        OctetsReceived += sign * Volatile.Read(in block[PacketCounters.OctetsReceived]);
        PacketsSent += sign * Volatile.Read(in block[PacketCounters.PacketsSent]);
        OctetsSent += sign * Volatile.Read(in block[PacketCounters.OctetsSent]);
        for (int i = 0; i < DropReasons.PerSessionCount; i++)
        {
            _drops[i] += sign * Volatile.Read(in block[PacketCounters.FirstDrop + i]);
        }
    }

    internal readonly void WriteTo(Span<long> block)
    {
        block[PacketCounters.PacketsReceived] = PacketsReceived;
        block[PacketCounters.OctetsReceived] = OctetsReceived;
        block[PacketCounters.PacketsSent] = PacketsSent;
        block[PacketCounters.OctetsSent] = OctetsSent;
        for (int i = 0; i < DropReasons.PerSessionCount; i++)
        {
            block[PacketCounters.FirstDrop + i] = _drops[i];
        }
    }
}

/// <summary>
/// One shard's counters: a total by reason, and a block of sixteen 64-bit numbers for each row of the session table. Only the
/// shard writes; anybody reads, because each number is written whole. They only ever grow: a row that is used again starts from a
/// baseline kept by the table.
/// </summary>
public sealed class PacketCounters
{
    internal const int PacketsReceived = 0;
    internal const int OctetsReceived = 1;
    internal const int PacketsSent = 2;
    internal const int OctetsSent = 3;
    internal const int FirstDrop = 4;
    internal const int BlockSize = FirstDrop + DropReasons.PerSessionCount;

    internal const int RowShift = 9;
    internal const int RowsPerChunk = 1 << RowShift;

    private readonly long[] _drops = new long[DropReasons.Count];
    private long[][] _chunks = [];
    private long _icmpSent;
    private long _icmpSuppressed;

    internal PacketCounters()
    {
    }

    /// <summary>Packets this shard dropped for a reason, with or without a session.</summary>
    public long Drops(DropReason reason) => Volatile.Read(in _drops[(int)reason]);

    /// <summary>"Too big" messages given back to the TUN.</summary>
    public long IcmpSent => Volatile.Read(in _icmpSent);

    /// <summary>"Too big" messages held back by the rate limit, by RFC 1812 section 4.3.2.7 or RFC 4443 section 2.4, or for want of a source address.</summary>
    public long IcmpSuppressed => Volatile.Read(in _icmpSuppressed);

    internal void EnsureRows(int rows)
    {
        int needed = (rows + RowsPerChunk - 1) >> RowShift;
        if (needed <= _chunks.Length)
        {
            return;
        }

        var grown = new long[needed][];
        _chunks.CopyTo(grown, 0);
        for (int i = _chunks.Length; i < needed; i++)
        {
            grown[i] = new long[RowsPerChunk * BlockSize];
        }

        Volatile.Write(ref _chunks, grown);
    }

    internal ReadOnlySpan<long> Block(int row) => MutableBlock(row);

    /// <summary>Asks for the memory of a row's numbers without waiting for it. There may be no such row.</summary>
    internal void Prefetch(int row)
    {
        long[][] chunks = Volatile.Read(in _chunks);
        if ((uint)(row >> RowShift) < (uint)chunks.Length)
        {
            MemoryHint.Prefetch(ref chunks[row >> RowShift][(row & (RowsPerChunk - 1)) * BlockSize]);
        }
    }

    internal void CountReceived(int row, int octets)
    {
        Span<long> block = MutableBlock(row);
        Increase(ref block[PacketsReceived], 1);
        Increase(ref block[OctetsReceived], octets);
    }

    internal void CountSent(int row, int packets, int octets)
    {
        Span<long> block = MutableBlock(row);
        Increase(ref block[PacketsSent], packets);
        Increase(ref block[OctetsSent], octets);
    }

    internal void CountDrop(DropReason reason, int packets = 1) => Increase(ref _drops[(int)reason], packets);

    internal void CountDrop(int row, DropReason reason, int packets = 1)
    {
        Increase(ref _drops[(int)reason], packets);
        Increase(ref MutableBlock(row)[FirstDrop + (int)reason], packets);
    }

    internal void CountIcmp(bool sent) => Increase(ref sent ? ref _icmpSent : ref _icmpSuppressed, 1);

    private Span<long> MutableBlock(int row) =>
        Volatile.Read(in _chunks)[row >> RowShift].AsSpan((row & (RowsPerChunk - 1)) * BlockSize, BlockSize);

    // One writer: no interlocked instruction. The volatile store keeps the number whole for readers on other threads.
    private static void Increase(ref long counter, int by) => Volatile.Write(ref counter, counter + by);
}
