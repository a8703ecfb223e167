using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>What is kept of a data message that waits for an earlier one, beside its octets.</summary>
internal struct HeldFrame
{
    /// <summary>The next of the same session, or of the free ones.</summary>
    public int Next;
    public int Length;
    public ushort Ns;
    public byte TrafficClass;
    public Timestamp Since;
}

/// <summary>
/// A shard's memory for data messages that wait. It grows by slabs up to its limit, and is kept then: a path that reorders does so
/// again.
/// </summary>
/// <param name="limit">Messages in all.</param>
internal sealed class HeldFrames(int limit)
{
    /// <summary>Octets of the largest datagram that waits: a full Ethernet frame with room. Larger ones are not held back.</summary>
    public const int FrameSize = 2048;

    private const int SlabShift = 6;
    private const int SlabFrames = 1 << SlabShift;

    private readonly byte[]?[] _slabs = new byte[]?[(limit + SlabFrames - 1) / SlabFrames];
    private readonly HeldFrame[]?[] _facts = new HeldFrame[]?[(limit + SlabFrames - 1) / SlabFrames];
    private int _firstFree = SequenceWindow.None;
    private int _used;

    /// <summary>Frames that are held now.</summary>
    public int Count { get; private set; }

    public ref HeldFrame this[int frame] => ref _facts[frame >> SlabShift]![frame & (SlabFrames - 1)];

    public Span<byte> Octets(int frame) =>
        _slabs[frame >> SlabShift].AsSpan((frame & (SlabFrames - 1)) * FrameSize, FrameSize);

    public bool TryTake(out int frame)
    {
        frame = _firstFree;
        if (frame != SequenceWindow.None)
        {
            _firstFree = this[frame].Next;
        }
        else if (_used < limit)
        {
            frame = _used++;
            if ((frame & (SlabFrames - 1)) == 0)
            {
                _slabs[frame >> SlabShift] = GC.AllocateUninitializedArray<byte>(SlabFrames * FrameSize);
                _facts[frame >> SlabShift] = new HeldFrame[SlabFrames];
            }
        }
        else
        {
            return false;
        }

        Count++;
        return true;
    }

    public void Free(int frame)
    {
        this[frame].Next = _firstFree;
        _firstFree = frame;
        Count--;
    }
}
