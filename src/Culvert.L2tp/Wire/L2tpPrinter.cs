using System.Buffers.Binary;
using System.Text;

namespace Culvert.L2tp.Wire;

/// <summary>
/// Prints L2TP datagrams: on one line as tcpdump does, or one AVP per line. M is shown as *, H as ?. Takes any octets: what is wrong
/// is said in the text. What a peer wrote cannot break the line, passwords and challenge responses are only counted.
/// </summary>
public static class L2tpPrinter
{
    /// <summary>
    /// About as many characters as one datagram may print to: the largest real message stays below 4,000; a hostile one must not fill
    /// a log. The text is cut after the AVP that exceeds it.
    /// </summary>
    public const int MaximumCharacters = 16_384;

    /// <summary>Such as <c>l2tp:[TLS](7/0)Ns=0,Nr=1 *Message Type(SCCRP) *Protocol Version(1.0) ...</c>, without a line break.</summary>
    public static void AppendLine(StringBuilder text, ReadOnlySpan<byte> datagram)
    {
        if (!L2tpHeader.TryRead(datagram, out L2tpHeader header, out L2tpHeaderFault fault))
        {
            AppendRefused(text, datagram, fault);
            return;
        }

        text.Append("l2tp:[");
        AppendFlags(text, header);
        text.Append($"]({header.TunnelId}/{header.SessionId})");
        if (header.HasSequence)
        {
            text.Append($"Ns={header.Ns},Nr={header.Nr}");
        }

        if (header.HasOffset)
        {
            text.Append($" offset={header.OffsetSize}");
        }

        AppendBody(text, header, datagram, " ", isVerbose: false);
        AppendTrailing(text, header, datagram);
    }

    /// <summary>The header in words on the first line, then every AVP on its own; each line ends in a line feed.</summary>
    public static void AppendVerbose(StringBuilder text, ReadOnlySpan<byte> datagram)
    {
        if (!L2tpHeader.TryRead(datagram, out L2tpHeader header, out L2tpHeaderFault fault))
        {
            AppendRefused(text, datagram, fault);
            text.Append('\n');
            return;
        }

        text.Append($"L2TP {(header.IsControl ? "control" : "data")} message [");
        AppendFlags(text, header);
        text.Append($"], tunnel {header.TunnelId}, session {header.SessionId}");
        if (header.HasSequence)
        {
            text.Append($", Ns {header.Ns}, Nr {header.Nr}");
        }

        if (header.HasOffset)
        {
            text.Append($", offset {header.OffsetSize}");
        }

        text.Append($", {header.PayloadEnd} octets");
        if (header.ReservedBits != 0)
        {
            text.Append($", reserved bits 0x{header.ReservedBits:x4}");
        }

        AppendTrailing(text, header, datagram);
        AppendBody(text, header, datagram, "\n    ", isVerbose: true);
        text.Append('\n');
    }

    /// <summary>The one line as a string, for logs and failing tests.</summary>
    public static string ToLine(ReadOnlySpan<byte> datagram)
    {
        var text = new StringBuilder();
        AppendLine(text, datagram);
        return text.ToString();
    }

    public static string ToVerbose(ReadOnlySpan<byte> datagram)
    {
        var text = new StringBuilder();
        AppendVerbose(text, datagram);
        return text.ToString();
    }

    private static void AppendRefused(StringBuilder text, ReadOnlySpan<byte> datagram, L2tpHeaderFault fault) =>
        text.Append($"l2tp:[refused: {Describe(fault)}] {datagram.Length} octets");

    private static string Describe(L2tpHeaderFault fault) => fault switch
    {
        L2tpHeaderFault.Truncated => "header truncated",
        L2tpHeaderFault.VersionL2f => "version 1, L2F",
        L2tpHeaderFault.VersionL2tpV3 => "version 3, L2TPv3",
        L2tpHeaderFault.UnknownVersion => "unknown version",
        L2tpHeaderFault.ControlWithoutLength => "control message without Length",
        L2tpHeaderFault.ControlWithoutSequence => "control message without Ns and Nr",
        L2tpHeaderFault.ControlWithOffset => "control message with Offset",
        L2tpHeaderFault.BadLength => "bad Length",
        L2tpHeaderFault.BadOffset => "bad Offset Size",
        _ => "no fault",
    };

    private static void AppendFlags(StringBuilder text, in L2tpHeader header)
    {
        text.Append(header.IsControl ? "T" : string.Empty);
        text.Append(header.HasLength ? "L" : string.Empty);
        text.Append(header.HasSequence ? "S" : string.Empty);
        text.Append(header.HasOffset ? "O" : string.Empty);
        text.Append(header.IsPriority ? "P" : string.Empty);
    }

    private static void AppendBody(StringBuilder text, in L2tpHeader header, ReadOnlySpan<byte> datagram, string separator, bool isVerbose)
    {
        if (header.IsZeroLengthBody)
        {
            text.Append(separator).Append("ZLB");
        }
        else if (header.IsControl)
        {
            AppendAvps(text, datagram[header.PayloadStart..header.PayloadEnd], separator, isVerbose);
        }
        else
        {
            text.Append(separator).Append($"{{{header.PayloadLength} octets}}");
        }
    }

    private static void AppendAvps(StringBuilder text, ReadOnlySpan<byte> body, string separator, bool isVerbose)
    {
        int limit = text.Length + MaximumCharacters;
        MessageType message = default;
        var reader = new AvpReader(body);
        while (reader.MoveNext())
        {
            Avp avp = reader.Current;
            if (reader.Count == 1 && avp.Id == AvpType.MessageType && avp.Value.Length == sizeof(ushort))
            {
                message = (MessageType)BinaryPrimitives.ReadUInt16BigEndian(avp.Value);
            }

            text.Append(separator);
            AppendAvp(text, avp, message, isVerbose);
            if (text.Length > limit)
            {
                text.Append(separator).Append("[more AVPs not shown]");
                return;
            }
        }

        if (reader.Fault != AvpFault.None)
        {
            text.Append(separator).Append($"[malformed after {reader.Count} AVPs: {Describe(reader.Fault)}]");
        }
    }

    private static void AppendAvp(StringBuilder text, in Avp avp, MessageType message, bool isVerbose)
    {
        text.Append(avp.IsMandatory ? "*" : string.Empty).Append(avp.IsHidden ? "?" : string.Empty);
        text.Append(avp.HasReservedBits ? "[reserved bits]" : string.Empty);
        text.Append(avp.Id.ToString());
        if (isVerbose)
        {
            text.Append(avp.Value.IsEmpty ? string.Empty : ": ");
            AvpPrinter.AppendValue(text, avp, message);
        }
        else
        {
            text.Append('(');
            AvpPrinter.AppendValue(text, avp, message);
            text.Append(')');
        }
    }

    private static string Describe(AvpFault fault) => fault switch
    {
        AvpFault.Truncated => "AVP header truncated",
        AvpFault.LengthTooSmall => "AVP Length below 6",
        AvpFault.LengthTooLarge => "AVP Length past the end",
        AvpFault.TooMany => "too many AVPs",
        _ => "no fault",
    };

    private static void AppendTrailing(StringBuilder text, in L2tpHeader header, ReadOnlySpan<byte> datagram)
    {
        int trailing = datagram.Length - header.PayloadEnd;
        if (trailing > 0)
        {
            text.Append($" [{trailing} trailing octets]");
        }
    }
}
