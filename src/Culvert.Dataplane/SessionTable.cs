using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// The data plane's whole knowledge of sessions, reached by the IDs that this node assigned. An ID is drawn at random among those
/// whose slot is free, so a lookup looks at one cache line and never probes; the whole key is compared.
/// </summary>
/// <remarks>
/// One thread writes (reserve, install, update, remove, release); every thread may read. Readers see an entry before or after a
/// change, never half of it. A slot is free again when both sides let go: L2TP by <see cref="Release"/>, the owner of the
/// forwarding by <see cref="Remove(SessionKey, out SessionCounters)"/>, in either order.
/// </remarks>
public sealed class SessionTable : ISessionIds
{
    /// <summary>Slots that a table starts with unless told otherwise: 64 KiB.</summary>
    public const int DefaultInitialSlots = 1024;

    /// <summary>Slots that a table may grow to unless told otherwise: 16 MiB of entries, for 60,000 sessions and room to draw IDs.</summary>
    public const int DefaultSlotLimit = 1 << 18;

    /// <summary>No table grows beyond this: 1 GiB of entries, the most one array holds.</summary>
    public const int MaxSlotLimit = SessionEntry.MaxRows;

    // Random draws before the ID space is walked: at three quarters full, one reservation in a hundred thousand walks.
    private const int Draws = 40;

    // Copies of an entry that a reader tries while its owner rewrites it. The owner needs nanoseconds, unless it lost the processor.
    private const int ReadAttempts = 200;

    private readonly IRandomSource _random;
    private readonly RouteTable? _routes;
    private readonly SessionRows _rows = new();
    private SessionSlots _slots;

    /// <param name="random">Where IDs are drawn from.</param>
    /// <param name="routes">Routes to forget when a session is removed; none for a node that only dials.</param>
    /// <param name="initialSlots">Rounded up to a power of two.</param>
    /// <param name="slotLimit">Rounded up to a power of two; at most <see cref="MaxSlotLimit"/>. No more sessions than this.</param>
    public SessionTable(
        IRandomSource random, RouteTable? routes = null, int initialSlots = DefaultInitialSlots, int slotLimit = DefaultSlotLimit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(initialSlots);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slotLimit, MaxSlotLimit);
        ArgumentOutOfRangeException.ThrowIfLessThan(slotLimit, initialSlots);
        _random = random;
        _routes = routes;
        _slots = new SessionSlots(initialSlots);
        SlotLimit = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)slotLimit);
    }

    /// <summary>IDs taken, whatever their state.</summary>
    public int Count { get; private set; }

    /// <summary>Slots now.</summary>
    public int Slots => Volatile.Read(ref _slots).Count;

    public int SlotLimit { get; }

    /// <summary>Makes the counters of one more shard, before it handles traffic. Called by the writing thread.</summary>
    public PacketCounters CreateCounters() => _rows.CreateCounters();

    /// <inheritdoc/>
    public bool TryReserve(ushort localTunnelId, out ushort localSessionId)
    {
        if (Count > Slots / 4 * 3)
        {
            _ = TryGrow();
        }

        while (!TryDraw(localTunnelId, out localSessionId))
        {
            if (!TryGrow())
            {
                return false;
            }
        }

        var session = new SessionForwarding
        {
            LocalTunnelId = localTunnelId,
            LocalSessionId = localSessionId,
            State = SessionState.Reserved,
        };
        Occupy(session, RowOwners.Tunnel);
        return true;
    }

    /// <inheritdoc/>
    public void Release(ushort localTunnelId, ushort localSessionId) =>
        _ = LetGo(new SessionKey(localTunnelId, localSessionId), RowOwners.Tunnel);

    /// <summary>
    /// Tells the data plane about a session. Its ID has been reserved; an ID from elsewhere is taken too when its slot can be had.
    /// </summary>
    /// <returns>False when the session ID is 0, the ID is in use by a session that was installed, or no slot can be had.</returns>
    public bool TryInstall(in SessionForwarding session)
    {
        if (session.LocalSessionId == 0 || session.State is SessionState.None or SessionState.Closed)
        {
            return false;
        }

        uint key = session.Key.Value;
        while (true)
        {
            ref SessionEntry entry = ref _slots[key];
            if (entry.Key == key)
            {
                return TryAdopt(ref entry, session);
            }

            if (entry.Key == 0)
            {
                Occupy(session, RowOwners.Forwarding);
                return true;
            }

            if (!TryGrow())
            {
                return false;
            }
        }
    }

    /// <summary>Replaces what <see cref="TryInstall"/> told; the key stays. False for a session that is not installed.</summary>
    public bool TryUpdate(in SessionForwarding session)
    {
        ref SessionEntry entry = ref _slots[session.Key.Value];
        if (entry.Key != session.Key.Value || session.State is SessionState.None or SessionState.Closed
            || (_rows.Owners(entry.Row) & RowOwners.Forwarding) == 0 || entry.State == SessionState.Closed)
        {
            return false;
        }

        Rewrite(ref entry, session);
        return true;
    }

    /// <summary>Forgets a session and its routes and tells its last counters. False for a session that is not installed.</summary>
    public bool Remove(SessionKey key, out SessionCounters final)
    {
        _ = TryReadCounters(key, out final);
        return LetGo(key, RowOwners.Forwarding);
    }

    /// <inheritdoc cref="Remove(SessionKey, out SessionCounters)"/>
    public bool Remove(SessionKey key) => Remove(key, out _);

    /// <summary>What was installed. For the writing thread.</summary>
    public bool TryGet(SessionKey key, out SessionForwarding session)
    {
        ref SessionEntry entry = ref _slots[key.Value];
        bool found = !key.IsNone && entry.Key == key.Value;
        session = found ? _rows.Cold(entry.Row).Session : default;
        return found;
    }

    /// <summary>The sum over all shards, from any thread, without stopping traffic. False for an unknown session.</summary>
    public bool TryReadCounters(SessionKey key, out SessionCounters counters)
    {
        for (int attempt = 0; attempt < ReadAttempts; attempt++)
        {
            if (!TryRead(key.Value, out SessionEntry entry, out _))
            {
                counters = default;
                return false;
            }

            counters = _rows.ReadCounters(entry.Row);
            Volatile.ReadBarrier();

            // The row may have passed on to another session meanwhile.
            if (TryRead(key.Value, out SessionEntry again, out _) && again.Row == entry.Row)
            {
                return true;
            }
        }

        counters = default;
        return false;
    }

    /// <summary>Copies an entry whole. False with <see cref="DropReason.UnknownSession"/> or <see cref="DropReason.Busy"/>.</summary>
    internal bool TryRead(uint key, out SessionEntry copy, out DropReason reason) =>
        TryRead(ref Volatile.Read(ref _slots)[key], key, out copy, out reason);

    /// <summary>Copies an entry and the path to send on, consistent with each other.</summary>
    internal bool TryRead(uint key, out SessionEntry copy, out UdpPath path, out DropReason reason)
    {
        for (int attempt = 0; attempt < ReadAttempts; attempt++)
        {
            SessionSlots slots = Volatile.Read(ref _slots);
            ref SessionEntry entry = ref slots[key];
            if (!TryRead(ref entry, key, out copy, out reason))
            {
                path = default;
                return false;
            }

            // Slots that have been replaced no longer follow the cold rows.
            path = _rows.Cold(copy.Row).Session.Path;
            Volatile.ReadBarrier();
            bool isCurrent = Volatile.Read(ref entry.Version) == copy.Version && Volatile.Read(ref _slots) == slots;

            if (isCurrent)
            {
                return true;
            }
        }

        copy = default;
        path = default;
        reason = DropReason.Busy;
        return false;
    }

    /// <summary>Asks for an entry's memory without waiting for it.</summary>
    internal void Prefetch(uint key) => MemoryHint.Prefetch(ref Volatile.Read(ref _slots)[key]);

    /// <summary>The row of an entry as it is at this moment; it may belong to another session than the key says.</summary>
    internal int PeekRow(uint key) => Volatile.Read(ref _slots)[key].Row;

    /// <summary>Asks for what a row tells about the way to its peer. There may be no such row.</summary>
    internal void PrefetchPath(int row) => _rows.Prefetch(row);

    private static bool TryRead(ref SessionEntry entry, uint key, out SessionEntry copy, out DropReason reason)
    {
        reason = DropReason.UnknownSession;
        for (int attempt = 0; attempt < ReadAttempts; attempt++)
        {
            uint before = Volatile.Read(ref entry.Version);
            copy = entry;
            Volatile.ReadBarrier();
            if ((before & 1) == 0 && Volatile.Read(ref entry.Version) == before)
            {
                copy.Version = before;
                return copy.Key == key && key != 0;
            }
        }

        copy = default;
        reason = DropReason.Busy;
        return false;
    }

    /// <summary>What became of a session's sequenced data. False for an unknown session, or one that never sequenced.</summary>
    public bool TryReadSequencing(SessionKey key, out SequenceCounters counters)
    {
        SequenceWindow? window = TryRead(key.Value, out SessionEntry entry, out _) ? Sequence(entry.Row, key) : null;
        counters = window?.Counters ?? default;
        return window is not null;
    }

    /// <summary>
    /// The number for a data message that somebody else than a <see cref="Forwarder"/> sends, for the shard that serves the session
    /// (RFC 2661 section 5.4). False when the session does not send numbers.
    /// </summary>
    public bool TryTakeNs(SessionKey key, out ushort ns)
    {
        bool sequences = TryRead(key.Value, out SessionEntry entry, out _) && (entry.Framing & TransmitFraming.Sequence) != 0;
        ns = sequences ? NextNs(entry.Row) : (ushort)0;
        return sequences;
    }

    /// <summary>The peer's next data message will have this number; for a session that is about to put them into order.</summary>
    public void ExpectNs(SessionKey key, ushort ns)
    {
        ref SessionEntry entry = ref _slots[key.Value];
        if (!key.IsNone && entry.Key == key.Value)
        {
            ref ColdRow cold = ref _rows.Cold(entry.Row);
            cold.Sequence ??= new SequenceWindow(key, cold.Session.Reorder ?? ReorderLimits.Default, ns);
        }
    }

    internal ushort NextNs(int row) => _rows.Cold(row).NextNs++;

    /// <summary>A row may have passed on to another session since its entry was read.</summary>
    internal SequenceWindow? Sequence(int row, SessionKey key) =>
        Volatile.Read(ref _rows.Cold(row).Sequence) is { } window && window.Key == key ? window : null;

    private bool TryDraw(ushort tunnelId, out ushort sessionId)
    {
        for (int draw = 0; draw < Draws; draw++)
        {
            sessionId = _random.NextUInt16();
            if (IsFree(tunnelId, sessionId))
            {
                return true;
            }
        }

        ushort start = _random.NextUInt16();
        for (int step = 0; step <= ushort.MaxValue; step++)
        {
            sessionId = (ushort)(start + step);
            if (IsFree(tunnelId, sessionId))
            {
                return true;
            }
        }

        sessionId = 0;
        return false;
    }

    private bool IsFree(ushort tunnelId, ushort sessionId) =>
        sessionId != 0 && _slots[new SessionKey(tunnelId, sessionId).Value].Key == 0;

    private void Occupy(in SessionForwarding session, RowOwners owner)
    {
        int row = _rows.Take(session, owner);
        PrepareSequence(ref _rows.Cold(row));
        Write(ref _slots[session.Key.Value], SessionEntry.From(session, row));
        Count++;
    }

    private bool TryAdopt(ref SessionEntry entry, in SessionForwarding session)
    {
        if (_rows.Owners(entry.Row) != RowOwners.Tunnel)
        {
            return false;
        }

        _rows.Owners(entry.Row) |= RowOwners.Forwarding;
        Rewrite(ref entry, session);
        return true;
    }

    private bool LetGo(SessionKey key, RowOwners owner)
    {
        ref SessionEntry entry = ref _slots[key.Value];
        if (key.IsNone || entry.Key != key.Value || (_rows.Owners(entry.Row) & owner) == 0)
        {
            return false;
        }

        int row = entry.Row;
        RowOwners left = _rows.Owners(row) &= ~owner;
        _routes?.RemoveAll(key);
        if (left != RowOwners.None)
        {
            Rewrite(ref entry, _rows.Cold(row).Session with { State = SessionState.Closed });
            return true;
        }

        Write(ref entry, default);
        _rows.Free(row);
        Count--;
        return true;
    }

    // The path changes inside the odd phase too: senders read it under the same version.
    private void Rewrite(ref SessionEntry entry, in SessionForwarding session)
    {
        int row = entry.Row;
        Open(ref entry);
        ref ColdRow cold = ref _rows.Cold(row);
        cold.Session = session;
        PrepareSequence(ref cold);
        Fill(ref entry, SessionEntry.From(session, row));
    }

    // Section 3.1: the first number is 0. A session that ceases to sequence and begins again goes on where it was (section 5.4).
    private static void PrepareSequence(ref ColdRow cold)
    {
        if ((cold.Session.Policies & SessionPolicies.OrderSequenced) == 0)
        {
            return;
        }

        ReorderLimits limits = cold.Session.Reorder ?? ReorderLimits.Default;
        if (cold.Sequence is null)
        {
            Volatile.Write(ref cold.Sequence, new SequenceWindow(cold.Session.Key, limits, expected: 0));
        }
        else
        {
            cold.Sequence.Limits = limits;
        }
    }

    private static void Write(ref SessionEntry entry, in SessionEntry value)
    {
        Open(ref entry);
        Fill(ref entry, value);
    }

    private static void Open(ref SessionEntry entry)
    {
        Volatile.Write(ref entry.Version, entry.Version + 1);
        Volatile.WriteBarrier();
    }

    private static void Fill(ref SessionEntry entry, in SessionEntry value)
    {
        entry.TakeContents(value);
        Volatile.Write(ref entry.Version, entry.Version + 1);
    }

    private bool TryGrow()
    {
        if (_slots.Count >= SlotLimit)
        {
            return false;
        }

        var grown = new SessionSlots(_slots.Count * 2);
        for (uint slot = 0; slot < (uint)_slots.Count; slot++)
        {
            ref SessionEntry entry = ref _slots.At(slot);
            if (entry.Key != 0)
            {
                grown[entry.Key] = entry;
            }
        }

        Volatile.Write(ref _slots, grown);
        return true;
    }
}
