using Culvert.Core;
using Culvert.Linux.Routing;

namespace Culvert.Linux;

/// <summary>Addresses of interfaces.</summary>
public sealed partial class Netlink
{
    // A tunnel has no neighbours that could hold the same address: no detection, which would delay the address by a second.
    private const uint NoDuplicateDetection = 0x02;

    private enum AddressAttribute
    {
        Address = 1,
        Local = 2,
        Flags = 8,
    }

    /// <summary>
    /// Gives an interface an address; an address that it has already is EEXIST. The kernel finishes an IPv6 address on a worker of its
    /// own, a moment after this call and after the interface is up: from then on <see cref="TryGetRoute"/> says IsLocal for it.
    /// </summary>
    /// <param name="index">The interface.</param>
    /// <param name="local">The address.</param>
    /// <param name="prefixLength">How much of it is on the link; the kernel adds the route. Full length: none.</param>
    /// <param name="peer">The other end of a point-to-point link; the prefix is then its, and the kernel adds a route to it.</param>
    /// <exception cref="LinuxException">EPERM, EEXIST, ENODEV, EACCES (IPv6 is off on the interface)...</exception>
    public void AddAddress(int index, IpAddress local, int prefixLength, IpAddress peer = default) =>
        ChangeAddress(NetlinkFlags.Create | NetlinkFlags.Exclusive, index, local, prefixLength, peer);

    /// <summary>As <see cref="AddAddress"/>, without minding that the interface has it already.</summary>
    public void ReplaceAddress(int index, IpAddress local, int prefixLength, IpAddress peer = default) =>
        ChangeAddress(NetlinkFlags.Create | NetlinkFlags.Replace, index, local, prefixLength, peer);

    /// <summary>Takes an address away, and with it the kernel's routes for it; false when the interface does not have it.</summary>
    public bool DeleteAddress(int index, IpAddress local, int prefixLength, IpAddress peer = default)
    {
        NetlinkWriter request = AddressRequest(NetlinkType.DeleteAddress, NetlinkFlags.None, index, local, prefixLength, peer);
        Errno error = _socket.Execute(ref request, out string? words);
        return error switch
        {
            Errno.None => true,
            Errno.EADDRNOTAVAIL or Errno.ENODEV => false,
            _ => throw new LinuxException(error, $"take {local}/{prefixLength} from {NameOf(index)}", words),
        };
    }

    private void ChangeAddress(NetlinkFlags flags, int index, IpAddress local, int prefixLength, IpAddress peer)
    {
        NetlinkWriter request = AddressRequest(NetlinkType.NewAddress, flags, index, local, prefixLength, peer);
        request.Attribute((int)AddressAttribute.Flags, local.IsIPv6 ? NoDuplicateDetection : 0);
        string towards = peer.IsNone ? "" : $" with peer {peer}";
        Errno error = _socket.Execute(ref request, out string? words);
        if (error != Errno.None)
        {
            words ??= error == Errno.EACCES ? "IPv6 is off on this interface (sysctl disable_ipv6)" : null;
            throw new LinuxException(error, $"give {local}/{prefixLength}{towards} to {NameOf(index)}", words);
        }
    }

    private NetlinkWriter AddressRequest(
        NetlinkType type, NetlinkFlags flags, int index, IpAddress local, int prefixLength, IpAddress peer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(prefixLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(prefixLength, local.Size * 8);
        if (!peer.IsNone && peer.Family != local.Family)
        {
            throw new ArgumentException("The ends of a link have addresses of one family.", nameof(peer));
        }

        var request = new NetlinkWriter(_request, type, flags | NetlinkFlags.Acknowledge);
        request.Fixed(new AddressMessage { Family = FamilyOf(local), PrefixLength = (byte)prefixLength, Index = index });
        request.Attribute((int)AddressAttribute.Local, local);
        // Without a peer the kernel wants the same address in both places.
        request.Attribute((int)AddressAttribute.Address, peer.IsNone ? local : peer);
        return request;
    }
}
