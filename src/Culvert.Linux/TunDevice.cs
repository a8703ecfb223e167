using System.Text;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

/// <summary>What the kernel may leave to the reader of a TUN interface (the numbers are the kernel's).</summary>
[Flags]
public enum TunOffloads : uint
{
    None = 0,

    /// <summary>Checksums that are not finished. The others need it.</summary>
    Checksum = 0x01,

    TcpIPv4 = 0x02,

    TcpIPv6 = 0x04,

    /// <summary>Runs of TCP segments under one header, IPv4 and IPv6.</summary>
    Tcp = TcpIPv4 | TcpIPv6,

    /// <summary>Also when the first of them carries CWR.</summary>
    TcpEcn = 0x08,

    UdpIPv4 = 0x20,

    UdpIPv6 = 0x40,

    /// <summary>Runs of UDP datagrams under one header (Linux 6.2).</summary>
    Udp = UdpIPv4 | UdpIPv6,

    All = Checksum | Tcp | TcpEcn | Udp,
}

public enum TunResult : byte
{
    /// <summary>A packet was read or written.</summary>
    Packet,

    /// <summary>Read: nothing waits. Write: no room now.</summary>
    Empty,

    /// <summary>See <see cref="TunDevice.LastError"/>.</summary>
    Error,
}

/// <summary>
/// A TUN interface: IP packets, one per call (<see cref="TunTransfers"/>: many), without blocking; each behind a header of
/// <see cref="HeaderSize"/> octets. It lives as long as this object (or the last of its queues). Belongs to one thread. The interface comes
/// up without addresses and down: see <see cref="Netlink"/>.
/// </summary>
public sealed unsafe class TunDevice : IDisposable
{
    /// <summary>The longest name that an interface can have, in octets.</summary>
    public const int MaximumNameLength = InterfaceRequest.NameSize - 1;

    /// <summary>Whether <see cref="Open"/> takes it; the kernel may refuse it all the same, as one that is in use.</summary>
    public static bool IsName(string name) => name.Length is > 0 and <= MaximumNameLength && name is not ("." or "..")
        && name.All(c => char.IsAscii(c) && !char.IsWhiteSpace(c) && !char.IsControl(c) && c is not ('/' or ':'));

    private const string Path = "/dev/net/tun";
    private const int OffloadHeaderSize = 10;

    // What is left when the kernel refuses something, best first.
    private static readonly TunOffloads[] Fallbacks =
    [
        TunOffloads.All,
        TunOffloads.All & ~TunOffloads.Udp,
        TunOffloads.Checksum | TunOffloads.Tcp,
        TunOffloads.Checksum,
    ];

    private readonly Descriptor _descriptor;

    private TunDevice(Descriptor descriptor, string name, bool isMultiQueue, TunOffloads offloads)
    {
        _descriptor = descriptor;
        Name = name;
        IsMultiQueue = isMultiQueue;
        Offloads = offloads;
    }

    /// <summary>The name that the kernel chose ("culvert0" for "culvert%d").</summary>
    public string Name { get; }

    public bool IsMultiQueue { get; }

    /// <summary>What was asked for and granted.</summary>
    public TunOffloads Offloads { get; }

    /// <summary>Octets in front of each packet, both ways: those of a virtio network header with offloads, else none.</summary>
    public int HeaderSize => Offloads == TunOffloads.None ? 0 : OffloadHeaderSize;

    /// <summary>The number to give to a <see cref="Poller"/>.</summary>
    public int Descriptor => _descriptor.Number;

    /// <summary>
    /// Why the last call returned <see cref="TunResult.Error"/>. EIO: the interface is down (the packet is lost); EBADFD: somebody
    /// removed it; EINVAL: what was written is no IP packet.
    /// </summary>
    public Errno LastError { get; private set; }

    /// <summary>Creates an interface, or takes over a persistent one of that name.</summary>
    /// <param name="name">A name of 1 to 15 octets; "%d" in it becomes the first free number.</param>
    /// <param name="isMultiQueue">Whether <see cref="OpenQueue"/> may add queues, one per shard.</param>
    /// <param name="offloads">What is wanted; <see cref="Offloads"/> tells what the kernel can.</param>
    /// <exception cref="ArgumentException">The name cannot be an interface's.</exception>
    /// <exception cref="LinuxException">EPERM without CAP_NET_ADMIN, ENOENT without the tun module, EBUSY when in use.</exception>
    public static TunDevice Open(string name, bool isMultiQueue = false, TunOffloads offloads = TunOffloads.None)
    {
        CheckName(name);
        short header = offloads == TunOffloads.None ? (short)0 : Constants.TunOffloadHeader;
        Descriptor descriptor;
        fixed (byte* path = "/dev/net/tun\0"u8)
        {
            int flags = Constants.OpenReadWrite | Constants.OpenNonBlocking | Constants.OpenCloseOnExec;
            descriptor = Interop.Descriptor.Own(Libc.Open(path, flags, 0), $"open {Path}");
        }

        InterfaceRequest request = default;
        _ = Encoding.ASCII.GetBytes(name, new Span<byte>(request.Name, InterfaceRequest.NameSize));
        request.Flags = (short)(Constants.TunMode | Constants.TunNoPacketInfo | header | (isMultiQueue ? Constants.TunMultiQueue : 0));
        if (Libc.IoControl(descriptor.Number, Constants.TunSetInterface, &request) < 0)
        {
            Errno error = Libc.LastError;
            descriptor.Dispose();
            throw new LinuxException(error, $"create the TUN interface {name}");
        }

        var chosen = new ReadOnlySpan<byte>(request.Name, InterfaceRequest.NameSize);
        string chosenName = Encoding.ASCII.GetString(chosen[..chosen.IndexOf((byte)0)]);
        try
        {
            TunOffloads granted = header == 0 ? TunOffloads.None : Negotiate(descriptor.Number, offloads);
            return new TunDevice(descriptor, chosenName, isMultiQueue, granted);
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Another queue of the same interface, for another thread; the kernel keeps a flow on one queue.</summary>
    public TunDevice OpenQueue() =>
        IsMultiQueue ? Open(Name, isMultiQueue: true, Offloads) : throw new InvalidOperationException($"{Name} was opened with a single queue.");

    /// <summary>
    /// Reads one packet. The buffer must hold the interface's MTU: the kernel cuts off what does not fit and says nothing.
    /// </summary>
    public TunResult Read(Span<byte> buffer, out int length)
    {
        fixed (byte* start = buffer)
        {
            nint read = Read(start, buffer.Length);
            length = (int)Math.Max(read, 0);
            return Judge(read);
        }
    }

    /// <summary>Gives one IP packet to the kernel, which receives it as if from a wire.</summary>
    public TunResult Write(ReadOnlySpan<byte> packet) => Write(header: default, packet);

    /// <inheritdoc cref="Write(ReadOnlySpan{byte})"/>
    /// <param name="header"><see cref="HeaderSize"/> octets that stand in front of it.</param>
    /// <param name="packet">The packet.</param>
    public TunResult Write(ReadOnlySpan<byte> header, ReadOnlySpan<byte> packet)
    {
        IoVector* pieces = stackalloc IoVector[2];
        fixed (byte* front = header)
        fixed (byte* start = packet)
        {
            pieces[0] = new IoVector { Base = front, Length = (nuint)header.Length };
            pieces[1] = new IoVector { Base = start, Length = (nuint)packet.Length };
            return Judge(Write(pieces, 2));
        }
    }

    public void Dispose() => _descriptor.Dispose();

    // A kernel refuses what it does not know as a whole. Without any offload the header stays, and says nothing.
    private static TunOffloads Negotiate(int descriptor, TunOffloads wanted)
    {
        int size = OffloadHeaderSize;
        if (Libc.IoControl(descriptor, Constants.TunSetOffloadHeaderSize, &size) < 0)
        {
            throw new LinuxException(Libc.LastError, "set the header size of the TUN interface");
        }

        foreach (TunOffloads fallback in Fallbacks)
        {
            TunOffloads asked = fallback & wanted;
            if (asked != TunOffloads.None && Libc.IoControl(descriptor, Constants.TunSetOffload, (void*)(nuint)(uint)asked) == 0)
            {
                return asked;
            }
        }

        throw new LinuxException(Libc.LastError, "set the offloads of the TUN interface");
    }

    /// <summary>Reads one packet; what the kernel returned, an error as a negative number.</summary>
    internal nint Read(void* buffer, int length)
    {
        nint read = Libc.Read(_descriptor.Number, buffer, (nuint)length);
        return read < 0 ? -(int)Libc.LastError : read;
    }

    /// <summary>Writes one packet that lies in pieces; what the kernel returned, an error as a negative number.</summary>
    internal nint Write(IoVector* pieces, int count)
    {
        nint written = Libc.WriteGathered(_descriptor.Number, pieces, count);
        return written < 0 ? -(int)Libc.LastError : written;
    }

    /// <summary>What became of a packet, from what the kernel returned.</summary>
    internal TunResult Judge(nint transferred)
    {
        if (transferred > 0)
        {
            return TunResult.Packet;
        }

        LastError = transferred == 0 ? Errno.EINVAL : (Errno)(int)-transferred;
        return LastError is Errno.EAGAIN or Errno.EINTR ? TunResult.Empty : TunResult.Error;
    }

    private static void CheckName(string name)
    {
        if (!IsName(name))
        {
            throw new ArgumentException(
                $"'{name}' cannot name an interface: 1 to {MaximumNameLength} ASCII characters, no space, slash or colon.", nameof(name));
        }
    }
}
