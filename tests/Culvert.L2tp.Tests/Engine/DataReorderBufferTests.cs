using Culvert.Core;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Sequenced data messages in order, within limits of number and time.</summary>
public sealed class DataReorderBufferTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData("1 2 3", 4, "1 2 3", 0, 0, 0)]
    [InlineData("1 3 2 4", 4, "1 2 3 4", 0, 0, 1)]
    [InlineData("1 2 2 1 3", 4, "1 2 3", 0, 2, 0)]
    [InlineData("1 3 3 2", 4, "1 2 3", 0, 1, 1)]
    [InlineData("1 4 5 9 10", 4, "1 4 5 9 10", 5, 0, 2)]
    [InlineData("1 3 2", 0, "1 3", 1, 1, 0)]
    [InlineData("65534 0 65535 1", 4, "65534 65535 0 1", 0, 0, 1)]
    public void Order_is_restored_and_the_rest_counted(string arrives, int depth, string leaves, int lost, int late, int reordered)
    {
        var buffer = new DataReorderBuffer(depth, Patience);
        var delivered = new List<int>();
        foreach (string ns in arrives.Split(' '))
        {
            Receive(buffer, ushort.Parse(ns), Timestamp.Zero, delivered);
        }

        Assert.Equal(leaves, string.Join(' ', delivered));
        Assert.Equal(new DataSequenceCounters(lost, late, reordered), buffer.Counters);
        Assert.Equal((0, Timestamp.Never), (buffer.Count, buffer.NextDeadline));
    }

    [Fact]
    public void Missing_message_is_waited_for_only_so_long()
    {
        var buffer = new DataReorderBuffer(8, Patience);
        var delivered = new List<int>();
        Receive(buffer, 1, Timestamp.Zero, delivered);
        Receive(buffer, 3, Timestamp.Zero, delivered);
        Receive(buffer, 6, Timestamp.Zero, delivered);
        Assert.Equal(Timestamp.Zero + Patience, buffer.NextDeadline);
        buffer.Advance(Timestamp.Zero + (Patience / 2));
        Assert.False(buffer.TryTake(Timestamp.Zero, out _));
        Expire(buffer, delivered);
        Assert.Equal([1, 3], delivered);
        Expire(buffer, delivered);
        Assert.Equal([1, 3, 6], delivered);
        Assert.Equal(3, buffer.Counters.Lost);
        Receive(buffer, 2, buffer.NextDeadline, delivered);
        Assert.Equal(1, buffer.Counters.Late);
        Assert.Equal((0, Timestamp.Never), (buffer.Count, buffer.NextDeadline));
    }

    [Fact]
    public void Whatever_comes_leaves_in_order_once_and_within_the_limit() => Repeat.Seeds(50, seed =>
    {
        var random = new SeededRandom(seed);
        const int Depth = 8;
        var buffer = new DataReorderBuffer(Depth, Patience);
        var delivered = new List<int>();
        Timestamp now = Timestamp.Zero;
        int next = 65_000;
        for (int i = 0; i < 2000; i++)
        {
            next += random.NextBelow(20) == 0 ? random.NextBelow(30) : 1;
            ushort ns = (ushort)(next - random.NextBelow(6));
            Receive(buffer, ns, now, delivered);
            now += TimeSpan.FromMilliseconds(random.NextBelow(20));
            buffer.Advance(now);
            Drain(buffer, now, delivered);
            Assert.InRange(buffer.Count, 0, Depth);
            Assert.Equal(buffer.Count > 0, buffer.NextDeadline != Timestamp.Never);
        }

        for (int i = 1; i < delivered.Count; i++)
        {
            Assert.True((short)(delivered[i] - delivered[i - 1]) > 0, $"{delivered[i]} after {delivered[i - 1]}");
        }
    });

    private static void Receive(DataReorderBuffer buffer, ushort ns, Timestamp now, List<int> delivered)
    {
        if (buffer.Receive(ns, [(byte)(ns >> 8), (byte)ns], now) == DataVerdict.Deliver)
        {
            delivered.Add(ns);
        }

        Drain(buffer, now, delivered);
    }

    private static void Expire(DataReorderBuffer buffer, List<int> delivered)
    {
        Timestamp at = buffer.NextDeadline;
        buffer.Advance(at);
        Drain(buffer, at, delivered);
    }

    private static void Drain(DataReorderBuffer buffer, Timestamp now, List<int> delivered)
    {
        while (buffer.TryTake(now, out byte[] frame))
        {
            delivered.Add((frame[0] << 8) | frame[1]);
        }
    }
}
