using System.Buffers.Binary;

namespace Culvert.Dataplane;

/// <summary>
/// Lowers the maximum segment size announced in TCP SYNs (RFC 9293 section 3.7.1), so that neither end sends segments that the
/// tunnel cannot carry whole. It never raises one and never adds the option.
/// </summary>
public static class MssClamp
{
    private const int TcpMinimumHeader = 20;
    private const byte SynFlag = 0x02;
    private const byte EndOfOptions = 0;
    private const byte NoOperation = 1;
    private const byte MaximumSegmentSize = 2;
    private const byte MaximumSegmentSizeLength = 4;

    /// <param name="packet">A whole IPv4 packet whose lengths have been checked.</param>
    /// <param name="ceiling">Largest MSS to let pass; 0 leaves everything alone.</param>
    /// <returns>True when the packet was changed; its TCP checksum is then repaired, not recomputed.</returns>
    public static bool ClampIPv4(Span<byte> packet, ushort ceiling) =>
        ceiling != 0 && packet[9] == IpPacket.Tcp && IpPacket.FragmentOffset(packet) == 0 && ClampTcp(packet[IpPacket.HeaderLength(packet)..], ceiling);

    /// <param name="packet">A whole IPv6 packet whose lengths have been checked.</param>
    /// <param name="ceiling">Largest MSS to let pass; 0 leaves everything alone.</param>
    /// <returns>True when the packet was changed.</returns>
    public static bool ClampIPv6(Span<byte> packet, ushort ceiling) =>
        ceiling != 0 && IpPacket.TryFindUpperLayer(packet, out byte protocol, out int offset) && protocol == IpPacket.Tcp
        && ClampTcp(packet[offset..], ceiling);

    private static bool ClampTcp(Span<byte> segment, ushort ceiling)
    {
        if (segment.Length < TcpMinimumHeader || (segment[13] & SynFlag) == 0)
        {
            return false;
        }

        int end = (segment[12] >> 4) * 4;
        if (end > segment.Length)
        {
            return false;
        }

        for (int at = TcpMinimumHeader; at < end;)
        {
            byte kind = segment[at];
            if (kind == EndOfOptions)
            {
                return false;
            }

            if (kind == NoOperation)
            {
                at++;
                continue;
            }

            if (at + 1 >= end || segment[at + 1] < 2 || at + segment[at + 1] > end)
            {
                return false;
            }

            if (kind == MaximumSegmentSize)
            {
                return segment[at + 1] == MaximumSegmentSizeLength && Lower(segment, at + 2, ceiling);
            }

            at += segment[at + 1];
        }

        return false;
    }

    private static bool Lower(Span<byte> segment, int at, ushort ceiling)
    {
        Span<byte> field = segment[at..];
        ushort before = BinaryPrimitives.ReadUInt16BigEndian(field);
        if (before <= ceiling)
        {
            return false;
        }

        BinaryPrimitives.WriteUInt16BigEndian(field, ceiling);
        ushort after = ceiling;
        if ((at & 1) != 0)
        {
            // Options may start anywhere: across two words the octets weigh as if swapped (RFC 1071 section 2 B).
            before = BinaryPrimitives.ReverseEndianness(before);
            after = BinaryPrimitives.ReverseEndianness(after);
        }

        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(segment[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..], InternetChecksum.Update(checksum, before, after));
        return true;
    }
}
