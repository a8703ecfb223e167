namespace Culvert.Linux.Tests;

public sealed class PacketBufferTests
{
    [Theory]
    [InlineData(100)]
    [InlineData((1 << 16) + 32)]
    [InlineData(300_000)]
    [InlineData(4 << 20)]
    public void Blocks_of_every_size_are_zeroed_writable_and_apart(int size)
    {
        PacketBuffer[] buffers = [.. Enumerable.Range(0, 12).Select(_ => new PacketBuffer(size))];
        for (byte i = 0; i < buffers.Length; i++)
        {
            Assert.Equal(size, buffers[i].Octets.Length);
            Assert.Equal(-1, buffers[i].Octets.IndexOfAnyExcept((byte)0));
            buffers[i].Octets.Fill((byte)(i + 1));
        }

        for (byte i = 0; i < buffers.Length; i++)
        {
            Assert.Equal(-1, buffers[i].Octets.IndexOfAnyExcept((byte)(i + 1)));
            buffers[i].Dispose();
            Assert.Equal(0, buffers[i].Octets.Length);
            buffers[i].Dispose();
        }

        using var next = new PacketBuffer(size);
        Assert.Equal(-1, next.Octets.IndexOfAnyExcept((byte)0));
    }
}
