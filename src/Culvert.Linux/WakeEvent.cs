using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>
/// Wakes a shard that waits in its <see cref="Poller"/> (eventfd). <see cref="Set"/> may be called from any thread, also while
/// the event is being disposed; the rest belongs to the shard.
/// </summary>
public sealed unsafe class WakeEvent : IDisposable
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    private readonly Descriptor _descriptor;

    public WakeEvent()
    {
        _descriptor = Interop.Descriptor.Own(Libc.EventDescriptor(0, NonBlocking | CloseOnExec), "create a wake-up event");
    }

    /// <summary>The number to give to a <see cref="Poller"/>.</summary>
    public int Descriptor => _descriptor.Number;

    /// <summary>Makes the event readable. A full counter (2^64 - 2 calls unseen) is readable anyway, so no error matters.</summary>
    public void Set()
    {
        bool held = false;
        try
        {
            _descriptor.DangerousAddRef(ref held);
            ulong one = 1;
            _ = Libc.Write(_descriptor.Number, &one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // The shard has ended: there is nobody left to wake.
        }
        finally
        {
            if (held)
            {
                _descriptor.DangerousRelease();
            }
        }
    }

    /// <summary>Makes the event quiet again; call it before draining the mailbox, so that no letter is missed.</summary>
    public void Clear()
    {
        ulong count;
        _ = Libc.Read(_descriptor.Number, &count, sizeof(ulong));
    }

    public void Dispose() => _descriptor.Dispose();
}
