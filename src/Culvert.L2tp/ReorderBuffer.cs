namespace Culvert.L2tp;

/// <summary>
/// Messages that came before an earlier one: a slot for each position of the receive window after the expected message. Holds
/// storage only while something is missing.
/// </summary>
internal sealed class ReorderBuffer(int window)
{
    private const int InitialCapacity = 4;

    private byte[]?[] _slots = [];
    private int _head;

    public int Count { get; private set; }

    /// <summary>
    /// Keeps a copy of the message that is <paramref name="ahead"/> (1 or more) after the expected one. False outside the window.
    /// A second copy of the same message is not kept.
    /// </summary>
    public bool TryHold(int ahead, ReadOnlySpan<byte> message)
    {
        if (ahead >= window)
        {
            return false;
        }

        EnsureCapacity(ahead + 1);
        ref byte[]? slot = ref _slots[Slot(ahead)];
        if (slot is null)
        {
            slot = message.ToArray();
            Count++;
        }

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

        _slots[_head] = null;
        Count--;
        message = first;
        return true;
    }

    /// <summary>The expected message was received: the next one is expected now.</summary>
    public void Shift()
    {
        if (Count == 0)
        {
            _slots = [];
            _head = 0;
            return;
        }

        // A copy of the expected message that was kept earlier is of no use any more.
        if (_slots[_head] is not null)
        {
            _slots[_head] = null;
            Count--;
        }

        _head = Slot(1);
    }

    private int Slot(int position) => (_head + position) & (_slots.Length - 1);

    private void EnsureCapacity(int capacity)
    {
        if (capacity <= _slots.Length)
        {
            return;
        }

        int size = Math.Max(InitialCapacity, _slots.Length);
        while (size < capacity)
        {
            size *= 2;
        }

        var grown = new byte[]?[size];
        for (int i = 0; i < _slots.Length; i++)
        {
            grown[i] = _slots[Slot(i)];
        }

        _slots = grown;
        _head = 0;
    }
}
