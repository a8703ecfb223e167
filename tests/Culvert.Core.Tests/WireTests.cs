namespace Culvert.Core.Tests;

public sealed class WireTests
{
    [Fact]
    public void What_is_written_is_read_back()
    {
        Span<byte> buffer = stackalloc byte[64];
        var writer = new WireWriter(buffer);
        writer.WriteByte(0x01);
        writer.WriteUInt16(0x0203);
        writer.WriteUInt32(0x04050607);
        writer.WriteUInt64(0x08090A0B0C0D0E0F);
        writer.WriteBytes([0x10, 0x11]);
        writer.PatchUInt16(1, 0xFFFE);
        Assert.False(writer.Overflowed);
        Assert.Equal("01FFFE0405060708090A0B0C0D0E0F1011", Convert.ToHexString(writer.Written));

        var reader = new WireReader(writer.Written);
        Assert.True(reader.TryReadByte(out byte first) && first == 0x01);
        Assert.True(reader.TryReadUInt16(out ushort second) && second == 0xFFFE);
        Assert.True(reader.TryReadUInt32(out uint third) && third == 0x04050607);
        Assert.True(reader.TryReadUInt64(out ulong fourth) && fourth == 0x08090A0B0C0D0E0F);
        Assert.True(reader.TryReadBytes(2, out ReadOnlySpan<byte> rest) && rest.SequenceEqual((ReadOnlySpan<byte>)[0x10, 0x11]));
        Assert.Equal(0, reader.Remaining);
    }

    [Fact]
    public void A_failed_read_consumes_nothing()
    {
        var reader = new WireReader([1, 2, 3]);
        Assert.False(reader.TryReadUInt32(out _));
        Assert.False(reader.TryReadBytes(4, out _));
        Assert.False(reader.TryReadBytes(-1, out _));
        Assert.False(reader.TryReadUInt64(out _));
        Assert.Equal(3, reader.Remaining);
    }

    [Fact]
    public void Writing_beyond_the_end_is_remembered_and_writes_nothing_more()
    {
        Span<byte> buffer = stackalloc byte[3];
        var writer = new WireWriter(buffer);
        writer.WriteUInt16(0x0102);
        writer.WriteUInt16(0x0304);
        writer.WriteByte(0x05);
        Assert.True(writer.Overflowed);
        Assert.Equal(2, writer.Length);
        Assert.Equal("010200", Convert.ToHexString(buffer));
    }

    [Fact]
    public void A_seed_repeats_its_octets_however_they_are_drawn()
    {
        byte[] once = new byte[16];
        new SeededRandom(42).Fill(once);
        byte[] again = new byte[16];
        var random = new SeededRandom(42);
        random.Fill(again.AsSpan(0, 8));
        random.Fill(again.AsSpan(8));
        Assert.Equal(once, again);
        Assert.NotEqual(once.AsSpan(0, 8).ToArray(), once.AsSpan(8).ToArray());
    }

    [Fact]
    public void Time_saturates_instead_of_wrapping()
    {
        Assert.Equal(Timestamp.Never, Timestamp.Never + TimeSpan.FromDays(1));
        Assert.Equal(TimeSpan.FromMilliseconds(1500), Timestamp.FromMilliseconds(2000) - Timestamp.FromMilliseconds(500));
        Assert.Equal("1.500000s", Timestamp.FromMilliseconds(1500).ToString());
    }
}
