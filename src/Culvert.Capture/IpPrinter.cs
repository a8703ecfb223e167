using System.Buffers.Binary;
using System.Text;

namespace Culvert.Capture;

/// <summary>An IP packet in one short line: who to whom, and what the next layer is. Takes any octets.</summary>
public static class IpPrinter
{
    private const string TcpFlags = "FSRP.UEW";

    public static void Print(StringBuilder text, ReadOnlySpan<byte> packet)
    {
        if (!IpHeader.TryRead(packet, out IpHeader header))
        {
            text.Append($"IP, malformed, length {packet.Length}");
            return;
        }

        text.Append(header.Source.IsIPv6 ? "IP6 " : "IP ").Append($"{header.Source} > {header.Destination}: ");
        if (header.FragmentOffset != 0)
        {
            text.Append($"fragment at {header.FragmentOffset}, protocol {header.Protocol}, length {header.PayloadLength}");
            return;
        }

        AppendUpperLayer(text, header);
        text.Append(header.IsFragment ? ", first fragment" : string.Empty);
    }

    private static void AppendUpperLayer(StringBuilder text, in IpHeader header)
    {
        ReadOnlySpan<byte> data = header.Payload;
        switch (header.Protocol)
        {
            case IpHeader.Udp when data.Length >= 8:
                text.Append($"UDP {Word(data, 0)} > {Word(data, 2)}, length {header.PayloadLength - 8}");
                break;
            case IpHeader.Tcp when data.Length >= 20:
                AppendTcp(text, data, header.PayloadLength);
                break;
            case IpHeader.Icmp when data.Length >= 8:
                AppendIcmp(text, "ICMP", data, isRequest: data[0] == 8, isReply: data[0] == 0, header.PayloadLength);
                break;
            case IpHeader.IcmpV6 when data.Length >= 8:
                AppendIcmp(text, "ICMP6", data, isRequest: data[0] == 128, isReply: data[0] == 129, header.PayloadLength);
                break;
            default:
                text.Append($"protocol {header.Protocol}, length {header.PayloadLength}");
                break;
        }
    }

    private static void AppendTcp(StringBuilder text, ReadOnlySpan<byte> data, int length)
    {
        text.Append($"TCP {Word(data, 0)} > {Word(data, 2)} [");
        for (int i = 0; i < TcpFlags.Length; i++)
        {
            text.Append((data[13] >> i & 1) != 0 ? TcpFlags[i].ToString() : string.Empty);
        }

        text.Append($"], seq {DoubleWord(data, 4)}");
        if ((data[13] & 0x10) != 0)
        {
            text.Append($", ack {DoubleWord(data, 8)}");
        }

        text.Append($", length {Math.Max(0, length - ((data[12] >> 4) * 4))}");
    }

    private static void AppendIcmp(StringBuilder text, string name, ReadOnlySpan<byte> data, bool isRequest, bool isReply, int length)
    {
        if (isRequest || isReply)
        {
            text.Append($"{name} echo {(isRequest ? "request" : "reply")}, id {Word(data, 4)}, seq {Word(data, 6)}");
        }
        else if (name == "ICMP" && data[0] == 3 && data[1] == 4)
        {
            text.Append($"ICMP fragmentation needed, MTU {Word(data, 6)}");
        }
        else if (name == "ICMP6" && data[0] == 2)
        {
            text.Append($"ICMP6 packet too big, MTU {DoubleWord(data, 4)}");
        }
        else
        {
            text.Append($"{name} type {data[0]}, code {data[1]}");
        }

        text.Append($", length {length}");
    }

    private static ushort Word(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt16BigEndian(data[at..]);

    private static uint DoubleWord(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt32BigEndian(data[at..]);
}
