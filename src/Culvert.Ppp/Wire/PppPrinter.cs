using System.Buffers.Binary;
using System.Text;
using Culvert.Core;

namespace Culvert.Ppp.Wire;

/// <summary>
/// Prints any PPP control frame in one line, the way tcpdump does. Takes every input: what cannot be read is said to be so, what
/// is not printable is escaped, and secrets (passwords, challenges, responses) appear as their length only.
/// </summary>
public static class PppPrinter
{
    /// <summary>Octets shown of data that has no better form.</summary>
    private const int HexLimit = 32;

    private const string Separator = ", ";

    private static readonly string[] ChapCodes = ["Challenge", "Response", "Success", "Failure"];
    private static readonly string[] PapCodes = ["Auth-Request", "Auth-Ack", "Auth-Nak"];

    /// <summary>Appends a line (without its end) for <paramref name="frame"/>, in any form that L2TP may carry.</summary>
    public static void Print(StringBuilder target, ReadOnlySpan<byte> frame) => Print(target, frame, Separator);

    /// <summary>As above, with <paramref name="separator"/> in front of each option: a line feed and spaces give each its own line.</summary>
    public static void Print(StringBuilder target, ReadOnlySpan<byte> frame, string separator)
    {
        if (!PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> information))
        {
            _ = target.Append("PPP, malformed: ");
            AppendHex(target, frame);
            return;
        }

        switch (protocol)
        {
            case PppProtocol.Pap:
                PrintAuthentication(target, "PAP", PapCodes, information);
                break;
            case PppProtocol.Chap:
                PrintAuthentication(target, "CHAP", ChapCodes, information);
                break;
            case PppProtocol.Eap:
                PrintEap(target, information);
                break;
            case PppProtocol.Lcp:
                PrintControl(target, protocol, "LCP", information, separator);
                break;
            case PppProtocol.Ipcp or PppProtocol.Ipv6cp or PppProtocol.CompressionControl or PppProtocol.EncryptionControl
                or PppProtocol.MplsControl or PppProtocol.BridgingControl or PppProtocol.CiscoDiscoveryControl
                or PppProtocol.CallbackControl or PppProtocol.IpxControl or PppProtocol.AppleTalkControl or PppProtocol.NetBiosControl
                or PppProtocol.BandwidthAllocationControl:
                PrintControl(target, protocol, NameOf(protocol), information, separator);
                break;
            default:
                _ = target.Append($"{NameOf(protocol)}, length {information.Length}");
                break;
        }
    }

    public static string Print(ReadOnlySpan<byte> frame)
    {
        var text = new StringBuilder();
        Print(text, frame);
        return text.ToString();
    }

    /// <summary>The word for a protocol number, or the number itself.</summary>
    public static string NameOf(PppProtocol protocol) => protocol switch
    {
        PppProtocol.Lcp => "LCP",
        PppProtocol.Ipcp => "IPCP",
        PppProtocol.Ipv6cp => "IPV6CP",
        PppProtocol.CompressionControl => "CCP",
        PppProtocol.EncryptionControl => "ECP",
        PppProtocol.MplsControl => "MPLSCP",
        PppProtocol.BridgingControl => "BCP",
        PppProtocol.CallbackControl => "CBCP",
        PppProtocol.BandwidthAllocationControl => "BACP",
        PppProtocol.CiscoDiscoveryControl => "CDPCP",
        PppProtocol.IpxControl => "IPXCP",
        PppProtocol.AppleTalkControl => "ATCP",
        PppProtocol.NetBiosControl => "NBFCP",
        PppProtocol.IPv4 => "IP",
        PppProtocol.IPv6 => "IP6",
        PppProtocol.Pap => "PAP",
        PppProtocol.Chap => "CHAP",
        PppProtocol.Eap => "EAP",
        PppProtocol.Multilink => "MLPPP",
        PppProtocol.CompressedDatagram => "compressed PPP",
        _ => $"PPP protocol 0x{(ushort)protocol:x4}",
    };

    /// <summary>The data of LCP's Authentication-Protocol option in words: "CHAP, MS-CHAPv2", "EAP".</summary>
    public static string DescribeAuthentication(ReadOnlySpan<byte> data)
    {
        if (!BinaryPrimitives.TryReadUInt16BigEndian(data, out ushort protocol))
        {
            return "nothing readable";
        }

        string name = NameOf((PppProtocol)protocol);
        return data.Length < 3 ? name : data[2] switch
        {
            0x05 => $"{name}, MD5",
            0x80 => $"{name}, MS-CHAPv1",
            0x81 => $"{name}, MS-CHAPv2",
            _ => $"{name}, algorithm 0x{data[2]:x2}",
        };
    }

    private static void PrintControl(StringBuilder target, PppProtocol protocol, string name, ReadOnlySpan<byte> information, string separator)
    {
        if (!TryHeader(target, name, information, out ControlPacket packet))
        {
            return;
        }

        _ = target.Append($"{name}, {CodeName(packet.Code)} (0x{(byte)packet.Code:x2}), id {packet.Identifier}, length {packet.Packet.Length}");
        switch (packet.Code)
        {
            case ControlCode.ConfigureRequest or ControlCode.ConfigureAck or ControlCode.ConfigureNak or ControlCode.ConfigureReject:
                PrintOptions(target.Append(packet.Data.IsEmpty ? string.Empty : separator), protocol, packet.Data, separator);
                break;
            case ControlCode.TerminateRequest or ControlCode.TerminateAck when !packet.Data.IsEmpty:
                AppendQuoted(target, packet.Data);
                break;
            case ControlCode.CodeReject when packet.Data.Length >= 2:
                _ = target.Append($", rejected {CodeName((ControlCode)packet.Data[0])} id {packet.Data[1]}");
                break;
            case ControlCode.ProtocolReject when packet.Data.Length >= 2:
                _ = target.Append($", rejected {NameOf((PppProtocol)BinaryPrimitives.ReadUInt16BigEndian(packet.Data))}");
                break;
            case ControlCode.EchoRequest or ControlCode.EchoReply or ControlCode.DiscardRequest or ControlCode.Identification
                or ControlCode.TimeRemaining when packet.Data.Length >= 4:
                PrintWithMagic(target, packet);
                break;
            default:
                break;
        }

        PrintPadding(target, packet);
    }

    private static void PrintWithMagic(StringBuilder target, in ControlPacket packet)
    {
        _ = target.Append($", magic 0x{BinaryPrimitives.ReadUInt32BigEndian(packet.Data):x8}");
        ReadOnlySpan<byte> rest = packet.Data[4..];
        if (packet.Code == ControlCode.Identification)
        {
            AppendQuoted(target, rest);
        }
        else if (packet.Code == ControlCode.TimeRemaining && BinaryPrimitives.TryReadUInt32BigEndian(rest, out uint seconds))
        {
            _ = target.Append($", {seconds} s");
        }
        else if (!rest.IsEmpty)
        {
            _ = target.Append($", data {rest.Length}");
        }
    }

    /// <summary>Options by themselves, as an L2TP proxy LCP AVP carries them, with <paramref name="separator"/> between them.</summary>
    public static void PrintOptions(StringBuilder target, PppProtocol protocol, ReadOnlySpan<byte> options, string separator = Separator)
    {
        var list = new PppOptionList(options);
        string before = string.Empty;
        while (list.MoveNext())
        {
            _ = target.Append(before);
            PrintOption(target, protocol, list.Current);
            before = separator;
        }

        if (!list.Rest.IsEmpty)
        {
            _ = target.Append(before).Append("malformed option ");
            AppendHex(target, list.Rest);
        }
    }

    private static void PrintOption(StringBuilder target, PppProtocol protocol, in PppOption option)
    {
        ReadOnlySpan<byte> data = option.Data;
        bool isKnown = OptionTable.TryFind(protocol, option.Type, out OptionDescription description);
        _ = target.Append(isKnown ? description.Name : $"option-{option.Type}");
        if (data.IsEmpty)
        {
            return;
        }

        _ = target.Append(' ');
        if (!isKnown || data.Length < description.MinLength || data.Length > description.MaxLength)
        {
            AppendHex(target, data);
            return;
        }

        switch (description.Format)
        {
            case OptionFormat.Number16:
                _ = target.Append(BinaryPrimitives.ReadUInt16BigEndian(data));
                break;
            case OptionFormat.Number32:
                _ = target.Append(BinaryPrimitives.ReadUInt32BigEndian(data));
                break;
            case OptionFormat.Hexadecimal32 or OptionFormat.CompressionBits:
                _ = target.Append($"0x{BinaryPrimitives.ReadUInt32BigEndian(data):x8}");
                break;
            case OptionFormat.IPv4Address:
                _ = target.Append(IpAddress.FromBytes(data));
                break;
            case OptionFormat.TwoIPv4Addresses:
                _ = target.Append($"{IpAddress.FromBytes(data[..4])} {IpAddress.FromBytes(data[4..])}");
                break;
            case OptionFormat.AuthenticationProtocol:
                _ = target.Append(DescribeAuthentication(data));
                break;
            case OptionFormat.CompressionProtocol when BinaryPrimitives.ReadUInt16BigEndian(data) == (ushort)PppProtocol.VanJacobsonCompressed:
                _ = target.Append("VJ");
                break;
            case OptionFormat.InterfaceIdentifier:
                _ = target.Append(
                    $"{data[0]:x2}{data[1]:x2}:{data[2]:x2}{data[3]:x2}:{data[4]:x2}{data[5]:x2}:{data[6]:x2}{data[7]:x2}");
                break;
            case OptionFormat.EndpointDiscriminator:
                _ = target.Append($"class {data[0]} ");
                AppendHex(target, data[1..]);
                break;
            default:
                AppendHex(target, data);
                break;
        }
    }

    /// <summary>PAP (RFC 1334) and CHAP (RFC 1994): names are shown, what proves them is not.</summary>
    private static void PrintAuthentication(StringBuilder target, string name, string[] codes, ReadOnlySpan<byte> information)
    {
        if (!TryHeader(target, name, information, out ControlPacket packet))
        {
            return;
        }

        int code = (int)packet.Code - 1;
        string codeName = (uint)code < (uint)codes.Length ? codes[code] : "unknown code";
        _ = target.Append($"{name}, {codeName} (0x{(byte)packet.Code:x2}), id {packet.Identifier}, length {packet.Packet.Length}");
        ReadOnlySpan<byte> data = packet.Data;
        if (packet.Code is (ControlCode)1 or (ControlCode)2 && codes == ChapCodes)
        {
            PrintChapValue(target, data);
        }
        else if (codes == ChapCodes && packet.Code is (ControlCode)3 or (ControlCode)4)
        {
            // An MS-CHAPv2 Success holds the authenticator's proof (S=), a Failure may hold a new challenge (C=).
            _ = target.Append($", message {data.Length}");
        }
        else if (codes == PapCodes && packet.Code == (ControlCode)1)
        {
            PrintPapRequest(target, data);
        }
        else if (codes == PapCodes && code is 1 or 2 && TryTakeCounted(ref data, out ReadOnlySpan<byte> message))
        {
            AppendQuoted(target, message);
        }

        PrintPadding(target, packet);
    }

    private static void PrintChapValue(StringBuilder target, ReadOnlySpan<byte> data)
    {
        if (TryTakeCounted(ref data, out ReadOnlySpan<byte> value))
        {
            _ = target.Append($", value {value.Length}, name");
            AppendQuoted(target, data);
        }
        else
        {
            _ = target.Append(", malformed");
        }
    }

    private static void PrintPapRequest(StringBuilder target, ReadOnlySpan<byte> data)
    {
        if (TryTakeCounted(ref data, out ReadOnlySpan<byte> peer) && TryTakeCounted(ref data, out ReadOnlySpan<byte> password))
        {
            _ = target.Append(", name");
            AppendQuoted(target, peer);
            _ = target.Append($", password {password.Length}");
        }
        else
        {
            _ = target.Append(", malformed");
        }
    }

    private static void PrintEap(StringBuilder target, ReadOnlySpan<byte> information)
    {
        if (TryHeader(target, "EAP", information, out ControlPacket packet))
        {
            string code = (byte)packet.Code switch { 1 => "Request", 2 => "Response", 3 => "Success", 4 => "Failure", _ => "unknown code" };
            _ = target.Append($"EAP, {code} (0x{(byte)packet.Code:x2}), id {packet.Identifier}, length {packet.Packet.Length}");
            if (!packet.Data.IsEmpty)
            {
                _ = target.Append($", type {packet.Data[0]}");
            }
        }
    }

    private static bool TryHeader(StringBuilder target, string name, ReadOnlySpan<byte> information, out ControlPacket packet)
    {
        if (ControlPacket.TryRead(information, out packet))
        {
            return true;
        }

        // Not even its octets: they may be half of a password.
        _ = target.Append($"{name}, malformed, length {information.Length}");
        return false;
    }

    private static void PrintPadding(StringBuilder target, in ControlPacket packet)
    {
        if (packet.Padding > 0)
        {
            _ = target.Append($", padding {packet.Padding}");
        }
    }

    private static bool TryTakeCounted(ref ReadOnlySpan<byte> data, out ReadOnlySpan<byte> value)
    {
        var reader = new WireReader(data);
        if (!reader.TryReadByte(out byte length) || !reader.TryReadBytes(length, out value))
        {
            value = default;
            return false;
        }

        data = reader.Rest;
        return true;
    }

    private static string CodeName(ControlCode code) => code switch
    {
        ControlCode.VendorSpecific => "Vendor-Specific",
        ControlCode.ConfigureRequest => "Conf-Request",
        ControlCode.ConfigureAck => "Conf-Ack",
        ControlCode.ConfigureNak => "Conf-Nak",
        ControlCode.ConfigureReject => "Conf-Reject",
        ControlCode.TerminateRequest => "Term-Request",
        ControlCode.TerminateAck => "Term-Ack",
        ControlCode.CodeReject => "Code-Reject",
        ControlCode.ProtocolReject => "Prot-Reject",
        ControlCode.EchoRequest => "Echo-Request",
        ControlCode.EchoReply => "Echo-Reply",
        ControlCode.DiscardRequest => "Disc-Req",
        ControlCode.Identification => "Ident",
        ControlCode.TimeRemaining => "Time-Remaining",
        ControlCode.ResetRequest => "Reset-Req",
        ControlCode.ResetAck => "Reset-Ack",
        _ => "unknown code",
    };

    private static void AppendQuoted(StringBuilder target, ReadOnlySpan<byte> text)
    {
        _ = target.Append(" \"");
        PppText.AppendEscaped(target, text);
        _ = target.Append('"');
    }

    private static void AppendHex(StringBuilder target, ReadOnlySpan<byte> octets)
    {
        int shown = Math.Min(octets.Length, HexLimit);
        _ = target.Append("0x").Append(Convert.ToHexStringLower(octets[..shown])).Append(shown < octets.Length ? "..." : "");
    }
}
