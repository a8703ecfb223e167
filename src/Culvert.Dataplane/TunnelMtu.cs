using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>What is left of a path's MTU inside the tunnel.</summary>
public static class TunnelMtu
{
    /// <summary>Octets that a UDP datagram over IPv4 can carry.</summary>
    public const int LargestDatagram = 65507;

    /// <summary>Every IPv4 link carries this (RFC 791 section 3.2).</summary>
    public const int IPv4Minimum = 68;

    /// <summary>Octets of the longest L2TP data header that is written: with Length, Ns and Nr.</summary>
    public const int LongestL2tpHeader = 12;

    private const int IPv4Header = 20;
    private const int IPv6Header = 40;
    private const int UdpHeader = 8;
    private const int TcpHeader = 20;

    /// <summary>Octets of L2TP data header that a framing writes: 6, and 2 more for Length, 4 more for Ns and Nr (RFC 2661 section 3.1).</summary>
    public static int L2tpHeaderLength(TransmitFraming framing) =>
        6 + ((framing & TransmitFraming.Length) != 0 ? 2 : 0) + ((framing & TransmitFraming.Sequence) != 0 ? 4 : 0);

    /// <summary>Octets of PPP header in front of an IP packet: 1 to 4.</summary>
    public static int PppHeaderLength(TransmitFraming framing) =>
        ((framing & TransmitFraming.AddressControl) != 0 ? 2 : 0) + ((framing & TransmitFraming.CompressProtocol) != 0 ? 1 : 2);

    /// <summary>Octets in front of an IP packet within the UDP payload: 7 to 16.</summary>
    public static int HeaderLength(TransmitFraming framing) => L2tpHeaderLength(framing) + PppHeaderLength(framing);

    /// <summary>Largest IP packet that crosses the tunnel without fragmenting its outer packet; never below 68 (RFC 791).</summary>
    /// <param name="pathMtu">Largest outer IP packet on the way to the peer, in octets.</param>
    /// <param name="outerFamily">The family that carries the tunnel.</param>
    /// <param name="l2tpHeaderLength">6 to 12.</param>
    /// <param name="pppHeaderLength">1 to 4.</param>
    public static ushort For(int pathMtu, IpFamily outerFamily, int l2tpHeaderLength, int pppHeaderLength)
    {
        int outer = outerFamily == IpFamily.IPv6 ? IPv6Header : IPv4Header;
        return (ushort)Math.Clamp(pathMtu - outer - UdpHeader - l2tpHeaderLength - pppHeaderLength, IPv4Minimum, ushort.MaxValue);
    }

    /// <inheritdoc cref="For(int, IpFamily, int, int)"/>
    public static ushort For(int pathMtu, IpFamily outerFamily, TransmitFraming framing) =>
        For(pathMtu, outerFamily, L2tpHeaderLength(framing), PppHeaderLength(framing));

    /// <summary>The MSS that fills an inner packet of <paramref name="mtu"/> octets (RFC 879, RFC 8200 section 8.3).</summary>
    public static ushort MaximumSegmentSize(int mtu, IpFamily innerFamily) =>
        (ushort)Math.Clamp(mtu - (innerFamily == IpFamily.IPv6 ? IPv6Header : IPv4Header) - TcpHeader, 28, ushort.MaxValue);
}
