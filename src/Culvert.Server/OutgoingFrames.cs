using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Server.Captures;

namespace Culvert.Server;

/// <summary>
/// The data plane's way out: frames are copied into the batch of the socket that serves their path. A copy of 1,500 octets costs
/// far less than what the kernel does with it afterwards, and leaves the TUN's buffer free for the next packet at once.
/// </summary>
internal ref struct OutgoingFrames(Listener[] listeners, Span<byte> buffer, Span<byte> scratch, CaptureTap[]? taps, Timestamp now) : IFrameSink
{
    private readonly Listener[] _listeners = listeners;
    private readonly Span<byte> _buffer = buffer;
    private readonly Span<byte> _scratch = scratch;
    private readonly CaptureTap[]? _taps = taps;
    private readonly Timestamp _now = now;

    public readonly bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass) =>
        TrySend(_buffer.Slice(offset, length), path, trafficClass);

    public readonly bool TryTake(int length, out Span<byte> room)
    {
        room = _scratch;
        return length <= _scratch.Length;
    }

    public readonly void Commit(int length, int frameLength, in UdpPath path, byte trafficClass)
    {
        for (int start = 0; start < length; start += frameLength)
        {
            _ = TrySend(_scratch.Slice(start, Math.Min(frameLength, length - start)), path, trafficClass);
        }
    }

    private readonly bool TrySend(ReadOnlySpan<byte> frame, in UdpPath path, byte trafficClass)
    {
        foreach (Listener listener in _listeners)
        {
            if (listener.Serves(path) && frame.Length <= listener.Outgoing.FrameSize)
            {
                frame.CopyTo(listener.Outgoing.Reserve());
                listener.Outgoing.Commit(frame.Length, path, trafficClass: trafficClass);
                if (_taps is not null)
                {
                    Tap(frame, path, listener.Socket.LocalPort);
                }

                return true;
            }
        }

        return false;
    }

    private readonly void Tap(ReadOnlySpan<byte> frame, in UdpPath path, ushort localPort)
    {
        foreach (CaptureTap tap in _taps!)
        {
            tap.Tap(frame, path, localPort, isSent: true, _now);
        }
    }
}
