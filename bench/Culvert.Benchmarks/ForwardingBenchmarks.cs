using BenchmarkDotNet.Attributes;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;

namespace Culvert.Benchmarks;

/// <summary>What a packet costs between its receive call and its send call. All but one of these figures are for one packet.</summary>
public class ForwardingBenchmarks
{
    private const int Mss = 1420;
    private const int SegmentsInRun = 44;
    private const int SuperPacket = Packets.IPv4Header + Packets.TcpHeader + (SegmentsInRun * Mss);

    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];
    private readonly byte[] _room = new byte[1 << 17];
    private Subscribers _subscribers = null!;
    private byte[][] _frames = null!;
    private byte[][] _buffers = null!;
    private byte[] _run = null!;
    private OffloadHeader _offload;
    private int _next;

    /// <summary>Sessions whose packets come in turn.</summary>
    [Params(10, 60_000)]
    public int Sessions { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _subscribers = new Subscribers(Sessions);
        _frames = new byte[Sessions][];
        _buffers = new byte[Sessions][];
        for (int i = 0; i < Sessions; i++)
        {
            IpAddress address = Subscribers.AddressOf(i);
            _frames[i] = Packets.Frame(_subscribers.Keys[i], Packets.Udp(address, Packets.Server, 64));
            _buffers[i] = [.. new byte[Forwarder.Headroom], .. Packets.Udp(Packets.Server, address, 64)];
        }

        _run = [.. new byte[Forwarder.Headroom], .. Packets.Tcp(Packets.Server, Subscribers.AddressOf(0), 1, SuperPacket)];
        _offload = new OffloadHeader
        {
            NeedsChecksum = true,
            Kind = SegmentKind.TcpIPv4,
            HeaderLength = Packets.IPv4Header + Packets.TcpHeader,
            SegmentSize = Mss,
            ChecksumStart = Packets.IPv4Header,
            ChecksumOffset = 16,
        };
        Check();
    }

    [Benchmark]
    public VerdictKind Decapsulate()
    {
        byte[] frame = _frames[Next()];
        return _subscribers.Forwarder.Decapsulate(frame, Packets.Path).Kind;
    }

    [Benchmark]
    public long Encapsulate()
    {
        byte[] buffer = _buffers[Next()];
        var sink = new ForgettingSink(_room);
        _ = _subscribers.Forwarder.Encapsulate(buffer, Forwarder.Headroom, buffer.Length - Forwarder.Headroom, _reply, default, ref sink);
        return sink.Octets;
    }

    /// <summary>A run of 44 segments of TCP as the kernel hands it over, cut into frames; the time is one segment's.</summary>
    [Benchmark(OperationsPerInvoke = SegmentsInRun)]
    public long EncapsulateSegments()
    {
        var sink = new ForgettingSink(_room);
        _ = _subscribers.Forwarder.EncapsulateOffloaded(_offload, _run, Forwarder.Headroom, SuperPacket, _reply, default, ref sink);
        return sink.Octets;
    }

    private int Next() => _next = _next + 1 == Sessions ? 0 : _next + 1;

    // A benchmark of drops would be fast and mean nothing.
    private void Check()
    {
        if (Decapsulate() != VerdictKind.Deliver || Encapsulate() <= 64 || EncapsulateSegments() <= SuperPacket)
        {
            throw new InvalidOperationException("a packet was dropped");
        }
    }
}
