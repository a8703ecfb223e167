using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>
/// How other threads talk to a shard: work is put in from anywhere, wakes the shard, and is carried out on its thread at the top of
/// its loop. Bounded: a caller that is faster than the shard is refused, not queued without end.
/// </summary>
internal sealed class Mailbox(WakeEvent wake)
{
    /// <summary>API calls and answers of resolvers; a shard carries out thousands per second, so a full box means that it is stuck.</summary>
    private const int Capacity = 1024;

    private readonly Lock _lock = new();
    private readonly BoundedQueue<Action> _work = new(Capacity);
    private bool _closed;
    private int _signalled;

    /// <summary>Runs <paramref name="work"/> on the shard and gives back what it answers.</summary>
    /// <exception cref="NodeException">The mailbox is full, or the shard has ended.</exception>
    public Task<T> Ask<T>(Func<T> work)
    {
        // Continuations must not run on the shard's thread.
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool taken = TryPost(() =>
        {
            try
            {
                answer.SetResult(work());
            }
            catch (Exception e)
            {
                answer.SetException(e);
            }
        });
        return taken ? answer.Task : throw new NodeException("the node is stopping or too busy to answer; try again");
    }

    /// <summary>Runs <paramref name="work"/> on the shard; false when the mailbox is full or closed.</summary>
    public bool TryPost(Action work)
    {
        lock (_lock)
        {
            if (_closed || !_work.TryEnqueue(work))
            {
                return false;
            }
        }

        Signal();
        return true;
    }

    /// <summary>From any thread: the shard looks at what it was given, here or elsewhere.</summary>
    public void Signal()
    {
        if (Interlocked.Exchange(ref _signalled, 1) == 0)
        {
            wake.Set();
        }
    }

    /// <summary>On the shard's thread: carries out what has been put in. Costs one read when there is nothing.</summary>
    public void Drain()
    {
        if (Volatile.Read(ref _signalled) == 0)
        {
            return;
        }

        // In this order: whoever signals after the write wakes the shard again, whoever signalled before it is served below.
        wake.Clear();
        Volatile.Write(ref _signalled, 0);

        // What has been put in so far: who puts in again at once, such as a listing its next page, waits until packets were served.
        for (int left = Count; left > 0 && TryTake(out Action work); left--)
        {
            work();
        }

        if (Count > 0)
        {
            Signal();
        }
    }

    private int Count
    {
        get
        {
            lock (_lock)
            {
                return _work.Count;
            }
        }
    }

    /// <summary>On the shard's thread, at its end: nothing more is taken in, and what waits is carried out so that no caller hangs.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }

        while (TryTake(out Action work))
        {
            work();
        }
    }

    private bool TryTake(out Action work)
    {
        lock (_lock)
        {
            return _work.TryDequeue(out work);
        }
    }
}
