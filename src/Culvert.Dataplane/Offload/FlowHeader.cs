using System.Buffers.Binary;

namespace Culvert.Dataplane.Offload;

/// <summary>
/// What decides whether a packet can be joined with others of its flow: no IPv4 options and no IPv6 extension headers, no fragment,
/// and of TCP nothing but data with ACK (and PSH, ECE).
/// </summary>
internal readonly ref struct FlowHeader
{
    public const int TcpChecksum = 16;

    private const int TcpMinimumHeader = 20;
    private const int UdpHeader = 8;
    private const byte Psh = 0x08;
    private const byte Ack = 0x10;
    private const byte Ece = 0x40;
    private const int MoreFragmentsOrOffset = 0x3FFF;

    public ReadOnlySpan<byte> Packet { get; private init; }

    public bool IsIPv6 { get; private init; }

    public bool IsTcp { get; private init; }

    /// <summary>Where the transport header starts.</summary>
    public int Transport { get; private init; }

    /// <summary>IP and transport headers together.</summary>
    public int Length { get; private init; }

    public int Payload => Packet.Length - Length;

    public uint Sequence => BinaryPrimitives.ReadUInt32BigEndian(Packet[(Transport + 4)..]);

    public bool HasPush => IsTcp && (Packet[Transport + 13] & Psh) != 0;

    public int ChecksumOffset => IsTcp ? TcpChecksum : UdpPacket.ChecksumOffset;

    /// <summary>False when the packet travels alone. It has been measured: its span is as long as its header says.</summary>
    /// <param name="packet">The packet.</param>
    /// <param name="withUdp">Whether runs of UDP datagrams can be handed on.</param>
    /// <param name="header">What was found.</param>
    public static bool TryRead(ReadOnlySpan<byte> packet, bool withUdp, out FlowHeader header)
    {
        header = default;
        bool isIPv6 = IpPacket.Version(packet) == 6;
        int transport = isIPv6 ? IpPacket.IPv6Header : IpPacket.IPv4MinimumHeader;
        byte protocol = packet[isIPv6 ? 6 : 9];
        bool isPlain = isIPv6
            || (packet[0] == 0x45 && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & MoreFragmentsOrOffset) == 0);
        if (!isPlain)
        {
            return false;
        }

        int length = transport + UdpHeader;
        switch (protocol)
        {
            case IpPacket.Tcp when packet.Length > transport + TcpMinimumHeader:
                int tcpHeader = (packet[transport + 12] >> 4) * 4;
                length = transport + tcpHeader;
                if (tcpHeader < TcpMinimumHeader || !IsDataOnly(packet[transport + 13]))
                {
                    return false;
                }

                break;

            // A length of its own that differs would be lost, and "no checksum" has no meaning in a run.
            case IpPacket.Udp when withUdp && packet.Length > length
                && BinaryPrimitives.ReadUInt16BigEndian(packet[(transport + 4)..]) == packet.Length - transport
                && BinaryPrimitives.ReadUInt16BigEndian(packet[(transport + UdpPacket.ChecksumOffset)..]) != 0:
                break;
            default:
                return false;
        }

        if (packet.Length <= length)
        {
            return false;
        }

        header = new FlowHeader { Packet = packet, IsIPv6 = isIPv6, IsTcp = protocol == IpPacket.Tcp, Transport = transport, Length = length };
        return true;
    }

    /// <summary>Are the ports where <see cref="HashOf"/> looks for them?</summary>
    public static bool HasPorts(ReadOnlySpan<byte> packet) => IpPacket.Version(packet) == 6
        ? packet.Length > IpPacket.IPv6Header && (packet[6] is IpPacket.Tcp or IpPacket.Udp)
        : packet[0] == 0x45 && packet.Length > IpPacket.IPv4MinimumHeader && (packet[9] is IpPacket.Tcp or IpPacket.Udp)
            && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & MoreFragmentsOrOffset) == 0;

    /// <summary>A number that is the same for all packets of a flow.</summary>
    public static uint HashOf(ReadOnlySpan<byte> packet)
    {
        bool isIPv6 = IpPacket.Version(packet) == 6;
        int transport = isIPv6 ? IpPacket.IPv6Header : IpPacket.IPv4MinimumHeader;
        ulong addresses = isIPv6
            ? Word(packet[8..]) ^ (Word(packet[16..]) * 3) ^ (Word(packet[24..]) * 5) ^ (Word(packet[32..]) * 7)
            : Word(packet[12..]);
        ulong ports = packet.Length >= transport + 4 ? BinaryPrimitives.ReadUInt32LittleEndian(packet[transport..]) : 0;
        return (uint)(((addresses ^ (ports << 17)) * 0x9E3779B97F4A7C15) >> 32);
    }

    /// <summary>Whether everything that a receiver could tell apart is the same as in the first packet of a run.</summary>
    /// <param name="first">The first packet of the run, as it came.</param>
    /// <param name="index">This packet's place in the run, from 1.</param>
    public bool Continues(in FlowHeader first, int index)
    {
        if (IsIPv6 != first.IsIPv6 || IsTcp != first.IsTcp || Length != first.Length)
        {
            return false;
        }

        bool sameIp = IsIPv6
            ? Word(Packet) << 32 == Word(first.Packet) << 32 && Packet[7] == first.Packet[7] && Packet[8..40].SequenceEqual(first.Packet[8..40])
            : Packet[1] == first.Packet[1] && Packet[8] == first.Packet[8] && Word(Packet[12..]) == Word(first.Packet[12..])
                && SameIdentification(first, index);
        if (!sameIp)
        {
            return false;
        }

        ReadOnlySpan<byte> here = Packet[Transport..];
        ReadOnlySpan<byte> there = first.Packet[Transport..];
        if (BinaryPrimitives.ReadUInt32LittleEndian(here) != BinaryPrimitives.ReadUInt32LittleEndian(there))
        {
            return false;
        }

        // Acknowledgement, data offset, flags without PSH, window, urgent pointer, options.
        const uint WithoutPush = ~((uint)Psh << 16);
        return !IsTcp
            || (BinaryPrimitives.ReadUInt32BigEndian(here[8..]) == BinaryPrimitives.ReadUInt32BigEndian(there[8..])
                && (BinaryPrimitives.ReadUInt32BigEndian(here[12..]) & WithoutPush) == (BinaryPrimitives.ReadUInt32BigEndian(there[12..]) & WithoutPush)
                && here[18..(Length - Transport)].SequenceEqual(there[18..(Length - Transport)]));
    }

    /// <summary>Is the checksum right? Joined packets get a new one, so a wrong one would be hidden for ever.</summary>
    public bool IsIntact()
    {
        int length = Packet.Length - Transport;
        ushort pseudo = PseudoHeader(length);
        bool isIpIntact = IsIPv6 || InternetChecksum.Compute(Packet[..Transport]) == 0;
        return isIpIntact && InternetChecksum.Compute(Packet[Transport..], pseudo) == 0;
    }

    /// <summary>The sum of the pseudo-header for a transport length.</summary>
    public ushort PseudoHeader(int transportLength)
    {
        ushort addresses = IsIPv6 ? InternetChecksum.Sum(Packet.Slice(8, 32)) : InternetChecksum.Sum(Packet.Slice(12, 8));
        return InternetChecksum.Add(InternetChecksum.Add(addresses, IsTcp ? IpPacket.Tcp : IpPacket.Udp), (ushort)transportLength);
    }

    private static bool IsDataOnly(byte flags) => (flags & ~(Psh | Ece)) == Ack;

    // Whoever cuts the run numbers the packets upwards. An atomic datagram's identification has no meaning (RFC 6864 section 4.1).
    private bool SameIdentification(in FlowHeader first, int index)
    {
        if (Packet[6] != first.Packet[6])
        {
            return false;
        }

        ushort here = BinaryPrimitives.ReadUInt16BigEndian(Packet[4..]);
        ushort there = BinaryPrimitives.ReadUInt16BigEndian(first.Packet[4..]);
        return IpPacket.DontFragment(Packet) || here == (ushort)(there + index);
    }

    private static ulong Word(ReadOnlySpan<byte> octets) => BinaryPrimitives.ReadUInt64LittleEndian(octets);
}
