using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Culvert.Dataplane;

/// <summary>
/// The octets in front of an IP packet towards a peer, at most <see cref="MaxLength"/>: L2TP data header (RFC 2661 section 3.1),
/// then PPP address, control and protocol. They are kept aligned to the right of one 16-octet vector, so that prepending is one
/// store that ends where the packet begins; what it writes before the header is headroom.
/// </summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
/// |           Tunnel ID           |           Session ID          |
/// |             Ns (opt)          |             Nr (opt)          |
/// |     FF (opt)  |    03 (opt)   | 00 (opt)      |    21 or 57   |
/// </code>
/// </remarks>
internal static class FrameHeader
{
    public const int MaxLength = 16;

    public const ushort LengthBit = 0x4000;
    public const ushort SequenceBit = 0x0800;
    public const ushort PriorityBit = 0x0100;
    public const ushort Version = 2;

    public static Vector128<byte> Build(in SessionForwarding session)
    {
        Span<byte> image = stackalloc byte[MaxLength];
        image.Clear();
        int length = TunnelMtu.HeaderLength(session.Framing);
        Span<byte> header = image[(MaxLength - length)..];
        int at = WriteL2tp(header, session.PeerTunnelId, session.PeerSessionId, session.Framing, false, 0, 0);
        if ((session.Framing & TransmitFraming.AddressControl) != 0)
        {
            header[at++] = 0xFF;
            header[at++] = 0x03;
        }

        if ((session.Framing & TransmitFraming.CompressProtocol) == 0)
        {
            header[at++] = 0;
        }

        header[at] = (byte)PppProtocol.IPv4;
        return Vector128.Create<byte>(image);
    }

    /// <summary>Writes an L2TP data header; the length counts from its first octet. Returns its size, 6 to 12.</summary>
    public static int WriteL2tp(
        Span<byte> target, ushort tunnelId, ushort sessionId, TransmitFraming framing, bool priority, int payloadLength, ushort ns)
    {
        int size = TunnelMtu.L2tpHeaderLength(framing);
        bool hasLength = (framing & TransmitFraming.Length) != 0;
        bool hasSequence = (framing & TransmitFraming.Sequence) != 0;
        int bits = Version | (hasLength ? LengthBit : 0) | (hasSequence ? SequenceBit : 0) | (priority ? PriorityBit : 0);
        BinaryPrimitives.WriteUInt16BigEndian(target, (ushort)bits);
        int at = 2;
        if (hasLength)
        {
            BinaryPrimitives.WriteUInt16BigEndian(target[at..], (ushort)(size + payloadLength));
            at += 2;
        }

        BinaryPrimitives.WriteUInt16BigEndian(target[at..], tunnelId);
        BinaryPrimitives.WriteUInt16BigEndian(target[(at + 2)..], sessionId);
        if (hasSequence)
        {
            BinaryPrimitives.WriteUInt16BigEndian(target[(at + 4)..], ns);
            BinaryPrimitives.WriteUInt16BigEndian(target[(at + 6)..], 0);
        }

        return size;
    }

    /// <summary>Writes the header so that it ends at <paramref name="packetOffset"/>, which must be at least <see cref="MaxLength"/>.</summary>
    /// <returns>The frame's first octet.</returns>
    public static int Prepend(Span<byte> buffer, int packetOffset, int packetLength, in SessionEntry session, bool isIPv6, ushort ns)
    {
        Span<byte> room = buffer.Slice(packetOffset - MaxLength, MaxLength);
        session.Header.CopyTo(room);
        if (isIPv6)
        {
            room[MaxLength - 1] = (byte)PppProtocol.IPv6;
        }

        int start = packetOffset - session.HeaderLength;
        Patch(buffer[start..], session.HeaderLength + packetLength, session.Framing, ns);
        return start;
    }

    /// <summary>Writes the header at the start of <paramref name="room"/>, where the packet follows it.</summary>
    public static void Write(Span<byte> room, int packetLength, in SessionEntry session, bool isIPv6, ushort ns)
    {
        Span<byte> image = stackalloc byte[MaxLength];
        session.Header.CopyTo(image);
        image[(MaxLength - session.HeaderLength)..].CopyTo(room);
        if (isIPv6)
        {
            room[session.HeaderLength - 1] = (byte)PppProtocol.IPv6;
        }

        Patch(room, session.HeaderLength + packetLength, session.Framing, ns);
    }

    /// <summary>The peer's IDs, read back from the prepared header.</summary>
    public static (ushort TunnelId, ushort SessionId) PeerIds(in SessionEntry session)
    {
        Span<byte> image = stackalloc byte[MaxLength];
        session.Header.CopyTo(image);
        int at = MaxLength - session.HeaderLength + ((session.Framing & TransmitFraming.Length) != 0 ? 4 : 2);
        return (BinaryPrimitives.ReadUInt16BigEndian(image[at..]), BinaryPrimitives.ReadUInt16BigEndian(image[(at + 2)..]));
    }

    private static void Patch(Span<byte> header, int frameLength, TransmitFraming framing, ushort ns)
    {
        int at = 6;
        if ((framing & TransmitFraming.Length) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)frameLength);
            at = 8;
        }

        if ((framing & TransmitFraming.Sequence) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[at..], ns);
        }
    }
}
