namespace Culvert.L2tp;

/// <summary>A control message that waits for its turn or its acknowledgement.</summary>
internal readonly record struct QueuedMessage(byte[] Message, bool IsHello);

/// <summary>
/// A bounded ring of messages, read at any position, removed from the front. An empty queue holds no storage to speak of.
/// </summary>
internal sealed class SendQueue(int limit)
{
    private const int InitialCapacity = 4;
    private const int KeptCapacity = 16;

    private QueuedMessage[] _ring = [];
    private int _head;

    public int Count { get; private set; }

    public QueuedMessage this[int position] => _ring[Slot(position)];

    public bool TryEnqueue(QueuedMessage message)
    {
        if (Count >= limit)
        {
            return false;
        }

        if (Count == _ring.Length)
        {
            Grow();
        }

        _ring[Slot(Count++)] = message;
        return true;
    }

    public void RemoveFirst(int count)
    {
        for (int i = 0; i < count; i++)
        {
            _ring[Slot(i)] = default;
        }

        _head = Slot(count);
        Count -= count;
        ReleaseWhenEmpty();
    }

    /// <summary>Keeps the first <paramref name="count"/> messages only.</summary>
    public void Truncate(int count)
    {
        while (Count > count)
        {
            _ring[Slot(--Count)] = default;
        }

        ReleaseWhenEmpty();
    }

    public void Clear() => Truncate(0);

    private int Slot(int position) => _ring.Length == 0 ? 0 : (_head + position) & (_ring.Length - 1);

    private void ReleaseWhenEmpty()
    {
        if (Count == 0 && _ring.Length > KeptCapacity)
        {
            _ring = [];
            _head = 0;
        }
    }

    private void Grow()
    {
        var grown = new QueuedMessage[Math.Max(InitialCapacity, _ring.Length * 2)];
        for (int i = 0; i < Count; i++)
        {
            grown[i] = this[i];
        }

        _ring = grown;
        _head = 0;
    }
}
