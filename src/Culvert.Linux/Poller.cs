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
/// Waits on descriptors and a deadline with nanosecond precision. Belongs to one thread; nothing is allocated after construction but by
/// <see cref="Add"/>.
/// </summary>
/// <remarks>
/// The first few descriptors are looked at only while the thread waits (poll). epoll would be told of every packet that comes, and of
/// every one that leaves a send buffer, also while the thread is busy with them: that took 3 % of the processor. What is added
/// beyond, as the TUN devices of a thousand dialled connections, is left to epoll, whose cost does not grow with their number.
/// </remarks>
public sealed unsafe class Poller : IDisposable
{
    private const int MostDirect = 15;

    // struct epoll_event is packed on x86-64 and nowhere else.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = EventSize - sizeof(ulong);

    private readonly Descriptor _epoll;
    private readonly NativeBlock _memory;
    private readonly byte* _events;
    private readonly PollDescriptor* _direct;
    private readonly int _mostDirect;
    private readonly List<int> _directTokens = [];
    private readonly Readiness[] _ready;
    private int _leftToEpoll;
    private int _readyCount;

    /// <param name="capacity">How many ready descriptors one <see cref="Wait"/> reports at most; the others follow in the next.</param>
    public Poller(int capacity = 16)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _ready = new Readiness[capacity];

        // There is always room in a report for one that epoll knows, so that none is forgotten.
        _mostDirect = Math.Min(MostDirect, capacity - 1);
        _epoll = Descriptor.Own(Libc.EpollCreate(Constants.OpenCloseOnExec), "create an epoll instance");
        _memory = new NativeBlock(NativeBlock.SizeOf<byte>(EventSize * capacity) + NativeBlock.SizeOf<PollDescriptor>(_mostDirect + 1));
        _events = _memory.Take<byte>(EventSize * capacity);
        _direct = _memory.Take<PollDescriptor>(_mostDirect + 1);
    }

    /// <summary>Watches a descriptor. Stop watching it (<see cref="Remove"/>) before it is closed.</summary>
    /// <exception cref="LinuxException">EEXIST: watched already; EBADF: closed.</exception>
    public void Add(int descriptor, int token, PollEvents events = PollEvents.Readable)
    {
        if (FindDirect(descriptor) >= 0)
        {
            throw new LinuxException(Errno.EEXIST, $"watch descriptor {descriptor}");
        }

        // Also for those that are not left to epoll: it says whether they can be watched at all.
        Control(Constants.EpollAdd, descriptor, token, events, "watch");
        if (_directTokens.Count == _mostDirect)
        {
            _leftToEpoll++;
            return;
        }

        Control(Constants.EpollDelete, descriptor, token, events, "watch");
        _direct[_directTokens.Count] = new PollDescriptor { Descriptor = descriptor, Events = (short)events };
        _directTokens.Add(token);
    }

    /// <summary>Changes what a watched descriptor is watched for.</summary>
    /// <exception cref="LinuxException">ENOENT: not watched.</exception>
    public void Change(int descriptor, int token, PollEvents events)
    {
        int direct = FindDirect(descriptor);
        if (direct < 0)
        {
            Control(Constants.EpollModify, descriptor, token, events, "change the watch on");
            return;
        }

        _direct[direct].Events = (short)events;
        _directTokens[direct] = token;
    }

    /// <summary>Stops watching.</summary>
    /// <exception cref="LinuxException">ENOENT: not watched.</exception>
    public void Remove(int descriptor)
    {
        int direct = FindDirect(descriptor);
        if (direct < 0)
        {
            Control(Constants.EpollDelete, descriptor, 0, PollEvents.None, "stop watching");
            _leftToEpoll--;
            return;
        }

        _directTokens.RemoveAt(direct);
        for (int i = direct; i < _directTokens.Count; i++)
        {
            _direct[i] = _direct[i + 1];
        }
    }

    /// <summary>
    /// Waits until a descriptor is ready or <paramref name="deadline"/> has come; <see cref="Timestamp.Never"/> waits for ever, a
    /// deadline in the past only looks. Returns how many are ready, 0 at the deadline (or, rarely, early: when a signal came).
    /// </summary>
    /// <exception cref="LinuxException">EBADF: a watched descriptor was closed.</exception>
    public int Wait(Timestamp deadline)
    {
        long remaining = 0;
        if (deadline > Timestamp.Zero && deadline != Timestamp.Never)
        {
            remaining = Math.Max(0, deadline.Nanoseconds - MonotonicClock.Now.Nanoseconds);
        }

        int direct = _directTokens.Count;
        bool hasMore = _leftToEpoll > 0;
        _direct[direct] = new PollDescriptor { Descriptor = _epoll.Number, Events = (short)PollEvents.Readable };
        TimeSpec timeout = TimeSpec.FromNanoseconds(remaining);
        int count = Libc.PollPrecisely(_direct, (nuint)(direct + (hasMore ? 1 : 0)), deadline == Timestamp.Never ? null : &timeout, null);
        _readyCount = 0;
        if (count <= 0)
        {
            return 0;
        }

        for (int i = 0; i < direct; i++)
        {
            if (_direct[i].ReturnedEvents != 0)
            {
                Report(_direct[i], _directTokens[i]);
            }
        }

        if (hasMore && _direct[direct].ReturnedEvents != 0)
        {
            CollectFromEpoll();
        }

        return _readyCount;
    }

    /// <summary>The ready descriptor at <paramref name="index"/>, below what <see cref="Wait"/> returned.</summary>
    public Readiness Ready(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)_readyCount, nameof(index));
        return _ready[index];
    }

    public void Dispose()
    {
        _readyCount = 0;
        _epoll.Dispose();
        _memory.Dispose();
    }

    private int FindDirect(int descriptor)
    {
        for (int i = 0; i < _directTokens.Count; i++)
        {
            if (_direct[i].Descriptor == descriptor)
            {
                return i;
            }
        }

        return -1;
    }

    private void Report(in PollDescriptor found, int token)
    {
        if ((found.ReturnedEvents & Constants.PollNotOpen) != 0)
        {
            // An error of ours, and every later wait would return at once.
            throw new LinuxException(Errno.EBADF, $"wait for descriptor {found.Descriptor}");
        }

        _ready[_readyCount++] = new Readiness(token, (PollEvents)found.ReturnedEvents);
    }

    private void CollectFromEpoll()
    {
        int count = Libc.EpollWait(_epoll.Number, _events, _ready.Length - _readyCount, 0);
        for (int i = 0; i < count; i++)
        {
            byte* entry = _events + (i * EventSize);
            _ready[_readyCount++] = new Readiness(*(int*)(entry + DataOffset), *(PollEvents*)entry);
        }
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
