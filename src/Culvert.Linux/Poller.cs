using System.Runtime.InteropServices;
using Culvert.Core;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>What a descriptor is watched for or ready for (epoll's bits). Error and HangUp are reported without being asked for.</summary>
[Flags]
public enum PollEvents : uint
{
    None = 0,
    Readable = 0x1,
    Writable = 0x4,
    Error = 0x8,
    HangUp = 0x10,
}

/// <summary>A descriptor that is ready, by the token given in <see cref="Poller.Add"/>.</summary>
public readonly record struct Readiness(int Token, PollEvents Events)
{
    public bool IsReadable => (Events & PollEvents.Readable) != 0;

    public bool IsWritable => (Events & PollEvents.Writable) != 0;

    /// <summary>
    /// A socket's error queue holds something (<see cref="UdpSocket.TryReadError"/>), or the descriptor is dead, as a TUN interface that
    /// somebody removed. It must be dealt with: until then every wait returns at once.
    /// </summary>
    public bool HasError => (Events & (PollEvents.Error | PollEvents.HangUp)) != 0;
}

/// <summary>
/// Waits on a few descriptors and a deadline with nanosecond precision (epoll, level-triggered). Belongs to one thread; nothing
/// is allocated after construction.
/// </summary>
public sealed unsafe class Poller : IDisposable
{
    // struct epoll_event is packed on x86-64 and nowhere else.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = EventSize - sizeof(ulong);

    private readonly Descriptor _epoll;
    private readonly NativeBlock _memory;
    private readonly byte* _events;
    private readonly int _capacity;
    private bool _isPrecise = true;
    private int _ready;

    /// <param name="capacity">How many ready descriptors one <see cref="Wait"/> reports at most; the others follow in the next.</param>
    public Poller(int capacity = 16)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _capacity = capacity;
        _epoll = Descriptor.Own(Libc.EpollCreate(Constants.OpenCloseOnExec), "create an epoll instance");
        _memory = new NativeBlock((nuint)(EventSize * capacity));
        _events = _memory.Take<byte>(EventSize * capacity);
    }

    /// <summary>Watches a descriptor.</summary>
    /// <exception cref="LinuxException">EEXIST: watched already; EBADF: closed.</exception>
    public void Add(int descriptor, int token, PollEvents events = PollEvents.Readable) =>
        Control(Constants.EpollAdd, descriptor, token, events, "watch");

    /// <summary>Changes what a watched descriptor is watched for.</summary>
    public void Change(int descriptor, int token, PollEvents events) =>
        Control(Constants.EpollModify, descriptor, token, events, "change the watch on");

    /// <summary>Stops watching. Closing a descriptor does this by itself.</summary>
    public void Remove(int descriptor) => Control(Constants.EpollDelete, descriptor, 0, PollEvents.None, "stop watching");

    /// <summary>
    /// Waits until a descriptor is ready or <paramref name="deadline"/> has come; <see cref="Timestamp.Never"/> waits for ever, a
    /// deadline in the past only looks. Returns how many are ready, 0 at the deadline (or, rarely, early: when a signal came).
    /// </summary>
    public int Wait(Timestamp deadline)
    {
        long remaining = 0;
        if (deadline > Timestamp.Zero && deadline != Timestamp.Never)
        {
            remaining = Math.Max(0, deadline.Nanoseconds - MonotonicClock.Now.Nanoseconds);
        }

        _ready = Math.Max(0, _isPrecise ? WaitPrecisely(deadline, remaining) : WaitByMilliseconds(deadline, remaining));
        return _ready;
    }

    /// <summary>The ready descriptor at <paramref name="index"/>, below what <see cref="Wait"/> returned.</summary>
    public Readiness Ready(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)_ready, nameof(index));
        byte* entry = _events + (index * EventSize);
        return new Readiness(*(int*)(entry + DataOffset), *(PollEvents*)entry);
    }

    public void Dispose()
    {
        _ready = 0;
        _epoll.Dispose();
        _memory.Dispose();
    }

    private int WaitPrecisely(Timestamp deadline, long remaining)
    {
        TimeSpec timeout = TimeSpec.FromNanoseconds(remaining);
        nint count = Libc.EpollWaitPrecisely(
            Libc.EpollWaitPreciselyNumber, _epoll.Number, _events, _capacity, deadline == Timestamp.Never ? null : &timeout, null, 0);
        if (count < 0 && Libc.LastError == Errno.ENOSYS)
        {
            // Kernels before 5.11: whole milliseconds must do.
            _isPrecise = false;
            return WaitByMilliseconds(deadline, remaining);
        }

        return (int)count;
    }

    private int WaitByMilliseconds(Timestamp deadline, long remaining)
    {
        // Rounded up: waking before the deadline would spin until it comes.
        long milliseconds = Math.Min((remaining + 999_999) / 1_000_000, int.MaxValue);
        return Libc.EpollWait(_epoll.Number, _events, _capacity, deadline == Timestamp.Never ? -1 : (int)milliseconds);
    }

    private void Control(int operation, int descriptor, int token, PollEvents events, string verb)
    {
        byte* entry = stackalloc byte[16];
        *(uint*)entry = (uint)events;
        *(ulong*)(entry + DataOffset) = (uint)token;
        if (Libc.EpollControl(_epoll.Number, operation, descriptor, entry) < 0)
        {
            throw new LinuxException(Libc.LastError, $"{verb} descriptor {descriptor}");
        }
    }
}
