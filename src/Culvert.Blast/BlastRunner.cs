using System.Diagnostics;
using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Blast;

/// <summary>The sockets of a run.</summary>
public sealed record BlastSockets
{
    /// <summary>One socket for each; tunnels are spread over them.</summary>
    public required IReadOnlyList<PeerEndpoint> Local { get; init; }

    /// <summary>Lets the kernel cut and join datagrams (UDP_SEGMENT, UDP_GRO).</summary>
    public bool Offloads { get; init; } = true;

    /// <summary>Octets of each receive and send buffer; a whole second of a storm may wait in it.</summary>
    public int BufferSize { get; init; } = 32 << 20;

    /// <summary>Where to leave the list of sessions once all are up, a <see cref="ListedSession"/> in each line; null: nowhere.</summary>
    public string? ListFile { get; init; }
}

/// <summary>
/// A run on real sockets: one thread with one loop, as a shard has. <see cref="RequestStop"/> and <see cref="Latest"/> may be used from
/// other threads.
/// </summary>
public sealed class BlastRunner : IDisposable
{
    private const int WakeToken = 0;
    private const int FirstSocketToken = 1;
    private const int DatagramsPerTurn = 64;
    private const int CoalescedSize = 1 << 16;

    /// <summary>Batches from one socket before others and the clock have their turn.</summary>
    private const int BatchesPerTurn = 4;

    private const byte ControlBit = 0x80;

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(500);

    private readonly BlastSettings _settings;
    private readonly BlastSockets _wanted;
    private readonly UdpSocket[] _sockets;
    private readonly SegmentedSender _sender;
    private readonly ReceiveBatch _incoming;
    private readonly Poller _poller = new();
    private readonly WakeEvent _wake = new();
    private readonly BlastEngine _engine;
    private long _unreachable;
    private volatile bool _stopRequested;
    private volatile BlastReport? _latest;

    /// <exception cref="LinuxException">A local address or port cannot be used.</exception>
    public BlastRunner(BlastSettings settings, BlastSockets sockets)
    {
        _settings = settings with { LocalAddresses = sockets.Local.Count };
        _wanted = sockets;
        _sockets = [.. sockets.Local.Select(local => UdpSocket.Open(new UdpSocketOptions
        {
            Address = local.Address,
            Port = local.Port,
            ReceiveCoalesced = sockets.Offloads,
            ReceiveBufferSize = sockets.BufferSize,
            SendBufferSize = sockets.BufferSize,
        }))];
        _sender = new SegmentedSender(_sockets, sockets.Offloads);
        _incoming = new ReceiveBatch(DatagramsPerTurn, sockets.Offloads ? CoalescedSize : BlastEngine.MaxDatagramSize);
        _poller.Add(_wake.Descriptor, WakeToken);
        for (int i = 0; i < _sockets.Length; i++)
        {
            _poller.Add(_sockets[i].Descriptor, FirstSocketToken + i);
        }

        _engine = new BlastEngine(_settings, _sender, new SystemRandomSource(), MonotonicClock.Now);
    }

    /// <summary>What has happened so far, twice a second; null in the first moment.</summary>
    public BlastReport? Latest => _latest;

    /// <summary>Port of the first socket: of use when the kernel chose it.</summary>
    public ushort LocalPort => _sockets[0].LocalPort;

    /// <summary>Ends the run in order: StopCCN to every peer.</summary>
    public void RequestStop()
    {
        _stopRequested = true;
        _wake.Set();
    }

    /// <summary>Runs to the end, which <see cref="BlastSettings.Duration"/> bounds, and returns the result.</summary>
    /// <exception cref="IOException">The list of sessions cannot be written.</exception>
    public BlastReport Run()
    {
        Timestamp nextReport = MonotonicClock.Now;
        bool isStopping = false;
        bool isListed = _wanted.ListFile is null;
        while (_engine.Phase != BlastPhase.Done)
        {
            bool more = ReceiveAll();
            Timestamp now = MonotonicClock.Now;
            if (_stopRequested && !isStopping)
            {
                isStopping = true;
                _engine.Stop(now);
            }

            _engine.Advance(now);
            _sender.Flush();
            if (!isListed && _engine.Phase == BlastPhase.Hold)
            {
                isListed = true;
                WriteList(_wanted.ListFile!);
            }

            if (now >= nextReport)
            {
                _latest = Report(now);
                nextReport = now + ReportInterval;
            }

            Timestamp next = Timestamp.Min(_engine.NextDeadline, nextReport);
            if (!more && next > MonotonicClock.Now)
            {
                Sleep(next);
            }
        }

        _latest = Report(MonotonicClock.Now);
        return _latest;
    }

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
        _incoming.Dispose();
        _sender.Dispose();
        foreach (UdpSocket socket in _sockets)
        {
            socket.Dispose();
        }
    }

    // Under another name at first: whoever waits for the file finds it whole.
    private void WriteList(string file)
    {
        PeerEndpoint[] local = [.. _sockets.Select((s, i) => new PeerEndpoint(_wanted.Local[i].Address, s.LocalPort))];
        File.WriteAllLines(file + ".part", _engine.ListSessions(local).Select(s => s.ToString()));
        File.Move(file + ".part", file, overwrite: true);
    }

    private bool ReceiveAll()
    {
        bool more = false;
        for (int s = 0; s < _sockets.Length; s++)
        {
            bool isFull = true;
            for (int batch = 0; batch < BatchesPerTurn && isFull; batch++)
            {
                isFull = ReceiveBatch(s);
            }

            more |= isFull;
        }

        return more;
    }

    private bool ReceiveBatch(int socket)
    {
        int count = _incoming.Receive(_sockets[socket]);
        Timestamp now = MonotonicClock.Now;
        for (int i = 0; i < count; i++)
        {
            if (_incoming.IsTruncated(i))
            {
                continue;
            }

            Span<byte> datagrams = _incoming.Datagram(i);
            int size = _incoming.SegmentSize(i) is > 0 and int segment ? segment : Math.Max(1, datagrams.Length);
            for (int start = 0; start < datagrams.Length; start += size)
            {
                Span<byte> datagram = datagrams.Slice(start, Math.Min(size, datagrams.Length - start));
                _engine.Receive(socket, (datagram[0] & ControlBit) != 0 ? _incoming.Path(i) : default, datagram, now);
            }
        }

        return count == _incoming.Capacity;
    }

    private void Sleep(Timestamp until)
    {
        int ready = _poller.Wait(until);
        for (int i = 0; i < ready; i++)
        {
            Readiness readiness = _poller.Ready(i);
            if (readiness.Token == WakeToken)
            {
                _wake.Clear();
            }
            else if (readiness.HasError)
            {
                UdpSocket socket = _sockets[readiness.Token - FirstSocketToken];
                for (int n = 0; n < DatagramsPerTurn && socket.TryReadError(out _); n++)
                {
                    _unreachable++;
                }
            }
        }
    }

    private BlastReport Report(Timestamp now)
    {
        using Process self = Process.GetCurrentProcess();
        var figures = new TransportFigures(
            _sockets.Sum(s => (long)s.KernelDrops), _sender.Dropped, _unreachable, self.WorkingSet64, self.TotalProcessorTime.TotalSeconds);
        return BlastReport.Of(_engine, _settings, figures, now);
    }
}
