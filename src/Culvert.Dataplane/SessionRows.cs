namespace Culvert.Dataplane;

/// <summary>Who still needs a session's slot.</summary>
[Flags]
internal enum RowOwners : byte
{
    None = 0,
    Tunnel = 1,
    Forwarding = 2,
}

/// <summary>What is not needed for every packet from a peer.</summary>
internal struct ColdRow
{
    public SessionForwarding Session;
    public RowOwners Owners;
    public ushort NextNs;

    /// <summary>Null for a session that never sequenced.</summary>
    public SequenceWindow? Sequence;
}

/// <summary>
/// Cold arrays beside the entries, in chunks that never move when the table grows. Rows are given out fresh ones first and then
/// the one free for longest, so that a shard still finishing a packet of a session that ended does not meet its successor.
/// </summary>
internal sealed class SessionRows
{
    private const int RowsPerChunk = PacketCounters.RowsPerChunk;

    private readonly Queue<int> _free = new();
    private ColdRow[][] _cold = [];
    private long[][] _baselines = [];
    private PacketCounters[] _shards = [];
    private int _used;

    public PacketCounters CreateCounters()
    {
        var counters = new PacketCounters();
        counters.EnsureRows(_cold.Length * RowsPerChunk);
        Volatile.Write(ref _shards, [.. _shards, counters]);
        return counters;
    }

    public ref ColdRow Cold(int row) =>
        ref Volatile.Read(ref _cold)[row >> PacketCounters.RowShift][row & (RowsPerChunk - 1)];

    /// <summary>Asks for a row's memory without waiting for it. There may be no such row.</summary>
    public void Prefetch(int row)
    {
        ColdRow[][] cold = Volatile.Read(ref _cold);
        if ((uint)(row >> PacketCounters.RowShift) < (uint)cold.Length)
        {
            MemoryHint.Prefetch(ref cold[row >> PacketCounters.RowShift][row & (RowsPerChunk - 1)]);
        }
    }

    public ref RowOwners Owners(int row) => ref Cold(row).Owners;

    public int Take(in SessionForwarding session, RowOwners owner)
    {
        if (_used == _cold.Length * RowsPerChunk && _free.Count == 0)
        {
            AddChunk();
        }

        int row = _used < _cold.Length * RowsPerChunk ? _used++ : _free.Dequeue();
        Cold(row) = new ColdRow { Session = session, Owners = owner };
        SessionCounters past = default;
        foreach (PacketCounters shard in _shards)
        {
            past.Add(shard.Block(row), 1);
        }

        past.WriteTo(Baseline(row));
        return row;
    }

    public void Free(int row) => _free.Enqueue(row);

    public SessionCounters ReadCounters(int row)
    {
        SessionCounters sum = default;
        foreach (PacketCounters shard in Volatile.Read(ref _shards))
        {
            sum.Add(shard.Block(row), 1);
        }

        sum.Add(Baseline(row), -1);
        return sum;
    }

    private Span<long> Baseline(int row) => Volatile.Read(ref _baselines)[row >> PacketCounters.RowShift]
        .AsSpan((row & (RowsPerChunk - 1)) * PacketCounters.BlockSize, PacketCounters.BlockSize);

    private void AddChunk()
    {
        int rows = (_cold.Length + 1) * RowsPerChunk;
        foreach (PacketCounters shard in _shards)
        {
            shard.EnsureRows(rows);
        }

        Volatile.Write(ref _baselines, [.. _baselines, new long[RowsPerChunk * PacketCounters.BlockSize]]);
        Volatile.Write(ref _cold, [.. _cold, new ColdRow[RowsPerChunk]]);
    }
}
