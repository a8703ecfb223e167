using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane;

namespace Culvert.Capture;

/// <summary>
/// Makes the IP and UDP headers that a datagram had, or could have had, on the wire: a socket gives and takes only what is inside.
/// TTL, DSCP and identification are not those of the wire.
/// </summary>
public static class OuterHeaders
{
    /// <summary>Octets of the larger of the two: IPv6 and UDP.</summary>
    public const int MaximumSize = IPv6Size + UdpSize;

    /// <summary>The largest datagram that fits behind IPv4.</summary>
    public const int MaximumPayload = ushort.MaxValue - IPv4Size - UdpSize;

    private const int IPv4Size = 20;
    private const int IPv6Size = 40;
    private const int UdpSize = 8;
    private const byte Protocol = IpHeader.Udp;
    private const byte HopLimit = 64;

    /// <summary>Writes headers and payload; returns the octets written.</summary>
    /// <param name="target">At least <see cref="MaximumSize"/> and the payload.</param>
    /// <param name="source">An end without address counts as the unspecified address of the other's family.</param>
    /// <param name="payload">At most <see cref="MaximumPayload"/>.</param>
    public static int Write(Span<byte> target, in PeerEndpoint source, in PeerEndpoint destination, ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, MaximumPayload, nameof(payload));
        bool isIPv6 = source.Address.IsIPv6 || destination.Address.IsIPv6;
        IpAddress from = OrUnspecified(source.Address, isIPv6);
        IpAddress to = OrUnspecified(destination.Address, isIPv6);
        int headerSize = isIPv6 ? IPv6Size : IPv4Size;
        int udpLength = UdpSize + payload.Length;
        Span<byte> ip = target[..headerSize];
        Span<byte> udp = target.Slice(headerSize, udpLength);
        payload.CopyTo(udp[UdpSize..]);
        BinaryPrimitives.WriteUInt16BigEndian(udp, source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], destination.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udpLength);
        udp[6..8].Clear();
        ushort checksum = InternetChecksum.Compute(udp, InternetChecksum.PseudoHeader(from, to, Protocol, udpLength));

        // RFC 768: a checksum of zero would mean "none".
        BinaryPrimitives.WriteUInt16BigEndian(udp[6..], checksum == 0 ? ushort.MaxValue : checksum);
        if (isIPv6)
        {
            WriteIPv6(ip, from, to, udpLength);
        }
        else
        {
            WriteIPv4(ip, from, to, udpLength);
        }

        return headerSize + udpLength;
    }

    private static void WriteIPv4(Span<byte> ip, IpAddress from, IpAddress to, int payloadLength)
    {
        ip.Clear();
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(IPv4Size + payloadLength));
        ip[8] = HopLimit;
        ip[9] = Protocol;
        from.WriteTo(ip[12..]);
        to.WriteTo(ip[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], InternetChecksum.Compute(ip));
    }

    private static void WriteIPv6(Span<byte> ip, IpAddress from, IpAddress to, int payloadLength)
    {
        ip.Clear();
        ip[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)payloadLength);
        ip[6] = Protocol;
        ip[7] = HopLimit;
        from.WriteTo(ip[8..]);
        to.WriteTo(ip[24..]);
    }

    private static IpAddress OrUnspecified(IpAddress address, bool isIPv6) =>
        address.IsIPv6 == isIPv6 && !address.IsNone ? address : isIPv6 ? IpAddress.FromIPv6(0, 0) : IpAddress.FromUInt32(0);
}
