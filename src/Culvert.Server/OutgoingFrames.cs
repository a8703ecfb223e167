using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Server.Captures;

namespace Culvert.Server;

/// <summary>
/// The data plane's way out: the batch of the socket that serves a frame's path. Runs of segments are written where they leave from.
/// Single frames are copied there, which costs far less than what the kernel does with them afterwards, and leaves the TUN's buffer
/// free for the next packet at once.
/// </summary>
internal ref struct OutgoingFrames(Listener[] listeners, Span<byte> buffer, TapSet taps, Timestamp now) : IFrameSink
{
    private readonly Listener[] _listeners = listeners;
    private readonly Span<byte> _buffer = buffer;
    private readonly TapSet _taps = taps;
    private readonly Timestamp _now = now;
    private Listener? _lender;
    private Span<byte> _lent;

    public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
    {
        if (!TryTake(length, path, out Span<byte> room))
        {
            return false;
        }

        _buffer.Slice(offset, length).CopyTo(room);
        Commit(length, length, path, trafficClass, session);
        return true;
    }

    public bool TryTake(int length, in UdpPath path, out Span<byte> room)
    {
        foreach (Listener listener in _listeners)
        {
            if (listener.Serves(path) && length <= listener.Outgoing.FrameSize)
            {
                _lender = listener;
                _lent = room = listener.Outgoing.Reserve();
                return true;
            }
        }

        room = default;
        return false;
    }

    public readonly void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session)
    {
        _lender!.Outgoing.Commit(length, path, frameLength < length ? (ushort)frameLength : (ushort)0, trafficClass, session.Value);
        if (!_taps.IsEmpty)
        {
            for (int start = 0; start < length; start += frameLength)
            {
                _taps.Offer(_lent.Slice(start, Math.Min(frameLength, length - start)), path, _lender.Socket.LocalPort, isSent: true, _now);
            }
        }
    }
}
