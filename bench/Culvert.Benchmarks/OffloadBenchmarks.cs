using BenchmarkDotNet.Attributes;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;

namespace Culvert.Benchmarks;

/// <summary>Cutting and joining packets, and their checksums. The time is one packet's.</summary>
public class OffloadBenchmarks
{
    private const int Mss = 1420;
    private const int Segments = 44;
    private const int PacketLength = Packets.IPv4Header + Packets.TcpHeader + Mss;

    private readonly byte[] _target = new byte[2048];
    private readonly byte[] _memory = new byte[Segments * PacketLength];
    private readonly byte[] _received = new byte[Segments * PacketLength];
    private readonly BufferRange[] _pieces = new BufferRange[PacketCoalescer.LongestRun];
    private readonly PacketCoalescer _coalescer = new(Segments, withUdp: true);
    private readonly OffloadHeader _offload = new() { NeedsChecksum = true, Kind = SegmentKind.TcpIPv4, SegmentSize = Mss };
    private byte[] _run = null!;

    [GlobalSetup]
    public void SetUp()
    {
        IpAddress subscriber = Subscribers.AddressOf(0);
        _run = Packets.Tcp(Packets.Server, subscriber, 1, Packets.IPv4Header + Packets.TcpHeader + (Segments * Mss));
        for (int i = 0; i < Segments; i++)
        {
            Packets.Tcp(subscriber, Packets.Server, 1 + (uint)(i * Mss), PacketLength).CopyTo(_received, i * PacketLength);
        }

        _received.CopyTo(_memory, 0);
        if (Coalesce() != Segments || Segment() != Segments * PacketLength)
        {
            throw new InvalidOperationException("nothing was joined or cut");
        }
    }

    [Benchmark(OperationsPerInvoke = Segments)]
    public int Segment()
    {
        if (!PacketSegmenter.TryCreate(_run, _offload, out PacketSegmenter segmenter))
        {
            return 0;
        }

        int octets = 0;
        for (int i = 0; i < segmenter.Count; i++)
        {
            octets += segmenter.Write(i, _target);
        }

        return octets;
    }

    /// <summary>44 segments of one flow, joined into one run. The first packet, whose headers joining changes, is copied anew each time.</summary>
    [Benchmark(OperationsPerInvoke = Segments)]
    public int Coalesce()
    {
        _received.AsSpan(0, PacketLength).CopyTo(_memory);
        for (int i = 0; i < Segments; i++)
        {
            _coalescer.Add(_memory, new BufferRange(i * PacketLength, PacketLength));
        }

        int pieces = _coalescer.Finish(_memory, 0, _pieces, out _);
        _coalescer.Clear();
        return pieces;
    }

    [Benchmark]
    public ushort Checksum64Octets() => InternetChecksum.Compute(_run.AsSpan(0, 64));

    [Benchmark]
    public ushort Checksum1460Octets() => InternetChecksum.Compute(_run.AsSpan(0, 1460));

    [Benchmark]
    public ushort Checksum62000Octets() => InternetChecksum.Compute(_run.AsSpan(0, 62_000));
}
