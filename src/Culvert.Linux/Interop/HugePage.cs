using System.Runtime.InteropServices;

namespace Culvert.Linux.Interop;

/// <summary>
/// Two megabytes that the system maps as one page if it can. The kernel copies whole batches in and out of our buffers: over small pages
/// it looks up an address every 4 KiB, which costs about a tenth of forwarding. Blocks smaller than a page share one.
/// </summary>
internal sealed unsafe class HugePage
{
    internal const nuint Size = 2 << 20;

    /// <summary>Smaller blocks are not worth it, and would keep whole pages alive.</summary>
    internal const nuint LeastBlock = 1 << 16;

    private static readonly Lock Gate = new();
    private static HugePage? _current;

    private readonly nint _address;
    private nuint _used;
    private int _blocks;

    private HugePage(nint address) => _address = address;

    /// <summary>Zeroed memory of a whole number of pages of its own.</summary>
    internal static nint Allocate(nuint size)
    {
        void* memory = NativeMemory.AlignedAlloc(size, Size);

        // Advice only: where there are no huge pages, small ones do.
        _ = Libc.Advise(memory, size, Constants.AdviseHugePage);
        NativeMemory.Clear(memory, size);
        return (nint)memory;
    }

    /// <summary>Zeroed memory in a page that others use too; given back with <see cref="Return"/>.</summary>
    /// <param name="size">Octets, from <see cref="LeastBlock"/> to <see cref="Size"/>.</param>
    /// <param name="address">Where it begins: at a multiple of <see cref="NativeBlock.Alignment"/>.</param>
    internal static HugePage Share(nuint size, out nint address)
    {
        lock (Gate)
        {
            HugePage page = _current is { } open && open._used + size <= Size ? open : new HugePage(Allocate(Size));
            _current = page;
            address = page._address + (nint)page._used;
            page._used += (size + NativeBlock.Alignment - 1) & ~(NativeBlock.Alignment - 1);
            page._blocks++;
            return page;
        }
    }

    /// <summary>One block of the page is not used any more; the page goes with the last one.</summary>
    internal void Return()
    {
        lock (Gate)
        {
            if (--_blocks == 0)
            {
                NativeMemory.AlignedFree((void*)_address);
                _current = _current == this ? null : _current;
            }
        }
    }
}
