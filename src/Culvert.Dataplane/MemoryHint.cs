using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Culvert.Dataplane;

/// <summary>What the processor may do in advance. Nothing depends on it.</summary>
internal static unsafe class MemoryHint
{
    /// <summary>Begins to load a cache line; where the processor (or .NET on it) knows no such thing, does nothing.</summary>
    public static void Prefetch<T>(ref T value)
    {
        if (Sse.IsSupported)
        {
            // An address that has moved meanwhile is only a wasted hint.
            Sse.Prefetch0(Unsafe.AsPointer(ref value));
        }
    }
}
