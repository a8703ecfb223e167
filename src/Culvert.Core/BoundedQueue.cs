namespace Culvert.Core;

/// <summary>A first-in first-out queue with a hard limit. Storage grows by doubling up to the limit and shrinks when drained.</summary>
public sealed class BoundedQueue<T>
{
    private const int InitialCapacity = 4;

    private T[] _items = [];
    private int _head;

    /// <param name="limit">Most items held at once, at least 1.</param>
    public BoundedQueue(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        Limit = limit;
    }

    public int Limit { get; }

    public int Count { get; private set; }

    public bool IsFull => Count == Limit;

    /// <summary>Items refused because the queue was full, since the start.</summary>
    public long Refused { get; private set; }

    /// <summary>Adds at the end; false (and counted in <see cref="Refused"/>) when the limit is reached.</summary>
    public bool TryEnqueue(T item)
    {
        if (Count == Limit)
        {
            Refused++;
            return false;
        }

        if (Count == _items.Length)
        {
            Resize(Math.Min(Limit, Math.Max(InitialCapacity, _items.Length * 2)));
        }

        _items[Wrap(_head + Count)] = item;
        Count++;
        return true;
    }

    public bool TryDequeue(out T item)
    {
        if (Count == 0)
        {
            item = default!;
            return false;
        }

        item = _items[_head];
        _items[_head] = default!;
        _head = Wrap(_head + 1);
        Count--;
        if (Count == 0)
        {
            _head = 0;
            if (_items.Length > 64)
            {
                _items = [];
            }
        }

        return true;
    }

    public bool TryPeek(out T item)
    {
        item = Count > 0 ? _items[_head] : default!;
        return Count > 0;
    }

    public void Clear()
    {
        _items = [];
        _head = 0;
        Count = 0;
    }

    private int Wrap(int index) => index >= _items.Length ? index - _items.Length : index;

    private void Resize(int capacity)
    {
        var grown = new T[capacity];
        for (int i = 0; i < Count; i++)
        {
            grown[i] = _items[Wrap(_head + i)];
        }

        _items = grown;
        _head = 0;
    }
}
