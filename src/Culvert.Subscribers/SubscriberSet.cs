using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;

namespace Culvert.Subscribers;

/// <summary>The sessions of one shard: each has a small index, under which its deadline is kept, and a place in the queue of those with frames to send.</summary>
internal sealed class SubscriberSet
{
    private readonly List<Subscriber?> _byIndex = [];
    private readonly Stack<int> _freeIndices = new();
    private readonly DeadlineHeap _deadlines = new();
    private readonly Queue<Subscriber> _toTransmit = new();

    public int Count => _byIndex.Count - _freeIndices.Count;

    public int WaitingToTransmit => _toTransmit.Count;

    public Timestamp NextDeadline => _deadlines.Next;

    public Subscriber Add(Session session, ISessionRole role, PppLink link, Timestamp now)
    {
        if (!_freeIndices.TryPop(out int index))
        {
            index = _byIndex.Count;
            _byIndex.Add(null);
        }

        var subscriber = new Subscriber(index, session, role, link, now);
        _byIndex[index] = subscriber;
        return subscriber;
    }

    public void Remove(Subscriber subscriber)
    {
        _deadlines.Remove(subscriber.Index);
        _byIndex[subscriber.Index] = null;
        _freeIndices.Push(subscriber.Index);
    }

    public void SetDeadline(Subscriber subscriber, Timestamp at) => _deadlines.Set(subscriber.Index, at);

    public bool TryTakeDue(Timestamp now, out Subscriber subscriber)
    {
        bool found = _deadlines.TryTakeDue(now, out int index);
        subscriber = found ? _byIndex[index]! : null!;
        return found;
    }

    /// <summary>Queues a session once, however often it is asked.</summary>
    public void QueueToTransmit(Subscriber subscriber)
    {
        if (!subscriber.IsQueuedToTransmit)
        {
            subscriber.IsQueuedToTransmit = true;
            _toTransmit.Enqueue(subscriber);
        }
    }

    public bool TryPeekToTransmit(out Subscriber subscriber) => _toTransmit.TryPeek(out subscriber!);

    public void DropFromTransmit() => _toTransmit.Dequeue().IsQueuedToTransmit = false;

    /// <summary>The first becomes the last.</summary>
    public void RotateToTransmit() => _toTransmit.Enqueue(_toTransmit.Dequeue());

    /// <summary>Sessions with an index from <paramref name="first"/> on, at most <paramref name="most"/>; the index to go on with, or -1 at the end.</summary>
    public int Page(int first, int most, ICollection<Subscriber> page)
    {
        int index = first;
        for (; index < _byIndex.Count && page.Count < most; index++)
        {
            if (_byIndex[index] is { } subscriber)
            {
                page.Add(subscriber);
            }
        }

        return index < _byIndex.Count ? index : -1;
    }
}
