using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Culvert.Dataplane;

/// <summary>What the processor may do in advance. Nothing depends on it.</summary>
internal static unsafe class MemoryHint
{
    private const int CacheLine = 64;

    /// <summary>Begins to load a value into the cache; where the processor (or .NET on it) knows no such thing, does nothing.</summary>
    public static void Prefetch<T>(ref T value)
    {
        if (Sse.IsSupported)
        {
            // An address that has moved meanwhile is only a wasted hint.
            var start = (byte*)Unsafe.AsPointer(ref value);
            for (int line = 0; line < Unsafe.SizeOf<T>(); line += CacheLine)
            {
                Sse.Prefetch0(start + line);
            }
        }
    }
}
