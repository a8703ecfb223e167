using System.Buffers;
using Culvert.Core;

namespace Culvert.Ppp;

/// <summary>
/// Frames waiting to be pulled. Their storage comes from the shared pool and goes back when they are pulled, so an idle link holds
/// none, and answering echoes allocates nothing.
/// </summary>
internal sealed class FrameQueue
{
    /// <summary>
    /// One call makes a handful of frames at most; an owner that lets more pile up is not draining. Retransmission mends a drop.
    /// </summary>
    public const int Limit = 16;

    private readonly BoundedQueue<Frame> _frames = new(Limit);

    /// <summary>Frames dropped because nobody pulled.</summary>
    public long Dropped => _frames.Refused;

    public bool IsEmpty => _frames.Count == 0;

    public void Enqueue(ReadOnlySpan<byte> frame)
    {
        if (_frames.IsFull)
        {
            _ = _frames.TryEnqueue(default);
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(frame.Length);
        frame.CopyTo(buffer);
        _ = _frames.TryEnqueue(new Frame(buffer, frame.Length));
    }

    /// <summary>False when nothing waits, or (keeping it) when <paramref name="buffer"/> is too small.</summary>
    public bool TryDequeue(Span<byte> buffer, out int length)
    {
        length = 0;
        if (!_frames.TryPeek(out Frame frame) || frame.Length > buffer.Length)
        {
            return false;
        }

        _ = _frames.TryDequeue(out frame);
        frame.Octets.AsSpan(0, frame.Length).CopyTo(buffer);
        length = frame.Length;
        ArrayPool<byte>.Shared.Return(frame.Octets);
        return true;
    }

    public void Clear()
    {
        while (_frames.TryDequeue(out Frame frame))
        {
            ArrayPool<byte>.Shared.Return(frame.Octets);
        }

        _frames.Clear();
    }

    private readonly record struct Frame(byte[] Octets, int Length);
}
