using Culvert.Core;

namespace Culvert.Ppp.Wire;

/// <summary>How frames are written towards a peer: what it said it can receive (RFC 1661 sections 6.5 and 6.6).</summary>
/// <param name="Acfc">The FF 03 in front may be left out.</param>
/// <param name="Pfc">A protocol number below 256 may be written in one octet.</param>
public readonly record struct PppFraming(bool Acfc, bool Pfc);

/// <summary>
/// The front of a PPP frame as L2TP carries it (RFC 2661 section 4.1: no flags, no escapes, no checksum).
/// <code>
/// +----------+----------+-----------------+-------------+---------
/// | Address  | Control  | Protocol        | Information | Padding
/// | FF       | 03       | 1 or 2 octets   |             |
/// +----------+----------+-----------------+-------------+---------
/// </code>
/// </summary>
public static class PppFrame
{
    public const byte Address = 0xFF;
    public const byte Control = 0x03;

    /// <summary>Most octets in front of the information: FF 03 and a protocol number in two octets.</summary>
    public const int MaxHeaderLength = 4;

    /// <summary>
    /// Splits a frame. Every form is accepted at all times, whatever was negotiated: with and without FF 03, protocol number in one
    /// or two octets. False when nothing is left, or the protocol number is not one (section 2: its last octet
    /// is odd, its first even; section 6.6: not 00 FF).
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> frame, out PppProtocol protocol, out ReadOnlySpan<byte> information)
    {
        if (frame.Length >= 2 && frame[0] == Address && frame[1] == Control)
        {
            frame = frame[2..];
        }

        information = default;
        protocol = PppProtocol.None;
        if (frame.IsEmpty)
        {
            return false;
        }

        // 00 FF is no protocol (RFC 1661 section 6.6): compressed it would look like the address of another frame.
        if (frame[0] == Address || frame is [0, Address, ..])
        {
            return false;
        }

        if ((frame[0] & 1) != 0)
        {
            protocol = (PppProtocol)frame[0];
            information = frame[1..];
            return true;
        }

        if (frame.Length < 2 || (frame[1] & 1) == 0)
        {
            return false;
        }

        protocol = (PppProtocol)((frame[0] << 8) | frame[1]);
        information = frame[2..];
        return true;
    }

    /// <summary>
    /// Writes what stands in front of the information. LCP is always written in full (section 6.5: "LCP packets are always sent
    /// uncompressed").
    /// </summary>
    public static void WriteHeader(ref WireWriter writer, PppProtocol protocol, PppFraming framing)
    {
        bool full = protocol == PppProtocol.Lcp;
        if (full || !framing.Acfc)
        {
            writer.WriteByte(Address);
            writer.WriteByte(Control);
        }

        if (!full && framing.Pfc && (ushort)protocol <= byte.MaxValue)
        {
            writer.WriteByte((byte)protocol);
        }
        else
        {
            writer.WriteUInt16((ushort)protocol);
        }
    }
}
