using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>Zeroed native memory that the kernel reads and writes packets in; large enough ones lie in huge pages.</summary>
/// <param name="size">Octets.</param>
public sealed unsafe class PacketBuffer(int size) : IDisposable
{
    /// <summary>Octets to leave between large rooms of one buffer: at distances of a power of two all would begin in the same lines of the cache.</summary>
    public const int Spacing = 17 * 64;

    private readonly NativeBlock _memory = new((nuint)size);

    /// <summary>All of it; not to be used once it is disposed of.</summary>
    public Span<byte> Octets => _memory.IsClosed ? default : new((void*)_memory.DangerousGetHandle(), size);

    public void Dispose() => _memory.Dispose();
}
