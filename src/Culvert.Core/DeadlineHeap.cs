namespace Culvert.Core;

/// <summary>
/// The next deadline of each of many engines, known by small integers: an indexed four-ary heap. Setting, moving and removing a
/// deadline cost O(log n); asking for the earliest costs nothing. Storage grows with the largest index used.
/// </summary>
public sealed class DeadlineHeap
{
    private const int Arity = 4;
    private const int Absent = -1;

    private readonly List<(Timestamp At, int Index)> _heap = [];
    private int[] _positions = [];

    /// <summary>The earliest deadline, or <see cref="Timestamp.Never"/>.</summary>
    public Timestamp Next => _heap.Count == 0 ? Timestamp.Never : _heap[0].At;

    public int Count => _heap.Count;

    /// <summary>Sets, moves or (with <see cref="Timestamp.Never"/>) removes the deadline of <paramref name="index"/>.</summary>
    public void Set(int index, Timestamp at)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (at == Timestamp.Never)
        {
            Remove(index);
            return;
        }

        EnsurePosition(index);
        int position = _positions[index];
        if (position == Absent)
        {
            position = _heap.Count;
            _heap.Add((at, index));
            _positions[index] = position;
            SiftUp(position);
        }
        else if (_heap[position].At != at)
        {
            _heap[position] = (at, index);
            SiftUp(position);
            SiftDown(_positions[index]);
        }
    }

    public void Remove(int index)
    {
        if (index >= _positions.Length || _positions[index] == Absent)
        {
            return;
        }

        int position = _positions[index];
        _positions[index] = Absent;
        (Timestamp At, int Index) last = _heap[^1];
        _heap.RemoveAt(_heap.Count - 1);
        if (position < _heap.Count)
        {
            _heap[position] = last;
            _positions[last.Index] = position;
            SiftUp(position);
            SiftDown(_positions[last.Index]);
        }
    }

    /// <summary>Takes out one index whose deadline is at or before <paramref name="now"/>, the earliest first.</summary>
    public bool TryTakeDue(Timestamp now, out int index)
    {
        if (_heap.Count == 0 || _heap[0].At > now)
        {
            index = Absent;
            return false;
        }

        index = _heap[0].Index;
        Remove(index);
        return true;
    }

    private void EnsurePosition(int index)
    {
        if (index < _positions.Length)
        {
            return;
        }

        int old = _positions.Length;
        Array.Resize(ref _positions, Math.Max(index + 1, old * 2));
        _positions.AsSpan(old).Fill(Absent);
    }

    private void SiftUp(int position)
    {
        (Timestamp At, int Index) moving = _heap[position];
        while (position > 0)
        {
            int parent = (position - 1) / Arity;
            if (_heap[parent].At <= moving.At)
            {
                break;
            }

            Place(position, _heap[parent]);
            position = parent;
        }

        Place(position, moving);
    }

    private void SiftDown(int position)
    {
        (Timestamp At, int Index) moving = _heap[position];
        while (true)
        {
            int first = (position * Arity) + 1;
            if (first >= _heap.Count)
            {
                break;
            }

            int least = first;
            int end = Math.Min(first + Arity, _heap.Count);
            for (int child = first + 1; child < end; child++)
            {
                if (_heap[child].At < _heap[least].At)
                {
                    least = child;
                }
            }

            if (_heap[least].At >= moving.At)
            {
                break;
            }

            Place(position, _heap[least]);
            position = least;
        }

        Place(position, moving);
    }

    private void Place(int position, (Timestamp At, int Index) entry)
    {
        _heap[position] = entry;
        _positions[entry.Index] = position;
    }
}
