using System.Runtime.InteropServices;

namespace Culvert.Linux.Interop;

/// <summary>A file descriptor that is closed exactly once, also when its owner was forgotten.</summary>
internal sealed class Descriptor : SafeHandle
{
    private Descriptor(int number)
        : base(-1, ownsHandle: true)
    {
        SetHandle(number);
    }

    public override bool IsInvalid => handle < 0;

    internal int Number => (int)handle;

    /// <summary>Takes over what a call returned.</summary>
    /// <exception cref="LinuxException">The call returned an error.</exception>
    internal static Descriptor Own(int number, string attempted, string capability = LinuxException.NetworkAdministration) =>
        number >= 0 ? new Descriptor(number) : throw new LinuxException(Libc.LastError, attempted, capability: capability);

    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;
}
