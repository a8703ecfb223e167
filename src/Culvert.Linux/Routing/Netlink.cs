using Culvert.Core;
using Culvert.Linux.Interop;
using Culvert.Linux.Routing;

namespace Culvert.Linux;

/// <summary>
/// Links, addresses and routes (rtnetlink). Each call asks the kernel and waits for its answer, normally some 20 us. Changes throw
/// <see cref="LinuxException"/>, whose message says what was attempted and why the kernel refused. Belongs to one thread, and to the
/// network namespace of the thread that made it.
/// </summary>
public sealed partial class Netlink : IDisposable
{
    private const int RequestSize = 512;
    private const uint LinkIsUp = 0x1;

    private readonly NetlinkSocket _socket = new();
    private readonly byte[] _request = new byte[RequestSize];

    private enum LinkAttribute
    {
        Name = 3,
        Mtu = 4,
        TransmitQueueLength = 13,
    }

    /// <summary>All interfaces, in the kernel's order.</summary>
    public IReadOnlyList<LinkInfo> Links()
    {
        List<LinkInfo> links = [];
        var request = new NetlinkWriter(_request, NetlinkType.GetLink, NetlinkFlags.Dump);
        request.Fixed(default(LinkMessage));
        Errno error = _socket.List(
            ref request,
            links.Clear,
            (type, body) =>
            {
                if (type == NetlinkType.NewLink && TryParseLink(body, out LinkInfo link))
                {
                    links.Add(link);
                }
            },
            out string? words);
        return error == Errno.None ? links : throw new LinuxException(error, "list the interfaces", words);
    }

    /// <summary>The interface of that name; false when there is none.</summary>
    public bool TryFindLink(string name, out LinkInfo link)
    {
        link = default;
        if (name.Length is 0 or > TunDevice.MaximumNameLength)
        {
            return false;
        }

        var request = new NetlinkWriter(_request, NetlinkType.GetLink, NetlinkFlags.Acknowledge);
        request.Fixed(default(LinkMessage));
        request.Attribute((int)LinkAttribute.Name, name);
        return TryAskLink(ref request, out link);
    }

    /// <summary>The interface of that index; false when there is none.</summary>
    public bool TryFindLink(int index, out LinkInfo link)
    {
        var request = new NetlinkWriter(_request, NetlinkType.GetLink, NetlinkFlags.Acknowledge);
        request.Fixed(new LinkMessage { Index = index });
        return TryAskLink(ref request, out link);
    }

    public void SetLinkUp(int index) => SetLinkFlags(index, LinkIsUp, name => $"set {name} up");

    public void SetLinkDown(int index) => SetLinkFlags(index, 0, name => $"set {name} down");

    /// <summary>Sets the MTU; IPv6 leaves an interface with less than 1280.</summary>
    public void SetLinkMtu(int index, int mtu) =>
        SetLinkNumber(index, LinkAttribute.Mtu, mtu, name => $"set the MTU of {name} to {mtu}");

    /// <summary>Sets how many packets may wait for us in a TUN interface (500 at first).</summary>
    public void SetTransmitQueueLength(int index, int packets) =>
        SetLinkNumber(index, LinkAttribute.TransmitQueueLength, packets, name => $"set the queue of {name} to {packets} packets");

    public void Dispose() => _socket.Dispose();

    private void SetLinkFlags(int index, uint flags, Func<string, string> attempted)
    {
        var request = new NetlinkWriter(_request, NetlinkType.NewLink, NetlinkFlags.Acknowledge);
        request.Fixed(new LinkMessage { Index = index, Flags = flags, Change = LinkIsUp });
        Execute(ref request, index, attempted);
    }

    private void SetLinkNumber(int index, LinkAttribute attribute, int value, Func<string, string> attempted)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
        var request = new NetlinkWriter(_request, NetlinkType.NewLink, NetlinkFlags.Acknowledge);
        request.Fixed(new LinkMessage { Index = index });
        request.Attribute((int)attribute, (uint)value);
        Execute(ref request, index, attempted);
    }

    private bool TryAskLink(ref NetlinkWriter request, out LinkInfo link)
    {
        LinkInfo found = default;
        Errno error = _socket.Ask(
            ref request, (_, body) => found = TryParseLink(body, out LinkInfo parsed) ? parsed : default, out string? words);
        link = found;
        return error switch
        {
            Errno.None => found.Index != 0,
            Errno.ENODEV => false,
            _ => throw new LinuxException(error, "look up an interface", words),
        };
    }

    private void Execute(ref NetlinkWriter request, int index, Func<string, string> attempted)
    {
        Errno error = _socket.Execute(ref request, out string? words);
        if (error != Errno.None)
        {
            throw new LinuxException(error, attempted(NameOf(index)), words);
        }
    }

    /// <summary>For error messages: operators know names.</summary>
    private string NameOf(int index) => index != 0 && TryFindLink(index, out LinkInfo link) ? link.Name : $"interface {index}";

    private static bool TryParseLink(ReadOnlySpan<byte> body, out LinkInfo link)
    {
        link = default;
        if (!TrySplit(body, out LinkMessage message, out AttributeReader attributes))
        {
            return false;
        }

        string name = "";
        int mtu = 0;
        while (attributes.MoveNext())
        {
            switch ((LinkAttribute)attributes.Type)
            {
                case LinkAttribute.Name:
                    name = attributes.Text;
                    break;
                case LinkAttribute.Mtu:
                    mtu = (int)attributes.Number;
                    break;
                default:
                    break;
            }
        }

        link = new LinkInfo(message.Index, name, mtu, (message.Flags & LinkIsUp) != 0);
        return true;
    }

    /// <summary>Cuts the fixed part from the attributes; false when the message is too short.</summary>
    private static unsafe bool TrySplit<T>(ReadOnlySpan<byte> body, out T message, out AttributeReader attributes)
        where T : unmanaged
    {
        bool isWhole = System.Runtime.InteropServices.MemoryMarshal.TryRead(body, out message);
        attributes = new AttributeReader(isWhole ? body[sizeof(T)..] : default);
        return isWhole;
    }

    private static byte FamilyOf(in IpAddress address) => address.Family switch
    {
        IpFamily.IPv4 => Constants.FamilyIPv4,
        IpFamily.IPv6 => Constants.FamilyIPv6,
        _ => throw new ArgumentException("An address is needed.", nameof(address)),
    };
}
