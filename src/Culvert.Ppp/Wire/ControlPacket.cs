using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Ppp.Wire;

/// <summary>Codes of LCP and NCP packets (RFC 1661 section 5; 12 and 13: RFC 1570; 14 and 15: RFC 1962).</summary>
public enum ControlCode : byte
{
    VendorSpecific = 0,
    ConfigureRequest = 1,
    ConfigureAck = 2,
    ConfigureNak = 3,
    ConfigureReject = 4,
    TerminateRequest = 5,
    TerminateAck = 6,
    CodeReject = 7,
    ProtocolReject = 8,
    EchoRequest = 9,
    EchoReply = 10,
    DiscardRequest = 11,
    Identification = 12,
    TimeRemaining = 13,
    ResetRequest = 14,
    ResetAck = 15,
}

/// <summary>
/// The packet inside LCP, every NCP, PAP and CHAP (RFC 1661 section 5).
/// <code>
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Code      |  Identifier   |            Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |    Data ...
/// +-+-+-+-+
/// </code>
/// </summary>
public readonly ref struct ControlPacket
{
    public const int HeaderLength = 4;

    private ControlPacket(ReadOnlySpan<byte> packet, int padding)
    {
        Packet = packet;
        Padding = padding;
    }

    public ControlCode Code => (ControlCode)Packet[0];

    public byte Identifier => Packet[1];

    /// <summary>The whole packet, header included, padding excluded.</summary>
    public ReadOnlySpan<byte> Packet { get; }

    public ReadOnlySpan<byte> Data => Packet[HeaderLength..];

    /// <summary>Octets behind the packet: padding, to be ignored.</summary>
    public int Padding { get; }

    /// <summary>False when there is no whole packet: such a packet is discarded silently.</summary>
    public static bool TryRead(ReadOnlySpan<byte> information, out ControlPacket packet)
    {
        packet = default;
        if (information.Length < HeaderLength)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(information[2..]);
        if (length < HeaderLength || length > information.Length)
        {
            return false;
        }

        packet = new ControlPacket(information[..length], information.Length - length);
        return true;
    }

    /// <summary>Writes a header whose length <see cref="Finish"/> fills in; returns where the packet begins.</summary>
    public static int Begin(ref WireWriter writer, ControlCode code, byte identifier)
    {
        int start = writer.Length;
        writer.WriteByte((byte)code);
        writer.WriteByte(identifier);
        writer.WriteUInt16(0);
        return start;
    }

    public static void Finish(ref WireWriter writer, int start) => writer.PatchUInt16(start + 2, (ushort)(writer.Length - start));
}
