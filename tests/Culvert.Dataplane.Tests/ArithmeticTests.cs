using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class ArithmeticTests
{
    [Fact]
    public void The_example_of_RFC_1071_section_3()
    {
        Assert.Equal(0xDDF2, InternetChecksum.Sum(Bench.Hex("0001 F203 F4F5 F6F7")));
        Assert.Equal(0x220D, InternetChecksum.Compute(Bench.Hex("0001 F203 F4F5 F6F7")));
    }

    [Fact]
    public void The_fast_sum_agrees_with_the_slow_one_at_every_length_and_alignment()
    {
        byte[] octets = Bench.Random(1, 70_000);
        for (int length = 0; length < 600; length++)
        {
            for (int start = 0; start < 3; start++)
            {
                Assert.Equal(Bench.SlowChecksum(octets.AsSpan(start, length)), InternetChecksum.Compute(octets.AsSpan(start, length)));
            }
        }

        Assert.Equal(Bench.SlowChecksum(octets), InternetChecksum.Compute(octets));
        octets.AsSpan().Fill(0xFF);
        Assert.Equal(Bench.SlowChecksum(octets), InternetChecksum.Compute(octets));
        Assert.Equal(Bench.SlowChecksum(octets.AsSpan(0, 69_999)), InternetChecksum.Compute(octets.AsSpan(0, 69_999)));
    }

    [Fact]
    public void A_repaired_checksum_is_sound()
    {
        // RFC 1624 section 4: the case that the older equation got wrong.
        Assert.Equal(0x0000, InternetChecksum.Update(0xDD2F, 0x5555, 0x3285));
        var random = new SeededRandom(2);
        byte[] data = new byte[40];
        for (int i = 0; i < 20_000; i++)
        {
            random.Fill(data);
            data[0] = data[1] = 0;
            ushort checksum = InternetChecksum.Compute(data);
            int at = 2 + (random.NextBelow(19) * 2);
            ushort before = BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(at));
            ushort after = random.NextUInt16();
            BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(at), after);
            BinaryPrimitives.WriteUInt16BigEndian(data, InternetChecksum.Update(checksum, before, after));
            Assert.Equal(0, Bench.SlowChecksum(data));
        }
    }

    [Fact]
    public void Pseudo_headers_of_both_families()
    {
        byte[] body = Bench.Random(3, 33);
        foreach ((IpAddress a, IpAddress b) in new[] { (Bench.Server, Bench.Subscriber), (Bench.Server6, Bench.Subscriber6) })
        {
            ushort pseudo = InternetChecksum.PseudoHeader(a, b, 17, body.Length);
            Assert.Equal(Bench.TransportChecksum(a, b, 17, body), InternetChecksum.Compute(body, pseudo));
        }
    }

    // Outer IPv4 20 + UDP 8 + L2TP 6..12 + PPP 2..4; a path of 1538 keeps a 1492-octet subscriber packet whole.
    [Theory]
    [InlineData(1500, IpFamily.IPv4, TransmitFraming.None, 1464)]
    [InlineData(1500, IpFamily.IPv4, TransmitFraming.CompressProtocol, 1465)]
    [InlineData(1500, IpFamily.IPv4, TransmitFraming.AddressControl, 1462)]
    [InlineData(1500, IpFamily.IPv4, TransmitFraming.AddressControl | TransmitFraming.Length, 1460)]
    [InlineData(1500, IpFamily.IPv4, TransmitFraming.AddressControl | TransmitFraming.Length | TransmitFraming.Sequence, 1456)]
    [InlineData(1500, IpFamily.IPv6, TransmitFraming.AddressControl, 1442)]
    [InlineData(1538, IpFamily.IPv4, TransmitFraming.AddressControl | TransmitFraming.Length | TransmitFraming.Sequence, 1494)]
    [InlineData(80, IpFamily.IPv4, TransmitFraming.None, 68)]
    [InlineData(100_000, IpFamily.IPv4, TransmitFraming.None, 65_535)]
    public void What_is_left_inside_a_tunnel(int pathMtu, IpFamily outer, TransmitFraming framing, int expected) =>
        Assert.Equal(expected, TunnelMtu.For(pathMtu, outer, framing));

    [Theory]
    [InlineData(1460, IpFamily.IPv4, 1420)]
    [InlineData(1460, IpFamily.IPv6, 1400)]
    [InlineData(68, IpFamily.IPv6, 28)]
    public void The_segment_size_that_fills_a_packet(int mtu, IpFamily family, int expected) =>
        Assert.Equal(expected, TunnelMtu.MaximumSegmentSize(mtu, family));
}
