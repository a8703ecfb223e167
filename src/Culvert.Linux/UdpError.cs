using Culvert.Core;

namespace Culvert.Linux;

public enum UdpErrorKind : byte
{
    /// <summary>A datagram was larger than the path takes; <see cref="UdpError.Mtu"/> tells how much it takes.</summary>
    TooBig,

    /// <summary>Nobody listens on the peer's port.</summary>
    Refused,

    /// <summary>The peer's host or network cannot be reached, or a firewall forbids it.</summary>
    Unreachable,

    Other,
}

/// <summary>
/// What the network (ICMP) or this kernel said about an earlier datagram. ICMP can be forged by whoever guesses the ports: take it
/// as a hint, never as the end of a tunnel. The kernel remembers a path MTU itself; <see cref="Netlink.TryGetRoute"/> reads it back.
/// </summary>
/// <param name="Peer">Where the datagram went; port 0 when the kernel does not tell (IPv4, IsLocal).</param>
/// <param name="Kind">What kind of error it is.</param>
/// <param name="Mtu">For TooBig: the largest IP packet that the path takes, at least 552 (IPv4) or 1280 (IPv6); otherwise 0.</param>
/// <param name="Error">The kernel's number.</param>
/// <param name="IsLocal">This kernel refused the datagram; it never left.</param>
public readonly record struct UdpError(PeerEndpoint Peer, UdpErrorKind Kind, int Mtu, Errno Error, bool IsLocal)
{
    // What the kernel believes at least (net.ipv4.route.min_pmtu; RFC 8200 section 5): a forged ICMP says 68.
    private const int MinimumMtuIPv4 = 552;
    private const int MinimumMtuIPv6 = 1280;

    internal static UdpError Create(PeerEndpoint peer, Errno error, uint info, bool isLocal)
    {
        UdpErrorKind kind = error switch
        {
            Errno.EMSGSIZE => UdpErrorKind.TooBig,
            Errno.ECONNREFUSED => UdpErrorKind.Refused,
            Errno.EHOSTUNREACH or Errno.ENETUNREACH or Errno.EACCES or Errno.EHOSTDOWN => UdpErrorKind.Unreachable,
            _ => UdpErrorKind.Other,
        };
        int minimum = peer.Address.IsIPv6 ? MinimumMtuIPv6 : MinimumMtuIPv4;
        int mtu = kind == UdpErrorKind.TooBig ? (int)Math.Clamp(info, (uint)minimum, ushort.MaxValue) : 0;
        return new UdpError(peer, kind, mtu, error, isLocal);
    }
}
