namespace Culvert.Core.Tests;

public sealed class DeadlineHeapTests
{
    [Fact]
    public void Takes_what_is_due_earliest_first()
    {
        var heap = new DeadlineHeap();
        heap.Set(7, Timestamp.FromMilliseconds(30));
        heap.Set(1, Timestamp.FromMilliseconds(10));
        heap.Set(3, Timestamp.FromMilliseconds(20));

        Assert.Equal(Timestamp.FromMilliseconds(10), heap.Next);
        Assert.True(heap.TryTakeDue(Timestamp.FromMilliseconds(20), out int first));
        Assert.True(heap.TryTakeDue(Timestamp.FromMilliseconds(20), out int second));
        Assert.False(heap.TryTakeDue(Timestamp.FromMilliseconds(20), out _));
        Assert.Equal((1, 3), (first, second));
    }

    [Fact]
    public void Never_removes()
    {
        var heap = new DeadlineHeap();
        heap.Set(5, Timestamp.Zero);
        heap.Set(5, Timestamp.Never);

        Assert.Equal(0, heap.Count);
        Assert.Equal(Timestamp.Never, heap.Next);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Agrees_with_a_sorted_list_whatever_is_done_to_it(ulong seed)
    {
        var random = new SeededRandom(seed);
        var heap = new DeadlineHeap();
        var model = new Dictionary<int, Timestamp>();
        for (int step = 0; step < 20_000; step++)
        {
            int index = random.NextBelow(300);
            switch (random.NextBelow(4))
            {
                case 0:
                    heap.Remove(index);
                    model.Remove(index);
                    break;
                case 1 when model.Count > 0:
                    Timestamp earliest = model.Values.Min();
                    Assert.True(heap.TryTakeDue(earliest, out int taken));
                    Assert.Equal(earliest, model[taken]);
                    model.Remove(taken);
                    break;
                default:
                    Timestamp at = Timestamp.FromMilliseconds(random.NextBelow(1000));
                    heap.Set(index, at);
                    model[index] = at;
                    break;
            }

            Assert.Equal(model.Count, heap.Count);
            Assert.Equal(model.Count == 0 ? Timestamp.Never : model.Values.Min(), heap.Next);
        }
    }
}
