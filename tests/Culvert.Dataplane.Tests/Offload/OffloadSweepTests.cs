using Culvert.Core;
using Culvert.Dataplane.Offload;
using Culvert.Testing;

namespace Culvert.Dataplane.Tests.Offload;

/// <summary>Every size in both families, with marks and options: cut, joined and cut again they are the same octets, and nothing is allocated.</summary>
public class OffloadSweepTests
{
    [Theory]
    [InlineData(false, 6)]
    [InlineData(false, 17)]
    [InlineData(true, 6)]
    [InlineData(true, 17)]
    public void Every_size_survives_segmenting_and_joining(bool isIPv6, byte protocol)
    {
        byte[][] options = [[], Bench.Hex("0101080A0011223344556677"), Bench.Hex("01010101")];
        IEnumerable<int> sizes = Enumerable.Range(1, 200).Concat(Enumerable.Range(1, 20).Select(i => 200 + (i * 3167))).Concat([63_900, 64_000]);
        foreach (int octets in sizes)
        {
            var flow = new Flow
            {
                IsIPv6 = isIPv6,
                Protocol = protocol,
                Tos = (byte)octets,
                TcpOptions = options[octets % options.Length],
                Atomic = octets % 2 == 0,
                Ttl = (byte)(1 + (octets % 255)),
            };
            byte[] stream = Bench.Random((ulong)octets, octets);
            foreach (int payload in (int[])[1 + (octets / 40), Math.Max(1, octets / 2), octets, 1400])
            {
                List<byte[]> packets = flow.Stream(stream, payload, identification: (ushort)(octets * 7));
                Assert.Equal(packets, PacketCoalescerTests.Join(packets).SelectMany(r => r));
            }
        }
    }

    [Fact]
    public void Joining_allocates_nothing()
    {
        List<byte[]> packets = [];
        for (ushort port = 1; port < 8; port++)
        {
            var flow = new Flow { SourcePort = port, IsIPv6 = port % 2 == 0, Protocol = (byte)(port % 3 == 0 ? 17 : 6) };
            packets.AddRange(flow.Stream(Bench.Random(port, 30_000), 1000 + port));
        }

        packets.Add(new Flow().Packet([], 1));
        byte[] fresh = [.. packets.SelectMany(p => p)];
        byte[] memory = [.. fresh];
        var coalescer = new PacketCoalescer(packets.Count, withUdp: true);
        var pieces = new BufferRange[PacketCoalescer.LongestRun];
        int[] lengths = [.. packets.Select(p => p.Length)];
        int joined = 0;
        int rounds = 0;
        Assert.Equal(0, Allocation.Of(() =>
        {
            for (int i = 0; i < 1000; i++, rounds++)
            {
                fresh.CopyTo(memory, 0);
                int start = 0;
                foreach (int length in lengths)
                {
                    coalescer.Add(memory, new BufferRange(start, length));
                    start += length;
                }

                for (int run = 0; run < coalescer.Count; run++)
                {
                    joined += coalescer.Finish(memory, run, pieces, out _) - 1;
                }

                coalescer.Clear();
            }
        }));

        Assert.InRange(joined, rounds * (packets.Count - 20), rounds * packets.Count);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(17)]
    public void Cutting_and_finishing_checksums_allocate_nothing(byte protocol)
    {
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            var flow = new Flow { IsIPv6 = isIPv6, Protocol = protocol, Reversed = true };
            (byte[] super, OffloadHeader offload) = PacketSegmenterTests.Super(flow, new byte[30_000], 1400);
            Assert.Equal(0, new Rig().AllocatedBy(offload, super, rounds: 500));
            Assert.Equal(0, new Rig(Bench.Session() with { Mtu = 1300 }).AllocatedBy(offload, super, rounds: 500));
            byte[] one = flow.Packet(new byte[1000]);
            var unfinished = new OffloadHeader { NeedsChecksum = true, ChecksumStart = (ushort)(isIPv6 ? 40 : 20), ChecksumOffset = (ushort)(protocol == 6 ? 16 : 6) };
            Assert.Equal(0, new Rig().AllocatedBy(unfinished, one, rounds: 500));
        }
    }
}
