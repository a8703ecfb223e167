using System.Text;
using Culvert.Linux.Interop;

namespace Culvert.Linux;

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
/// A TUN interface: bare IP packets, one per call, without blocking. It lives as long as this object (or the last of its queues).
/// Belongs to one thread. The interface comes up without addresses and down: see <see cref="Netlink"/>.
/// </summary>
public sealed unsafe class TunDevice : IDisposable
{
    /// <summary>The longest name that an interface can have, in octets.</summary>
    public const int MaximumNameLength = InterfaceRequest.NameSize - 1;

    private const string Path = "/dev/net/tun";

    private readonly Descriptor _descriptor;

    private TunDevice(Descriptor descriptor, string name, bool isMultiQueue)
    {
        _descriptor = descriptor;
        Name = name;
        IsMultiQueue = isMultiQueue;
    }

    /// <summary>The name that the kernel chose ("culvert0" for "culvert%d").</summary>
    public string Name { get; }

    public bool IsMultiQueue { get; }

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
    /// <exception cref="ArgumentException">The name cannot be an interface's.</exception>
    /// <exception cref="LinuxException">EPERM without CAP_NET_ADMIN, ENOENT without the tun module, EBUSY when in use.</exception>
    public static TunDevice Open(string name, bool isMultiQueue = false)
    {
        CheckName(name);
        Descriptor descriptor;
        fixed (byte* path = "/dev/net/tun\0"u8)
        {
            int flags = Constants.OpenReadWrite | Constants.OpenNonBlocking | Constants.OpenCloseOnExec;
            descriptor = Interop.Descriptor.Own(Libc.Open(path, flags, 0), $"open {Path}");
        }

        InterfaceRequest request = default;
        _ = Encoding.ASCII.GetBytes(name, new Span<byte>(request.Name, InterfaceRequest.NameSize));
        // The seam for segmentation offload: IFF_VNET_HDR here and TUNSETOFFLOAD after it, then every packet has a 10-octet header.
        request.Flags = (short)(Constants.TunMode | Constants.TunNoPacketInfo | (isMultiQueue ? Constants.TunMultiQueue : 0));
        if (Libc.IoControl(descriptor.Number, Constants.TunSetInterface, &request) < 0)
        {
            Errno error = Libc.LastError;
            descriptor.Dispose();
            throw new LinuxException(error, $"create the TUN interface {name}");
        }

        var chosen = new ReadOnlySpan<byte>(request.Name, InterfaceRequest.NameSize);
        return new TunDevice(descriptor, Encoding.ASCII.GetString(chosen[..chosen.IndexOf((byte)0)]), isMultiQueue);
    }

    /// <summary>Another queue of the same interface, for another thread; the kernel keeps a flow on one queue.</summary>
    public TunDevice OpenQueue() =>
        IsMultiQueue ? Open(Name, isMultiQueue: true) : throw new InvalidOperationException($"{Name} was opened with a single queue.");

    /// <summary>
    /// Reads one packet. The buffer must hold the interface's MTU: the kernel cuts off what does not fit and says nothing.
    /// </summary>
    public TunResult Read(Span<byte> buffer, out int length)
    {
        fixed (byte* start = buffer)
        {
            nint read = Libc.Read(_descriptor.Number, start, (nuint)buffer.Length);
            length = (int)Math.Max(read, 0);
            return Judge(read);
        }
    }

    /// <summary>Gives one IP packet to the kernel, which receives it as if from a wire.</summary>
    public TunResult Write(ReadOnlySpan<byte> packet)
    {
        fixed (byte* start = packet)
        {
            return Judge(Libc.Write(_descriptor.Number, start, (nuint)packet.Length));
        }
    }

    public void Dispose() => _descriptor.Dispose();

    private TunResult Judge(nint transferred)
    {
        if (transferred > 0)
        {
            return TunResult.Packet;
        }

        LastError = transferred == 0 ? Errno.EINVAL : Libc.LastError;
        return LastError is Errno.EAGAIN or Errno.EINTR ? TunResult.Empty : TunResult.Error;
    }

    private static void CheckName(string name)
    {
        bool isPlain = name.Length is > 0 and <= MaximumNameLength && name is not ("." or "..")
            && name.All(c => char.IsAscii(c) && !char.IsWhiteSpace(c) && !char.IsControl(c) && c is not ('/' or ':'));
        if (!isPlain)
        {
            throw new ArgumentException(
                $"'{name}' cannot name an interface: 1 to {MaximumNameLength} ASCII characters, no space, slash or colon.", nameof(name));
        }
    }
}
