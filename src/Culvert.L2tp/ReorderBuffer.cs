namespace Culvert.L2tp;

/// <summary>
/// Messages that came before an earlier one: a slot for each position of the receive window after the expected message. Holds
/// storage only while something is missing, and takes it from a budget that it shares with the other tunnels' (null for none).
/// </summary>
internal sealed class ReorderBuffer(int window, HeldBudget? budget = null)
{
    private const int InitialCapacity = 4;

    /// <summary>What an array costs beside its octets.</summary>
    private const int MessageOverhead = 24;

    private const int SlotSize = 8;

    private byte[]?[] _slots = [];
    private int _head;

    public int Count { get; private set; }

    /// <summary>
    /// Keeps a copy of the message that is <paramref name="ahead"/> (1 or more) after the expected one. False outside the window, and
    /// when the budget is spent.
    /// A second copy of the same message is not kept.
    /// </summary>
    public bool TryHold(int ahead, ReadOnlySpan<byte> message)
    {
        if (ahead >= window)
        {
            return false;
        }

        if (ahead < _slots.Length && _slots[Slot(ahead)] is not null)
        {
            return true;
        }

        int capacity = CapacityFor(ahead + 1);
        if (budget?.TryTake(((capacity - _slots.Length) * SlotSize) + CostOf(message)) == false)
        {
            return false;
        }

        Grow(capacity);
        _slots[Slot(ahead)] = message.ToArray();
        Count++;
        return true;
    }

    /// <summary>Takes the expected message out. The caller then calls <see cref="Shift"/>.</summary>
    public bool TryTakeFirst(out byte[] message)
    {
        byte[]? first = Count == 0 ? null : _slots[_head];
        if (first is null)
        {
            message = [];
            return false;
        }

        Free(ref _slots[_head]);
        message = first;
        return true;
    }

    /// <summary>The expected message was received: the next one is expected now.</summary>
    public void Shift()
    {
        if (Count == 0)
        {
            Clear();
            return;
        }

        // A copy of the expected message that was kept earlier is of no use any more.
        Free(ref _slots[_head]);
        _head = Slot(1);
    }

    /// <summary>Nothing that is kept will be asked for.</summary>
    public void Clear()
    {
        for (int i = 0; i < _slots.Length; i++)
        {
            Free(ref _slots[i]);
        }

        budget?.Return(_slots.Length * SlotSize);
        _slots = [];
        _head = 0;
    }

    private void Free(ref byte[]? slot)
    {
        if (slot is not null)
        {
            budget?.Return(CostOf(slot));
            slot = null;
            Count--;
        }
    }

    private static int CostOf(ReadOnlySpan<byte> message) => message.Length + MessageOverhead;

    private int Slot(int position) => (_head + position) & (_slots.Length - 1);

    private int CapacityFor(int positions)
    {
        int size = Math.Max(InitialCapacity, _slots.Length);
        while (size < positions)
        {
            size *= 2;
        }

        return size;
    }

    private void Grow(int capacity)
    {
        if (capacity == _slots.Length)
        {
            return;
        }

        var grown = new byte[]?[capacity];
        for (int i = 0; i < _slots.Length; i++)
        {
            grown[i] = _slots[Slot(i)];
        }

        _slots = grown;
        _head = 0;
    }
}
