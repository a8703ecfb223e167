namespace Culvert.Core.Tests;

public sealed class BoundedQueueTests
{
    [Fact]
    public void Refuses_and_counts_beyond_the_limit()
    {
        var queue = new BoundedQueue<int>(2);
        Assert.True(queue.TryEnqueue(1));
        Assert.True(queue.TryEnqueue(2));
        Assert.True(queue.IsFull);
        Assert.False(queue.TryEnqueue(3));
        Assert.Equal(1, queue.Refused);
        Assert.True(queue.TryDequeue(out int first));
        Assert.Equal(1, first);
    }

    [Fact]
    public void Keeps_order_while_it_wraps_and_grows()
    {
        var random = new SeededRandom(11);
        var queue = new BoundedQueue<int>(100);
        var model = new Queue<int>();
        for (int i = 0; i < 50_000; i++)
        {
            if (random.NextBelow(5) < 3 && model.Count < 100)
            {
                Assert.True(queue.TryEnqueue(i));
                model.Enqueue(i);
            }
            else
            {
                Assert.Equal(model.TryDequeue(out int expected), queue.TryDequeue(out int actual));
                Assert.Equal(expected, actual);
            }

            Assert.Equal(model.Count, queue.Count);
            Assert.Equal(model.TryPeek(out int head), queue.TryPeek(out int seen));
            Assert.Equal(head, seen);
        }
    }
}
