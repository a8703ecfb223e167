using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Blast;

/// <summary>
/// Sends through sockets, many datagrams in one call. One after another of the same size to the same peer, whatever their sessions,
/// lie in one piece of memory that the kernel cuts up (UDP_SEGMENT): they pass its layers once.
/// </summary>
internal sealed class SegmentedSender : IDatagramSink, IDisposable
{
    /// <summary>UDP_SEGMENT's own limits: 64 segments (UDP_MAX_SEGMENTS) in one datagram's worth of octets.</summary>
    private const int MostSegments = 64;
    private const int LongestRun = 65_507;

    private const int RunsPerCall = 32;
    private const int DatagramsPerCall = 256;

    private readonly Port[] _ports;
    private readonly bool _segments;

    /// <param name="sockets">Where datagrams leave.</param>
    /// <param name="segments">False: one by one, for devices and kernels without UDP_SEGMENT.</param>
    public SegmentedSender(IReadOnlyList<UdpSocket> sockets, bool segments)
    {
        _segments = segments;
        _ports = [.. sockets.Select(s => new Port(
            segments ? new SendBatch(s, RunsPerCall, 1 << 16) : new SendBatch(s, DatagramsPerCall, BlastEngine.MaxDatagramSize)))];
    }

    /// <summary>Datagrams (or runs of them) that the kernel did not take.</summary>
    public long Dropped => _ports.Sum(p =>
    {
        SendCounters counters = p.Batch.Counters;
        return (long)(counters.Congested + counters.TooBig + counters.Unsendable);
    });

    public Span<byte> Reserve(int socket)
    {
        Port port = _ports[socket];
        if (port.Length + BlastEngine.MaxDatagramSize > LongestRun || port.Count == MostSegments)
        {
            port.EndRun();
        }

        return port.Batch.Reserve().Slice(port.Length, BlastEngine.MaxDatagramSize);
    }

    public void Commit(int socket, int length, in UdpPath path)
    {
        Port port = _ports[socket];
        if (!_segments)
        {
            port.Batch.Commit(length, path);
            return;
        }

        if (port.Count > 0 && (length > port.SegmentSize || path != port.Path))
        {
            Span<byte> written = port.Batch.Reserve().Slice(port.Length, length);
            port.EndRun();
            written.CopyTo(port.Batch.Reserve());
        }

        port.Append(length, path);
    }

    public void Flush()
    {
        foreach (Port port in _ports)
        {
            port.EndRun();
            if (port.Batch.Count > 0)
            {
                _ = port.Batch.Flush();
            }
        }
    }

    public void Dispose()
    {
        foreach (Port port in _ports)
        {
            port.Batch.Dispose();
        }
    }

    private sealed class Port(SendBatch batch)
    {
        public SendBatch Batch { get; } = batch;

        /// <summary>Octets, datagrams, size of a datagram and path of the run that is being gathered.</summary>
        public int Length { get; private set; }

        public int Count { get; private set; }

        public int SegmentSize { get; private set; }

        public UdpPath Path { get; private set; }

        public void Append(int length, in UdpPath path)
        {
            if (Count == 0)
            {
                SegmentSize = length;
                Path = path;
            }

            Length += length;
            Count++;
            if (length < SegmentSize)
            {
                EndRun(); // only the last may be shorter
            }
        }

        public void EndRun()
        {
            if (Count > 0)
            {
                Batch.Commit(Length, Path, (ushort)(Count > 1 ? SegmentSize : 0));
                Length = 0;
                Count = 0;
            }
        }
    }
}
