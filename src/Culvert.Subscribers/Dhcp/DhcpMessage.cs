using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Subscribers.Dhcp;

/// <summary>
/// A client's message (RFC 2131 section 2), with what an answer to DHCPINFORM needs of its options. A view of the datagram.
/// <code>
///  0        1        2        3
/// +--------+--------+--------+--------+
/// | op     | htype  | hlen   | hops   |   0
/// | xid                               |   4
/// | secs            | flags           |   8
/// | ciaddr                            |  12
/// | yiaddr                            |  16
/// | siaddr                            |  20
/// | giaddr                            |  24
/// | chaddr (16)                       |  28
/// | sname (64)                        |  44
/// | file (128)                        | 108
/// | 99     130      83       99       | 236
/// | options ...                       | 240
/// +-----------------------------------+
/// </code>
/// </summary>
internal readonly ref struct DhcpMessage
{
    public const byte BootRequest = 1;
    public const byte BootReply = 2;
    public const uint MagicCookie = 0x6382_5363;
    public const int HardwareAddressOffset = 28;
    public const int HardwareAddressRoom = 16;
    public const int CookieOffset = 236;
    public const int OptionsOffset = 240;

    private const int ServerNameOffset = 44;
    private const int FileOffset = 108;
    private const byte FileOverloaded = 1;
    private const byte ServerNameOverloaded = 2;

    private readonly ReadOnlySpan<byte> _octets;

    private DhcpMessage(ReadOnlySpan<byte> octets) => _octets = octets;

    /// <summary>From op to file.</summary>
    public ReadOnlySpan<byte> Header => _octets[..CookieOffset];

    /// <summary>The address that the client says it has.</summary>
    public IpAddress ClientAddress => IpAddress.FromBytes(_octets.Slice(12, 4));

    /// <summary>Not 0.0.0.0 when a relay passed the message on (RFC 2131 section 4.1).</summary>
    public IpAddress RelayAddress => IpAddress.FromBytes(_octets.Slice(24, 4));

    public DhcpMessageType Type { get; private init; }

    /// <summary>Octets of the largest IP datagram that the client takes; 0 when it does not say.</summary>
    public ushort MaximumSize { get; private init; }

    /// <summary>Option codes that the client asks for; empty when it does not say.</summary>
    public ReadOnlySpan<byte> Requested { get; private init; }

    public ReadOnlySpan<byte> VendorClass { get; private init; }

    /// <summary>Empty for none.</summary>
    public ReadOnlySpan<byte> ClientIdentifier { get; private init; }

    /// <summary>All versions since 2000; RFC 2132 section 9.13 leaves the text to the vendor.</summary>
    public bool IsWindows => VendorClass.StartsWith("MSFT "u8);

    /// <summary>
    /// Reads a request as it came in UDP. False for a reply, a message without the cookie, an option that does not lie wholly in its field,
    /// or one that is read here and has another length than RFC 2132 gives it. Of an option that occurs twice the first counts.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> octets, out DhcpMessage message)
    {
        message = default;
        if (octets.Length < OptionsOffset || octets[0] != BootRequest || octets[2] > HardwareAddressRoom
            || BinaryPrimitives.ReadUInt32BigEndian(octets[CookieOffset..]) != MagicCookie)
        {
            return false;
        }

        message = new DhcpMessage(octets);
        byte overload = 0;
        if (!TryReadField(octets[OptionsOffset..], ref message, ref overload))
        {
            return false;
        }

        // RFC 2131 section 4.1: first the options field, then 'file', then 'sname'; those cannot name further ones.
        byte ignored = 0;
        return ((overload & FileOverloaded) == 0 || TryReadField(octets[FileOffset..CookieOffset], ref message, ref ignored))
            && ((overload & ServerNameOverloaded) == 0 || TryReadField(octets[ServerNameOffset..FileOffset], ref message, ref ignored));
    }

    private static bool TryReadField(ReadOnlySpan<byte> field, ref DhcpMessage message, ref byte overload)
    {
        var reader = new WireReader(field);
        while (reader.TryReadByte(out byte code) && code != (byte)DhcpOption.End)
        {
            if (code == (byte)DhcpOption.Pad)
            {
                continue;
            }

            if (!reader.TryReadByte(out byte length) || !reader.TryReadBytes(length, out ReadOnlySpan<byte> value)
                || !TryTake((DhcpOption)code, value, ref message, ref overload))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryTake(DhcpOption code, ReadOnlySpan<byte> value, ref DhcpMessage message, ref byte overload)
    {
        switch (code)
        {
            case DhcpOption.MessageType:
                message = message.Type == DhcpMessageType.None && value.Length == 1
                    ? message with { Type = (DhcpMessageType)value[0] }
                    : message;
                return value.Length == 1;
            case DhcpOption.Overload:
                overload = value.Length == 1 ? value[0] : overload;
                return value is [1 or 2 or 3];
            case DhcpOption.MaximumMessageSize:
                message = message.MaximumSize == 0 && value.Length == 2
                    ? message with { MaximumSize = BinaryPrimitives.ReadUInt16BigEndian(value) }
                    : message;
                return value.Length == 2;
            case DhcpOption.ParameterRequestList:
                message = message.Requested.IsEmpty ? message with { Requested = value } : message;
                return !value.IsEmpty;
            case DhcpOption.VendorClass:
                message = message.VendorClass.IsEmpty ? message with { VendorClass = value } : message;
                return !value.IsEmpty;
            case DhcpOption.ClientIdentifier:
                // RFC 2132 section 9.14 wants two octets; clients that send one are not worth a fight.
                message = message.ClientIdentifier.IsEmpty ? message with { ClientIdentifier = value } : message;
                return !value.IsEmpty;
            default:
                return true;
        }
    }
}
