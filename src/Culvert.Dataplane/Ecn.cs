using System.Buffers.Binary;

namespace Culvert.Dataplane;

/// <summary>Explicit congestion notification across a tunnel (RFC 3168, RFC 6040, RFC 9601).</summary>
internal static class Ecn
{
    public const byte NotEct = 0;
    public const byte Ect1 = 1;
    public const byte Ect0 = 2;
    public const byte CongestionExperienced = 3;

    public const byte Mask = 3;

    /// <summary>In the table: the packet must not go on.</summary>
    public const byte Discard = 0xFF;

    /// <summary>
    /// RFC 6040 section 4.2, figure 4: what the packet carries on from the tunnel. Rows: what it carried into it (Not-ECT, ECT(1), ECT(0),
    /// CE, in the order of their numbers); columns: the outer header as it arrived.
    /// </summary>
    private static ReadOnlySpan<byte> Outgoing =>
    [
        NotEct, NotEct, NotEct, Discard,
        Ect1, Ect1, Ect1, CongestionExperienced,
        Ect0, Ect1, Ect0, CongestionExperienced,
        CongestionExperienced, CongestionExperienced, CongestionExperienced, CongestionExperienced,
    ];

    /// <summary>
    /// Brings what happened to the outer packet into the inner one, which was measured. False when it must be dropped: its
    /// transport does not know ECN, so a loss is the only way to tell it of congestion.
    /// </summary>
    public static bool TryDecapsulate(Span<byte> packet, byte outerTrafficClass)
    {
        int inner = IpPacket.TrafficClass(packet) & Mask;
        byte outgoing = Outgoing[(inner * 4) + (outerTrafficClass & Mask)];
        if (outgoing == inner)
        {
            return true;
        }

        if (outgoing == Discard)
        {
            return false;
        }

        if (IpPacket.Version(packet) == 4)
        {
            SetIPv4(packet, outgoing);
        }
        else
        {
            packet[1] = (byte)((packet[1] & ~(Mask << 4)) | (outgoing << 4));
        }

        return true;
    }

    private static void SetIPv4(Span<byte> packet, byte ecn)
    {
        ushort before = BinaryPrimitives.ReadUInt16BigEndian(packet);
        packet[1] = (byte)((packet[1] & ~Mask) | ecn);
        ushort after = BinaryPrimitives.ReadUInt16BigEndian(packet);
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(packet[10..]);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Update(checksum, before, after));
    }
}
