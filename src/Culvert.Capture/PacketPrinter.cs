using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Wire;

namespace Culvert.Capture;

/// <summary>How <see cref="PacketPrinter"/> shows packets.</summary>
public enum PacketStyle : byte
{
    /// <summary>One line each.</summary>
    Line,

    /// <summary>With the AVPs and options below, each on its line.</summary>
    Tree,

    /// <summary>One JSON object per line.</summary>
    Json,
}

/// <summary>Puts what the printers of L2TP, PPP and IP say about a packet together. Whatever a peer wrote comes out escaped.</summary>
public sealed class PacketPrinter(PacketStyle style)
{
    private const string LineSeparator = ", ";
    private const string TreeSeparator = "\n        ";
    private const string TreeIndent = "\n    ";
    private const int MaximumComment = 256;
    private const long NanosecondsPerMicrosecond = 1000;
    private const long MicrosecondsPerDay = 86_400_000_000;

    // For terminals and programs, not for web pages: a plus may stay a plus. What is unprintable is escaped already.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _json = new();
    private readonly StringBuilder _part = new();

    /// <summary>Appends a packet, each of its lines ended by a line feed.</summary>
    public void Append(StringBuilder text, in DissectedPacket packet)
    {
        switch (style)
        {
            case PacketStyle.Json:
                AppendJson(text, packet);
                break;
            case PacketStyle.Tree:
                AppendTree(text, packet);
                break;
            default:
                AppendPlainLine(text, packet);
                break;
        }

        text.Append('\n');
    }

    private static void AppendPlainLine(StringBuilder text, in DissectedPacket packet)
    {
        AppendTime(text, packet.At);
        AppendEnds(text, packet);
        AppendMessage(text, packet);
        AppendComment(text, packet, "  # ");
    }

    /// <summary>All but time and addresses, on one line.</summary>
    private static void AppendMessage(StringBuilder text, in DissectedPacket packet)
    {
        if (!packet.Datagram.IsEmpty)
        {
            L2tpPrinter.AppendLine(text, packet.Datagram);
            text.Append(packet.PppFrame.IsEmpty ? string.Empty : " ");
        }

        AppendNotes(text, packet);
        if (packet.IsControl)
        {
            AppendLcpOptions(text, packet, "; ", ": ", LineSeparator);
        }

        AppendPpp(text, packet.PppFrame, LineSeparator);
    }

    private static void AppendTree(StringBuilder text, in DissectedPacket packet)
    {
        AppendDate(text, packet.At);
        AppendTime(text, packet.At);
        AppendEnds(text, packet);
        if (!packet.Datagram.IsEmpty)
        {
            int start = text.Length;
            L2tpPrinter.AppendVerbose(text, packet.Datagram);
            text.Length -= 1; // its line feed; ours comes at the very end
            int end = IndexOf(text, '\n', start);
            string avps = text.ToString(end, text.Length - end);
            text.Length = end;
            AppendNotes(text, packet);
            text.Append(packet.IsControl ? avps : string.Empty).Append(packet.PppFrame.IsEmpty ? string.Empty : TreeIndent);
        }

        if (packet.IsControl)
        {
            AppendLcpOptions(text, packet, TreeIndent, " in words:" + TreeSeparator, TreeSeparator);
        }

        AppendPpp(text, packet.PppFrame, TreeSeparator);
        AppendComment(text, packet, TreeIndent + "# ");
    }

    private void AppendJson(StringBuilder text, in DissectedPacket packet)
    {
        _json.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(_json, JsonOptions))
        {
            writer.WriteStartObject();
            _part.Clear().Append(packet.At.Nanoseconds / 1_000_000_000).Append('.').Append($"{packet.At.Nanoseconds % 1_000_000_000:d9}");
            writer.WritePropertyName("time");
            writer.WriteRawValue(_part.ToString());
            if (packet.Direction != FrameDirection.Unknown)
            {
                writer.WriteString("direction", packet.Direction == FrameDirection.Sent ? "sent" : "received");
            }

            if (!packet.Source.Address.IsNone)
            {
                writer.WriteString("source", packet.Source.ToString());
                writer.WriteString("destination", packet.Destination.ToString());
            }

            writer.WriteString("type", packet.TypeName);
            if (packet.HasHeader)
            {
                WriteHeader(writer, packet.Header);
            }

            if (packet.IsControl)
            {
                WriteAvps(writer, packet);
            }

            _part.Clear();
            AppendMessage(_part, packet);
            writer.WriteString("text", _part.ToString());
            if (!packet.Comment.IsEmpty)
            {
                writer.WriteString("comment", SafeText.ToString(packet.Comment[..Math.Min(MaximumComment, packet.Comment.Length)]));
            }

            writer.WriteEndObject();
        }

        text.Append(Encoding.UTF8.GetString(_json.WrittenSpan));
    }

    private static void WriteHeader(Utf8JsonWriter writer, in L2tpHeader header)
    {
        writer.WriteBoolean("control", header.IsControl);
        writer.WriteNumber("tunnel", header.TunnelId);
        writer.WriteNumber("session", header.SessionId);
        if (header.HasSequence)
        {
            writer.WriteNumber("ns", header.Ns);
            writer.WriteNumber("nr", header.Nr);
        }
    }

    private void WriteAvps(Utf8JsonWriter writer, in DissectedPacket packet)
    {
        writer.WriteStartArray("avps");
        foreach (Avp avp in new AvpReader(packet.Datagram[packet.Header.PayloadStart..packet.Header.PayloadEnd]))
        {
            _part.Clear();
            AvpPrinter.AppendValue(_part, avp, packet.MessageType);
            writer.WriteStartObject();
            writer.WriteString("name", avp.Id.ToString());
            writer.WriteBoolean("mandatory", avp.IsMandatory);
            writer.WriteBoolean("hidden", avp.IsHidden);
            writer.WriteString("value", _part.ToString());
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void AppendEnds(StringBuilder text, in DissectedPacket packet)
    {
        if (!packet.Source.Address.IsNone)
        {
            text.Append($" {packet.Source} > {packet.Destination}: ");
        }
        else
        {
            text.Append(packet.Direction switch { FrameDirection.Sent => " sent: ", FrameDirection.Received => " received: ", _ => " " });
        }
    }

    private static void AppendNotes(StringBuilder text, in DissectedPacket packet)
    {
        text.Append(packet.RevealedCount > 0 ? $" [{packet.RevealedCount} hidden AVPs in clear]" : string.Empty);
        text.Append(packet.UnreadableCount > 0 ? $" [{packet.UnreadableCount} hidden AVPs not opened by the secret]" : string.Empty);
        text.Append(packet.IsCut ? " [cut by the capture]" : string.Empty);
    }

    /// <summary>The proxy LCP AVPs of RFC 2661 section 4.4.5 and of RFC 3437 hold options of LCP, which the printer of AVPs does not know.</summary>
    private static void AppendLcpOptions(StringBuilder text, in DissectedPacket packet, string before, string between, string separator)
    {
        foreach (Avp avp in new AvpReader(packet.Datagram[packet.Header.PayloadStart..packet.Header.PayloadEnd]))
        {
            if (!avp.IsHidden && !avp.Value.IsEmpty && AvpDefinitions.Find(avp.Id)?.Format == AvpFormat.LcpOptions)
            {
                text.Append(before).Append(avp.Id.ToString()).Append(between);
                PppPrinter.PrintOptions(text, PppProtocol.Lcp, avp.Value, separator);
            }
        }
    }

    private static void AppendPpp(StringBuilder text, ReadOnlySpan<byte> frame, string separator)
    {
        if (frame.IsEmpty)
        {
            return;
        }

        if (PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> packet) && protocol is PppProtocol.IPv4 or PppProtocol.IPv6)
        {
            IpPrinter.Print(text, packet);
        }
        else
        {
            PppPrinter.Print(text, frame, separator);
        }
    }

    private static void AppendComment(StringBuilder text, in DissectedPacket packet, string before)
    {
        if (!packet.Comment.IsEmpty)
        {
            text.Append(before);
            SafeText.Append(text, packet.Comment[..Math.Min(MaximumComment, packet.Comment.Length)]);
        }
    }

    /// <summary>In UTC, as everything that may be compared with a capture of another machine.</summary>
    private static void AppendTime(StringBuilder text, Timestamp at)
    {
        long microseconds = at.Nanoseconds / NanosecondsPerMicrosecond % MicrosecondsPerDay;
        long seconds = microseconds / 1_000_000;
        text.Append($"{seconds / 3600:d2}:{seconds / 60 % 60:d2}:{seconds % 60:d2}.{microseconds % 1_000_000:d6}");
    }

    private static void AppendDate(StringBuilder text, Timestamp at)
    {
        int days = (int)(at.Nanoseconds / NanosecondsPerMicrosecond / MicrosecondsPerDay);
        text.Append($"{new DateOnly(1970, 1, 1).AddDays(days):yyyy-MM-dd} ");
    }

    private static int IndexOf(StringBuilder text, char wanted, int start)
    {
        for (int i = start; i < text.Length; i++)
        {
            if (text[i] == wanted)
            {
                return i;
            }
        }

        return text.Length;
    }
}
