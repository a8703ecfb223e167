using System.Runtime.InteropServices;

namespace Culvert.Linux.Interop;

/// <summary>A zeroed piece of native memory, aligned to a page, cut into arrays once at set-up.</summary>
internal sealed unsafe class NativeBlock : SafeHandle
{
    /// <summary>Octets of a small page.</summary>
    internal const nuint Alignment = 4096;

    private readonly nuint _size;
    private readonly HugePage? _page;
    private nuint _used;

    internal NativeBlock(nuint size)
        : base(0, ownsHandle: true)
    {
        _size = size;
        if (size >= HugePage.Size / 2)
        {
            SetHandle(HugePage.Allocate(size));
        }
        else if (size >= HugePage.LeastBlock)
        {
            _page = HugePage.Share(size, out nint address);
            SetHandle(address);
        }
        else
        {
            SetHandle((nint)NativeMemory.AlignedAlloc(size, Alignment));
            NativeMemory.Clear((void*)handle, size);
        }
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The next <paramref name="count"/> elements, aligned to 64 octets (a cache line).</summary>
    internal T* Take<T>(int count)
        where T : unmanaged
    {
        nuint start = RoundUp(_used);
        _used = start + ((nuint)count * (nuint)sizeof(T));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_used, _size, nameof(count));
        return (T*)(handle + (nint)start);
    }

    /// <summary>What <see cref="Take"/> uses up for <paramref name="count"/> elements at most.</summary>
    internal static nuint SizeOf<T>(int count)
        where T : unmanaged => RoundUp((nuint)count * (nuint)sizeof(T));

    protected override bool ReleaseHandle()
    {
        if (_page is null)
        {
            NativeMemory.AlignedFree((void*)handle);
        }
        else
        {
            _page.Return();
        }

        return true;
    }

    private static nuint RoundUp(nuint size) => (size + 63) & ~(nuint)63;
}
