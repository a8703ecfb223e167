using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Culvert.Dataplane;

/// <summary>A fixed power of two of entries, each on its own cache line, in memory that the collector neither moves nor scans.</summary>
internal sealed class SessionSlots
{
    private readonly byte[] _memory;
    private readonly nint _first;
    private readonly uint _mask;

    public SessionSlots(int count)
    {
        count = (int)BitOperations.RoundUpToPowerOf2((uint)count);
        _memory = GC.AllocateArray<byte>((count + 1) * SessionEntry.Size, pinned: true);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
        _first = -address & (SessionEntry.Size - 1);
        _mask = (uint)count - 1;
    }

    public int Count => (int)_mask + 1;

    public ref SessionEntry this[uint key] => ref At(Mix(key) & _mask);

    public ref SessionEntry At(uint slot)
    {
        ref byte start = ref MemoryMarshal.GetArrayDataReference(_memory);
        nint offset = _first + ((nint)(slot & _mask) * SessionEntry.Size);
        return ref Unsafe.As<byte, SessionEntry>(ref Unsafe.AddByteOffset(ref start, offset));
    }

    /// <summary>
    /// Where a key lives, before masking. Two keys that differ in some of the low bits keep differing when more bits are used, so
    /// doubling never brings entries together. The low sixteen bits are a permutation of the session ID for any one tunnel: a
    /// single tunnel can fill a table of 65,536 slots with its 65,535 IDs. The high bits, used by larger tables, spread over all.
    /// </summary>
    public static uint Mix(uint key)
    {
        uint tunnel = (key >> 16) * 0x9E3779B1;
        uint spread = key;
        spread ^= spread >> 15;
        spread *= 0x2C1B3C6D;
        spread ^= spread >> 12;
        spread *= 0x297A2D39;
        return (spread & 0xFFFF0000) | ((key ^ (tunnel >> 16)) & 0xFFFF);
    }
}
