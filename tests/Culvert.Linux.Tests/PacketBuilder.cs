using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>IP packets built by hand, with their checksums.</summary>
internal static class PacketBuilder
{
    public const byte Icmp = 1;
    public const byte Udp = 17;
    public const byte IcmpV6 = 58;

    /// <summary>The ones' complement sum of RFC 1071.</summary>
    public static ushort Checksum(params ReadOnlySpan<byte[]> parts)
    {
        ulong sum = 0;
        foreach (byte[] part in parts)
        {
            for (int i = 0; i < part.Length; i += 2)
            {
                sum += (uint)((part[i] << 8) | (i + 1 < part.Length ? part[i + 1] : 0));
            }
        }

        while (sum > ushort.MaxValue)
        {
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    /// <summary>RFC 791.</summary>
    public static byte[] IPv4(string source, string destination, byte protocol, byte[] payload)
    {
        byte[] header = new byte[20];
        header[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(20 + payload.Length));
        header[8] = 64;
        header[9] = protocol;
        IpAddress.Parse(source).WriteTo(header.AsSpan(12));
        IpAddress.Parse(destination).WriteTo(header.AsSpan(16));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), Checksum(header));
        return [.. header, .. payload];
    }

    /// <summary>RFC 8200.</summary>
    public static byte[] IPv6(string source, string destination, byte protocol, byte[] payload)
    {
        byte[] header = new byte[40];
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)payload.Length);
        header[6] = protocol;
        header[7] = 64;
        IpAddress.Parse(source).WriteTo(header.AsSpan(8));
        IpAddress.Parse(destination).WriteTo(header.AsSpan(24));
        return [.. header, .. payload];
    }

    /// <summary>RFC 792: type, code, checksum, four octets, data.</summary>
    public static byte[] IcmpMessage(byte type, byte code, uint word, byte[] data)
    {
        byte[] message = IcmpHeader(type, code, word, data);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(message));
        return message;
    }

    /// <summary>RFC 4443 section 2.3: as ICMP, but the addresses are summed too.</summary>
    public static byte[] IcmpV6Message(string source, string destination, byte type, byte code, uint word, byte[] data)
    {
        byte[] message = IcmpHeader(type, code, word, data);
        byte[] pseudo = new byte[40];
        IpAddress.Parse(source).WriteTo(pseudo);
        IpAddress.Parse(destination).WriteTo(pseudo.AsSpan(16));
        BinaryPrimitives.WriteUInt32BigEndian(pseudo.AsSpan(32), (uint)message.Length);
        pseudo[39] = IcmpV6;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(pseudo, message));
        return message;
    }

    private static byte[] IcmpHeader(byte type, byte code, uint word, byte[] data)
    {
        byte[] message = new byte[8 + data.Length];
        message[0] = type;
        message[1] = code;
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), word);
        data.CopyTo(message, 8);
        return message;
    }
}
