using Culvert.Core;
using Culvert.Dataplane.Offload;

namespace Culvert.Dataplane.Tests.Offload;

public class PacketCoalescerTests
{
    [Theory]
    [MemberData(nameof(PacketSegmenterTests.Shapes), MemberType = typeof(PacketSegmenterTests))]
    public void A_stream_becomes_runs_that_cut_into_the_same_packets(bool isIPv6, byte protocol, int octets, int payload)
    {
        var flow = new Flow { IsIPv6 = isIPv6, Protocol = protocol };
        List<byte[]> packets = flow.Stream(Bench.Random(1, octets), payload);
        List<List<byte[]>> runs = Join(packets);
        int longest = protocol == 6 ? PacketCoalescer.LongestRun : 64;
        Assert.Equal((packets.Count + longest - 1) / longest, runs.Count);
        Assert.Equal(packets, runs.SelectMany(r => r));
    }

    public static TheoryData<string> Differences() =>
        ["ports", "tos", "ecn", "ttl", "options", "flow label", "source", "not atomic, same id"];

    [Theory]
    [MemberData(nameof(Differences))]
    public void Packets_that_a_receiver_could_tell_apart_are_not_joined(string difference)
    {
        var flow = new Flow { IsIPv6 = difference == "flow label" };
        byte[] first = flow.Packet(new byte[100], 1000);
        byte[] second = difference switch
        {
            "ports" => (flow with { SourcePort = 1 }).Packet(new byte[100], 1100),
            "tos" => (flow with { Tos = 0x20 }).Packet(new byte[100], 1100),
            "ecn" => (flow with { Tos = 0x03 }).Packet(new byte[100], 1100),
            "ttl" => (flow with { Ttl = 63 }).Packet(new byte[100], 1100),
            "options" => (flow with { TcpOptions = Bench.Hex("0101080A0011223444556677") }).Packet(new byte[100], 1100),
            "flow label" => flow.Packet(new byte[100], 1100).Also(p => p[3] = 1),
            "source" => SwapSource(flow.Packet(new byte[100], 1100)),
            _ => (flow with { Atomic = false }).Packet(new byte[100], 1100),
        };
        if (difference == "not atomic, same id")
        {
            first = (flow with { Atomic = false }).Packet(new byte[100], 1000);
        }

        Assert.Equal([[first], [second]], Join([first, second]));
    }

    [Theory]
    [InlineData(0x12, "SYN")]
    [InlineData(0x11, "FIN")]
    [InlineData(0x14, "RST")]
    [InlineData(0x30, "URG")]
    [InlineData(0x90, "CWR")]
    [InlineData(0x00, "no ACK")]
    public void Packets_with_a_flag_that_means_more_travel_alone(byte flags, string name)
    {
        var flow = new Flow();
        byte[][] packets = [flow.Packet(new byte[9], 0), flow.Packet(new byte[9], 9, flags), flow.Packet(new byte[9], 18)];
        Assert.Equal((name, 3), (name, Join(packets).Count));
    }

    [Fact]
    public void ECE_on_all_packets_does_not_part_them_and_on_one_does()
    {
        var flow = new Flow();
        Assert.Single(Join([flow.Packet(new byte[9], 0, 0x50), flow.Packet(new byte[9], 9, 0x50)]));
        Assert.Equal(2, Join([flow.Packet(new byte[9], 0, 0x10), flow.Packet(new byte[9], 9, 0x50)]).Count);
    }

    [Fact]
    public void A_push_or_a_shorter_packet_ends_a_run()
    {
        var flow = new Flow();
        byte[][] packets =
        [
            flow.Packet(new byte[9], 0), flow.Packet(new byte[9], 9, 0x18), flow.Packet(new byte[9], 18), flow.Packet(new byte[8], 27),
            flow.Packet(new byte[8], 35), flow.Packet(new byte[9], 43),
        ];
        Assert.Equal([2, 2, 1, 1], Join(packets).Select(r => r.Count));
    }

    [Fact]
    public void Gaps_repetitions_acknowledgements_and_windows_part_runs()
    {
        var flow = new Flow();
        byte[] first = flow.Packet(new byte[9], 100);
        Assert.Equal(2, Join([first, flow.Packet(new byte[9], 110)]).Count);
        Assert.Equal(2, Join([first, first]).Count);
        Assert.Equal(2, Join([first, flow.Packet(new byte[9], 109, acknowledgement: 8)]).Count);
        Assert.Equal(2, Join([first, flow.Packet(new byte[9], 109, window: 501)]).Count);
        Assert.Equal(2, Join([first, flow.Packet([], 109)]).Count);
        Assert.Single(Join([first, flow.Packet(new byte[9], 109)]));
    }

    [Fact]
    public void A_wrong_checksum_is_not_covered_by_a_right_one()
    {
        foreach (int spoiled in (int[])[0, 1])
        {
            foreach (int octet in (int[])[10, 60])
            {
                byte[][] packets = [new Flow().Packet(new byte[90], 0), new Flow().Packet(new byte[90], 90)];
                packets[spoiled][octet] ^= 1;
                Assert.Equal([[packets[0]], [packets[1]]], Join(packets));
            }
        }

        var datagrams = new Flow { Protocol = 17 };
        byte[] unprotected = datagrams.Packet(new byte[9]).Also(p => p[26] = p[27] = 0);
        Assert.Equal(2, Join([unprotected, unprotected]).Count);
    }

    [Fact]
    public void Flows_are_joined_side_by_side_and_each_stays_in_order()
    {
        Flow[] flows = [.. Enumerable.Range(1, 20).Select(i => new Flow { SourcePort = (ushort)i, IsIPv6 = i % 3 == 0, Protocol = (byte)(i % 2 == 0 ? 6 : 17) })];
        List<byte[]>[] streams = [.. flows.Select((f, i) => f.Stream(Bench.Random((ulong)i, 9000), 700 + i))];
        List<byte[]> mixed = [];
        for (int i = 0; i < streams.Max(s => s.Count); i++)
        {
            mixed.AddRange(streams.Where(s => i < s.Count).Select(s => s[i]));
        }

        List<List<byte[]>> runs = Join(mixed);
        Assert.InRange(runs.Count, 20, 30);
        for (int i = 0; i < flows.Length; i++)
        {
            int ports = flows[i].IsIPv6 ? 40 : 20;
            IEnumerable<byte[]> mine = runs.SelectMany(r => r)
                .Where(p => (p[0] >> 4 == 6) == flows[i].IsIPv6 && p[ports] == 0 && p[ports + 1] == flows[i].SourcePort);
            Assert.Equal(streams[i], mine);
        }
    }

    [Fact]
    public void Nothing_overtakes_a_fragment_or_an_acknowledgement_of_its_flow()
    {
        var flow = new Flow();
        byte[] fragment = Bench.IPv4(Bench.Subscriber, Bench.Server, 6, new byte[40], 0x2000);
        foreach (byte[] between in (byte[][])[fragment, flow.Packet([], 9)])
        {
            byte[][] packets = [flow.Packet(new byte[9], 0), between, flow.Packet(new byte[9], 9)];
            Assert.Equal(packets, Join(packets).SelectMany(r => r));
            Assert.Equal(3, Join(packets).Count);
        }
    }

    [Fact]
    public void Without_UDP_runs_datagrams_travel_alone()
    {
        var flow = new Flow { Protocol = 17 };
        List<byte[]> packets = flow.Stream(new byte[900], 100);
        Assert.Equal(9, Join(packets, withUdp: false).Count);
    }

    [Fact]
    public void Without_TCP_runs_segments_travel_alone()
    {
        List<byte[]> packets = new Flow().Stream(new byte[900], 100);
        Assert.Equal(9, Join(packets, withTcp: false).Count);
        Assert.Single(Join(packets, withUdp: false));
    }

    [Fact]
    public void What_is_joined_follows_the_device_that_the_next_batch_is_for()
    {
        var coalescer = new PacketCoalescer(9);
        foreach ((byte protocol, bool withUdp, bool withTcp, int runs) in ((byte, bool, bool, int)[])
            [(17, false, true, 9), (17, true, true, 1), (6, true, true, 1), (6, true, false, 9), (17, false, false, 9)])
        {
            List<byte[]> packets = new Flow { Protocol = protocol }.Stream(new byte[900], 100);
            coalescer.WithUdp = withUdp;
            coalescer.WithTcp = withTcp;
            int start = 0;
            foreach (byte[] packet in packets)
            {
                coalescer.Add([.. packets.SelectMany(p => p)], new BufferRange(start, packet.Length));
                start += packet.Length;
            }

            Assert.Equal(runs, coalescer.Count);
            coalescer.Clear();
        }
    }

    [Fact]
    public void Hostile_packets_come_out_as_they_went_in()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = new SeededRandom(seed);
            List<byte[]> packets = new Flow { IsIPv6 = seed % 2 == 0, Protocol = (byte)(seed % 3 == 0 ? 17 : 6), Atomic = seed % 5 != 0 }
                .Stream(Bench.Random(seed, 2000), 100);
            for (int i = 0; i < packets.Count; i++)
            {
                // Neither the lengths, because what is added has been measured, nor what makes it another flow, which may be overtaken.
                int first = seed % 2 == 0 ? 44 : 24;
                int at = random.NextUInt32() % 4 == 0 ? 1 : first + (int)(random.NextUInt32() % (uint)(packets[i].Length - first));
                if (random.NextUInt32() % 3 == 0)
                {
                    packets[i][at] ^= (byte)(1 << (int)(random.NextUInt32() % 8));
                }
            }

            Assert.Equal(packets, Join(packets).SelectMany(r => r));
        }
    }

    /// <summary>Joins, and cuts each run again with the segmenter, which has tests of its own.</summary>
    internal static List<List<byte[]>> Join(IReadOnlyCollection<byte[]> packets, bool withUdp = true, bool withTcp = true)
    {
        byte[] memory = [.. packets.SelectMany(p => p)];
        var coalescer = new PacketCoalescer(packets.Count, withUdp, withTcp);
        int start = 0;
        foreach (byte[] packet in packets)
        {
            coalescer.Add(memory, new BufferRange(start, packet.Length));
            start += packet.Length;
        }

        Assert.True(coalescer.IsFull || packets.Count > coalescer.Count);
        List<List<byte[]>> runs = [];
        var pieces = new BufferRange[PacketCoalescer.LongestRun];
        for (int run = 0; run < coalescer.Count; run++)
        {
            int count = coalescer.Finish(memory, run, pieces, out OffloadHeader offload);
            byte[] whole = [.. pieces[..count].SelectMany(p => memory[p.Offset..p.End])];
            runs.Add(offload.Kind == SegmentKind.None ? [whole] : Cut(whole, offload));
            Assert.Equal(coalescer.PacketsIn(run), runs[^1].Count);
        }

        coalescer.Clear();
        Assert.Equal(0, coalescer.Count);
        return runs;
    }

    private static List<byte[]> Cut(byte[] super, OffloadHeader offload)
    {
        // The kernel adds the transport's octets to the pseudo-header's sum, and must then have a sound packet.
        byte[] finished = [.. super];
        ushort sum = Bench.SlowChecksum(finished.AsSpan(offload.ChecksumStart));
        finished[offload.ChecksumStart + offload.ChecksumOffset] = (byte)(sum >> 8);
        finished[offload.ChecksumStart + offload.ChecksumOffset + 1] = (byte)sum;
        bool isIPv6 = super[0] >> 4 == 6;
        IpAddress source = IpAddress.FromBytes(isIPv6 ? super.AsSpan(8, 16) : super.AsSpan(12, 4));
        IpAddress destination = IpAddress.FromBytes(isIPv6 ? super.AsSpan(24, 16) : super.AsSpan(16, 4));
        byte protocol = super[isIPv6 ? 6 : 9];
        Assert.Equal(0, Bench.TransportChecksum(source, destination, protocol, finished.AsSpan(offload.ChecksumStart)));
        Assert.True(isIPv6 || Bench.SlowChecksum(finished.AsSpan(0, 20)) == 0);

        Assert.True(PacketSegmenter.TryCreate(super, offload, out PacketSegmenter segmenter));
        List<byte[]> packets = [];
        for (int i = 0; i < segmenter.Count; i++)
        {
            byte[] packet = new byte[segmenter.LengthOf(i)];
            segmenter.Write(i, packet);
            packets.Add(packet);
        }

        return packets;
    }

    private static byte[] SwapSource(byte[] packet)
    {
        packet[15] ^= 1;
        packet[10] = packet[11] = 0;
        ushort header = Bench.SlowChecksum(packet.AsSpan(0, 20));
        (packet[10], packet[11]) = ((byte)(header >> 8), (byte)header);
        packet[36] = packet[37] = 0;
        ushort sum = Bench.TransportChecksum(IpAddress.FromBytes(packet.AsSpan(12, 4)), Bench.Server, 6, packet.AsSpan(20));
        (packet[36], packet[37]) = ((byte)(sum >> 8), (byte)sum);
        return packet;
    }
}
