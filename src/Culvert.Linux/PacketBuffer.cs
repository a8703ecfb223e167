using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>Zeroed native memory that the kernel reads and writes packets in; large enough ones lie in huge pages.</summary>
/// <param name="size">Octets.</param>
public sealed unsafe class PacketBuffer(int size) : IDisposable
{
    private readonly NativeBlock _memory = new((nuint)size);

    /// <summary>All of it; not to be used once it is disposed of.</summary>
    public Span<byte> Octets => _memory.IsClosed ? default : new((void*)_memory.DangerousGetHandle(), size);

    public void Dispose() => _memory.Dispose();
}
