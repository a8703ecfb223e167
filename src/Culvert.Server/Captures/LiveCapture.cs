using System.IO.Pipelines;
using Culvert.Capture;
using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server.Captures;

/// <summary>A capture in progress: takes datagrams out of the ring and writes pcapng until a limit is reached or somebody ends it.</summary>
internal sealed class LiveCapture
{
    /// <summary>At a hundred thousand packets per second the ring holds twice this time.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>For the reader to take what is left when a capture is over. Until then a tap looks at every packet.</summary>
    private static readonly TimeSpan ReaderPatience = TimeSpan.FromSeconds(5);

    private const int Slots = 4096;
    private const int UsualSlotSize = 2048;
    private const int OctetsPerFlush = 1 << 17;
    private const string Application = "culvert";

    private readonly CaptureRequest _request;
    private readonly Shard _shard;
    private readonly CaptureRing _ring;
    private readonly CaptureTap _tap;
    private readonly byte[] _packet;

    // The file counts from 1970, the shard from some start of its own.
    private readonly long _epochOffset;
    private readonly Timestamp _start = MonotonicClock.Now;
    private long _packets;
    private volatile bool _isFull;
    private volatile bool _isStopping;

    private LiveCapture(CaptureRequest request, Shard shard)
    {
        _request = request;
        _shard = shard;
        int slotSize = Math.Min(OuterHeaders.MaximumPayload, Math.Max(UsualSlotSize, shard.DatagramSize));
        _ring = new CaptureRing(Slots, slotSize);
        _tap = new CaptureTap(request, _ring);
        _packet = new byte[slotSize + OuterHeaders.MaximumSize];
        _epochOffset = ((DateTime.UtcNow - DateTime.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick) - _start.Nanoseconds;
    }

    /// <summary>Starts it: from now on datagrams are put aside.</summary>
    /// <exception cref="NodeException">There is nothing of that name, or too many captures run.</exception>
    public static async Task<LiveCapture> Start(CaptureRequest request, Shard shard)
    {
        var capture = new LiveCapture(request, shard);
        return await shard.Mailbox.Ask(() =>
        {
            capture._tap.Attach(shard.Access);
            shard.Taps.Add(capture._tap);
            return capture;
        });
    }

    /// <summary>Any thread: <see cref="Run"/> ends soon, and the file properly.</summary>
    public void Stop() => _isStopping = true;

    /// <summary>Writes until the end. Throws what the output throws; the shard is left in order whatever happens.</summary>
    public async Task Run(PipeWriter output, CancellationToken cancel)
    {
        var writer = new PcapNgWriter(output);
        bool isAttached = true;
        using var reader = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        cancel = reader.Token;
        Task watch = GiveUpWhenOver(reader);
        try
        {
            writer.WriteHeader(LinkType.Raw, Application, "l2tp", _request.ToString());
            await output.FlushAsync(cancel);
            while (!IsOver())
            {
                if (await Drain(writer, output, cancel) == 0)
                {
                    await Task.Delay(PollInterval, cancel);
                }
            }

            await Detach();
            isAttached = false;
            while (await Drain(writer, output, cancel) > 0)
            {
                // What the shard had put aside before it was told to stop belongs to the file.
            }

            writer.WriteStatistics(ToEpoch(_start), ToEpoch(MonotonicClock.Now), _ring.Accepted + _ring.Dropped, _ring.Dropped);
            await output.FlushAsync(cancel);
        }
        finally
        {
            await reader.CancelAsync();
            await watch;
            if (isAttached)
            {
                await Detach();
            }
        }
    }

    /// <summary>A reader that stands still would keep <see cref="Run"/> in its last write for ever, and the tap with it.</summary>
    private async Task GiveUpWhenOver(CancellationTokenSource reader)
    {
        try
        {
            while (!IsOver())
            {
                await Task.Delay(TimeSpan.FromSeconds(1), reader.Token);
            }

            await Task.Delay(ReaderPatience, reader.Token);
            await reader.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // It ended by itself.
        }
    }

    private bool IsOver() => _isFull || _isStopping || _shard.Ended.IsCompleted
        || (_request.Duration is { } duration && MonotonicClock.Now - _start >= duration);

    private async Task Detach()
    {
        while (!_shard.Ended.IsCompleted)
        {
            try
            {
                _ = await _shard.Mailbox.Ask(() => _shard.Taps.Remove(_tap));
                return;
            }
            catch (NodeException)
            {
                // Too busy, or about to end, and the tap with it.
                await Task.Delay(PollInterval);
            }
        }
    }

    private async Task<int> Drain(PcapNgWriter writer, PipeWriter output, CancellationToken cancel)
    {
        int count = WriteSome(writer);
        if (count > 0)
        {
            await output.FlushAsync(cancel);
        }

        return count;
    }

    private int WriteSome(PcapNgWriter writer)
    {
        long before = writer.Written;
        int count = 0;
        while (!_isFull && writer.Written - before < OctetsPerFlush && _ring.TryPeek(out TappedDatagram about, out ReadOnlySpan<byte> datagram))
        {
            var local = new PeerEndpoint(about.Path.Local, about.LocalPort);
            int length = about.IsSent
                ? OuterHeaders.Write(_packet, local, about.Path.Peer, datagram)
                : OuterHeaders.Write(_packet, about.Path.Peer, local, datagram);
            if (writer.Written + PcapNgWriter.SizeOfFrame(length, about.Comment) + PcapNgWriter.StatisticsSize > _request.MaximumOctets)
            {
                _isFull = true;
                break;
            }

            writer.WriteFrame(ToEpoch(about.At), about.IsSent ? FrameDirection.Sent : FrameDirection.Received, _packet.AsSpan(0, length), about.Comment);
            _ring.Release();
            count++;
            _isFull = ++_packets == _request.MaximumPackets;
        }

        return count;
    }

    private Timestamp ToEpoch(Timestamp at) => new(at.Nanoseconds + _epochOffset);
}
