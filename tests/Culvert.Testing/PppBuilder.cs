using System.Security.Cryptography;
using System.Text;
using Culvert.Core;

namespace Culvert.Testing;

/// <summary>PPP frames as L2TP carries them (RFC 1661, 1332, 1334, 1994, 2759), octet by octet.</summary>
public static class PppBuilder
{
    public const int Ip = 0x0021, Ipv6 = 0x0057, Ipcp = 0x8021, Ipv6cp = 0x8057, Ccp = 0x80FD, Lcp = 0xC021, Pap = 0xC023, Chap = 0xC223;

    public const int ConfigureRequest = 1, ConfigureAck = 2, ConfigureNak = 3, ConfigureReject = 4, TerminateRequest = 5, TerminateAck = 6,
        CodeReject = 7, ProtocolReject = 8, EchoRequest = 9, EchoReply = 10, DiscardRequest = 11, Identification = 12;

    /// <summary>FF 03, protocol, information; either header part can be compressed away (RFC 1661 sections 6.5 and 6.6).</summary>
    public static byte[] Frame(int protocol, byte[] information, bool addressAndControl = true, bool compressProtocol = false)
    {
        var frame = new ByteBuilder();
        if (addressAndControl)
        {
            frame.Bytes(0xFF, 0x03);
        }

        if (compressProtocol && protocol <= 0xFF)
        {
            frame.U8(protocol);
        }
        else
        {
            frame.U16(protocol);
        }

        return frame.Bytes(information).ToArray();
    }

    /// <summary>Code, identifier, length, data: the packet of every control protocol (RFC 1661 section 5).</summary>
    public static byte[] Packet(int code, int identifier, params byte[] data) =>
        new ByteBuilder().U8(code).U8(identifier).U16(4 + data.Length).Bytes(data).ToArray();

    /// <summary>A framed control packet whose data are <paramref name="options"/> one after the other.</summary>
    public static byte[] Control(int protocol, int code, int identifier, params byte[][] options) =>
        Frame(protocol, Packet(code, identifier, [.. options.SelectMany(o => o)]));

    public static byte[] Option(int type, params byte[] value) => [(byte)type, (byte)(2 + value.Length), .. value];

    public static byte[] Mru(int mru) => Option(1, (byte)(mru >> 8), (byte)mru);

    public static byte[] Accm(long map) => Option(2, new ByteBuilder().U32(map).ToArray());

    public static byte[] AuthenticatePap() => Option(3, 0xC0, 0x23);

    /// <summary>5 is MD5, 129 MS-CHAPv2.</summary>
    public static byte[] AuthenticateChap(int algorithm = 5) => Option(3, 0xC2, 0x23, (byte)algorithm);

    public static byte[] MagicNumber(long magic) => Option(5, new ByteBuilder().U32(magic).ToArray());

    public static byte[] ProtocolFieldCompression() => Option(7);

    public static byte[] AddressAndControlFieldCompression() => Option(8);

    public static byte[] Echo(int code, int identifier, long magic, params byte[] data) =>
        Frame(Lcp, Packet(code, identifier, new ByteBuilder().U32(magic).Bytes(data).ToArray()));

    public static byte[] PapRequest(int identifier, string name, string password) => Frame(Pap, Packet(1, identifier,
        new ByteBuilder().U8(name.Length).Text(name).U8(password.Length).Text(password).ToArray()));

    public static byte[] ChapChallenge(int identifier, byte[] value, string name) => Frame(Chap, Packet(1, identifier,
        new ByteBuilder().U8(value.Length).Bytes(value).Text(name).ToArray()));

    /// <summary>RFC 1994 section 4.1: MD5 over identifier, secret, challenge.</summary>
    public static byte[] ChapMd5Response(int identifier, string secret, byte[] challenge, string name)
    {
        byte[] value = MD5.HashData([(byte)identifier, .. Encoding.UTF8.GetBytes(secret), .. challenge]);
        return Frame(Chap, Packet(2, identifier, new ByteBuilder().U8(value.Length).Bytes(value).Text(name).ToArray()));
    }

    /// <summary>3 is an IP address, 129 and 131 are DNS servers (RFC 1877).</summary>
    public static byte[] IpcpAddress(IpAddress address, int type = 3) => Option(type, IpBuilder.Octets(address));

    public static byte[] Ipv4Frame(byte[] packet, bool compressed = false) => Frame(Ip, packet, !compressed, compressed);
}
