using Culvert.Core;

namespace Culvert.Blast.Tests;

public sealed class StampedPacketTests
{
    private static readonly uint Source = IpAddress.Parse("100.64.0.2").ToUInt32();
    private static readonly uint Destination = IpAddress.Parse("198.51.100.9").ToUInt32();

    [Fact]
    public void Golden()
    {
        byte[] packet = new byte[50];
        new StampedPacket(0x01020304, 5, new Timestamp(0x1122334455667788)).Write(packet, 50, Source, Destination, 7, 0xCAFEBABE);
        Assert.Equal(
            "45000032000540004011AC37" + "64400002C6336409" + // IPv4: 50 octets, don't fragment, TTL 64, UDP
            "00070007001E0000" + // UDP: port 7 both ways, 30 octets, no checksum
            "CAFEBABE" + "01020304" + "00000005" + "1122334455667788" + "0000",
            Convert.ToHexString(packet));
    }

    [Theory]
    [InlineData(StampedPacket.MinimumSize)]
    [InlineData(576)]
    [InlineData(StampedPacket.MaximumSize)]
    public void What_was_written_is_read(int size)
    {
        byte[] packet = new byte[size];
        var stamped = new StampedPacket(59_999, uint.MaxValue, new Timestamp(123_456_789));
        stamped.Write(packet, size, Source, Destination, 7, 99);
        Assert.True(StampedPacket.TryRead(packet, 99, out StampedPacket read));
        Assert.Equal(stamped, read);
        Assert.False(StampedPacket.TryRead(packet, 98, out _)); // another run's
        Assert.False(StampedPacket.TryRead(packet.AsSpan(0, StampedPacket.MinimumSize - 1), 99, out _));
    }
}
