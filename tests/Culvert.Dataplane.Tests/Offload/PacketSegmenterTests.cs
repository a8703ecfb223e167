using Culvert.Dataplane.Offload;

namespace Culvert.Dataplane.Tests.Offload;

public class PacketSegmenterTests
{
    public static TheoryData<bool, byte, int, int> Shapes()
    {
        var data = new TheoryData<bool, byte, int, int>();
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            foreach (byte protocol in (byte[])[6, 17])
            {
                foreach ((int octets, int payload) in ((int, int)[])[(1, 1), (2, 1), (3000, 1400), (2800, 1400), (65_000, 1380), (65_000, 1381), (64, 63)])
                {
                    data.Add(isIPv6, protocol, octets, payload);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Segments_are_the_packets_that_a_network_card_sends(bool isIPv6, byte protocol, int octets, int payload)
    {
        var flow = new Flow { IsIPv6 = isIPv6, Protocol = protocol, TcpOptions = protocol == 6 ? Bench.Hex("0101080A0011223344556677") : [] };
        byte[] stream = Bench.Random((ulong)octets, octets);
        List<byte[]> expected = flow.Stream(stream, payload, sequence: 0xFFFF_FF00);
        (byte[] super, OffloadHeader offload) = Super(flow, stream, payload);

        Assert.True(PacketSegmenter.TryCreate(super, offload, out PacketSegmenter segmenter));
        Assert.Equal(expected.Count, segmenter.Count);
        byte[] room = new byte[70_000];
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Length, segmenter.LengthOf(i));
            Assert.Equal(expected[i].Length, segmenter.Write(i, room));
            Assert.Equal(expected[i], room[..expected[i].Length]);
        }
    }

    [Fact]
    public void CWR_is_on_the_first_segment_and_FIN_and_PSH_on_the_last()
    {
        var flow = new Flow();
        (byte[] super, OffloadHeader offload) = Super(flow, new byte[300], 100, flags: 0xD9);
        Assert.True(PacketSegmenter.TryCreate(super, offload with { HasCwr = true }, out PacketSegmenter segmenter));
        byte[] room = new byte[2000];
        byte[] flags = new byte[3];
        for (int i = 0; i < 3; i++)
        {
            int length = segmenter.Write(i, room);
            flags[i] = room[33];
            Assert.Equal(0, Bench.TransportChecksum(flow.Source, flow.Destination, 6, room.AsSpan(20, length - 20)));
        }

        Assert.Equal([0xD0, 0x50, 0x59], flags);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        var flow = new Flow();
        (byte[] super, OffloadHeader offload) = Super(flow, new byte[300], 100);
        Assert.True(PacketSegmenter.TryCreate(super, offload, out _));
        Assert.False(PacketSegmenter.TryCreate(super, offload with { SegmentSize = 0 }, out _));
        Assert.False(PacketSegmenter.TryCreate(super, offload with { Kind = SegmentKind.TcpIPv6 }, out _));
        Assert.False(PacketSegmenter.TryCreate(super, offload with { Kind = SegmentKind.Udp }, out _));
        Assert.False(PacketSegmenter.TryCreate(super, offload with { Kind = (SegmentKind)3 }, out _));
        Assert.False(PacketSegmenter.TryCreate(super.AsSpan(0, flow.HeaderLength), offload, out _));
        Assert.False(PacketSegmenter.TryCreate(super.AsSpan(0, 30), offload, out _));
        byte[] shortHeader = [.. super];
        shortHeader[32] = 0x10;
        Assert.False(PacketSegmenter.TryCreate(shortHeader, offload, out _));
        byte[] fragment = [.. super];
        fragment[6] = 0x20;
        Assert.False(PacketSegmenter.TryCreate(fragment, offload, out _));
    }

    [Fact]
    public void A_header_reads_back_as_it_was_written()
    {
        var offload = new OffloadHeader
        {
            NeedsChecksum = true,
            Kind = SegmentKind.TcpIPv6,
            HasCwr = true,
            HeaderLength = 72,
            SegmentSize = 1380,
            ChecksumStart = 40,
            ChecksumOffset = 16,
        };
        byte[] octets = new byte[OffloadHeader.Size];
        offload.Write(octets);
        Assert.Equal(Bench.Hex("01 84 4800 6405 2800 1000"), octets);
        Assert.True(OffloadHeader.TryRead(octets, out OffloadHeader read));
        Assert.Equal(offload, read);
        Assert.False(OffloadHeader.TryRead(octets.AsSpan(1), out _));
        octets[1] = 3;
        Assert.False(OffloadHeader.TryRead(octets, out _));
    }

    [Fact]
    public void Hostile_descriptions_never_throw()
    {
        byte[] room = new byte[1 << 17];
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            byte[] noise = Bench.Random(seed, 20 + (int)(seed % 120));
            noise[0] = (byte)(seed % 3 == 0 ? 0x45 : seed % 3 == 1 ? 0x60 : noise[0]);
            noise[9] = 6;
            noise[6] = (byte)(seed % 3 == 1 ? 17 : noise[6]);
            var offload = new OffloadHeader { Kind = (SegmentKind)(noise[1] % 6), SegmentSize = (ushort)(noise[2] % 40) };
            if (IpPacket.TryMeasureIPv4(noise, out _) || IpPacket.TryMeasureIPv6(noise, out _) || noise.Length >= 48)
            {
                if (PacketSegmenter.TryCreate(noise, offload, out PacketSegmenter segmenter))
                {
                    for (int i = 0; i < segmenter.Count; i++)
                    {
                        Assert.Equal(segmenter.LengthOf(i), segmenter.Write(i, room));
                    }
                }
            }
        }
    }

    /// <summary>All packets of a stream under one header, as the kernel hands them over.</summary>
    internal static (byte[] Packet, OffloadHeader Offload) Super(Flow flow, byte[] stream, int payload, byte flags = 0x18)
    {
        byte[] packet = flow.Packet(stream, 0xFFFF_FF00, flags, identification: 0xFFF0);
        int transport = flow.IsIPv6 ? 40 : 20;
        return (packet, new OffloadHeader
        {
            NeedsChecksum = true,
            Kind = flow.Protocol == 17 ? SegmentKind.Udp : flow.IsIPv6 ? SegmentKind.TcpIPv6 : SegmentKind.TcpIPv4,
            SegmentSize = (ushort)payload,
            HeaderLength = (ushort)flow.HeaderLength,
            ChecksumStart = (ushort)transport,
            ChecksumOffset = (ushort)(flow.Protocol == 17 ? 6 : 16),
        });
    }
}
