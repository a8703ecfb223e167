using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Server.Tests;

public class HandoverTests
{
    [Fact]
    public void What_goes_in_comes_out_in_order_until_it_is_full()
    {
        var handover = new Handover();
        var path = new UdpPath(IpAddress.Parse("192.0.2.1"), new PeerEndpoint(IpAddress.Parse("192.0.2.7"), 1701));
        Assert.False(handover.TryPeek(out _, out _));
        for (int i = 0; i < Handover.Entries + 5; i++)
        {
            handover.Add(new HandedOver { IsDatagram = true, Path = path, TrafficClass = (byte)i }, BitConverter.GetBytes(i));
        }

        Assert.Equal(5, handover.Dropped);
        for (int i = 0; i < Handover.Entries; i++)
        {
            Assert.True(handover.TryPeek(out HandedOver facts, out Span<byte> octets));
            Assert.Equal((true, path, (byte)i, i), (facts.IsDatagram, facts.Path, facts.TrafficClass, BitConverter.ToInt32(octets)));
            handover.Remove();
        }

        Assert.False(handover.HasAny);
    }

    [Fact]
    public void Large_packets_wrap_and_what_has_no_room_is_counted()
    {
        var handover = new Handover();
        long added = 0;
        long taken = 0;
        var random = new SeededRandom(1);
        for (int round = 0; round < 20_000; round++)
        {
            if (random.NextUInt32() % 2 == 0)
            {
                byte[] octets = new byte[8 + (random.NextUInt32() % 65_000)];
                octets.AsSpan(8).Fill((byte)added);
                BinaryPrimitives.WriteInt64LittleEndian(octets, added);
                long before = handover.Dropped;
                handover.Add(new HandedOver { TrafficClass = 1 }, octets);
                added += handover.Dropped == before ? 1 : 0;
            }
            else if (handover.TryPeek(out _, out Span<byte> octets))
            {
                Assert.Equal(taken, BinaryPrimitives.ReadInt64LittleEndian(octets));
                Assert.Equal(-1, octets[8..].IndexOfAnyExcept((byte)taken));
                taken++;
                handover.Remove();
            }
        }

        Assert.InRange(added - taken, 0, 1 << 10);
        Assert.InRange(taken, 5_000, 20_000);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1 << 12)]
    [InlineData(1 << 16)]
    [InlineData(1 << 19)]
    [InlineData(1 << 20)]
    public void Packets_that_end_exactly_at_the_end_are_followed_by_others(int size)
    {
        var handover = new Handover();
        byte[] octets = new byte[size];
        for (int i = 0; i < 3 * ((1 << 20) / size); i++)
        {
            octets.AsSpan().Fill((byte)i);
            handover.Add(default, octets);
            Assert.True(handover.TryPeek(out _, out Span<byte> taken));
            Assert.True(octets.AsSpan().SequenceEqual(taken));
            handover.Remove();
        }

        Assert.Equal(0, handover.Dropped);
        handover.Add(default, new byte[(1 << 20) + 1]);
        Assert.Equal(1, handover.Dropped);
    }

    [Fact]
    public async Task Two_threads_lose_nothing()
    {
        const int Count = 200_000;
        var handover = new Handover();
        Task producer = Task.Run(() =>
        {
            byte[] octets = new byte[64];
            for (int i = 0; i < Count; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(octets, i);
                long before = handover.Dropped;
                do
                {
                    before = handover.Dropped;
                    handover.Add(new HandedOver { TrafficClass = (byte)i }, octets.AsSpan(0, 4 + (i % 60)));
                }
                while (handover.Dropped != before);
            }
        }, TestContext.Current.CancellationToken);
        for (int i = 0; i < Count;)
        {
            if (handover.TryPeek(out HandedOver facts, out Span<byte> octets))
            {
                Assert.Equal((i, (byte)i, 4 + (i % 60)), (BinaryPrimitives.ReadInt32LittleEndian(octets), facts.TrafficClass, octets.Length));
                handover.Remove();
                i++;
            }
        }

        await producer;
        Assert.False(handover.HasAny);
    }
}
