using Culvert.Core;

namespace Culvert.Testing;

/// <summary>DHCP messages, octet by octet (RFC 2131 section 2).</summary>
public static class DhcpBuilder
{
    public const int ClientPort = 68, ServerPort = 67;

    public const int Discover = 1, Request = 3, Ack = 5, Inform = 8;

    public static readonly IpAddress Broadcast = IpAddress.Parse("255.255.255.255");

    /// <summary>A client's message, from op to the options that are given.</summary>
    /// <param name="type">Option 53; 0 for none.</param>
    /// <param name="client">ciaddr.</param>
    /// <param name="relay">giaddr.</param>
    /// <param name="options">After option 53, without the end.</param>
    public static byte[] Message(int type, IpAddress client, IpAddress? relay = null, params byte[][] options)
    {
        ByteBuilder message = new ByteBuilder().U8(1).U8(8).U8(6).U8(0).U32(0x1234_5678).U16(3).U16(0x8000)
            .Bytes(IpBuilder.Octets(client)).Zeros(8)
            .Bytes(relay is { } via ? IpBuilder.Octets(via) : new byte[4])
            .Bytes([0x00, 0x53, 0x45, 0x00, 0x00, 0x00]).Zeros(10).Zeros(64 + 128).U32(0x6382_5363);
        if (type != 0)
        {
            message.Bytes(Option(53, (byte)type));
        }

        foreach (byte[] option in options)
        {
            message.Bytes(option);
        }

        return message.U8(255).ToArray();
    }

    public static byte[] Option(int code, params byte[] value) => [(byte)code, (byte)value.Length, .. value];

    /// <summary>What a Windows client sends once IPCP is up: to everybody, with its vendor class and a list of what it wants.</summary>
    public static byte[] WindowsInform(IpAddress client) => Message(
        Inform, client, null,
        Option(61, 8, 0x00, 0x53, 0x45, 0x00, 0x00, 0x00),
        Option(12, [.. "laptop"u8]),
        Option(60, [.. "MSFT 5.0"u8]),
        Option(55, 1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 43));

    /// <summary>The IP packet of a client's message.</summary>
    public static byte[] ToAnyServer(IpAddress source, byte[] message) => IpBuilder.UdpPacket(source, ClientPort, Broadcast, ServerPort, message);

    /// <summary>The options of a server's message, in order; ends at option 255, which must be there.</summary>
    public static IReadOnlyList<(int Code, byte[] Value)> OptionsOf(byte[] message)
    {
        var options = new List<(int Code, byte[] Value)>();
        int at = 240;
        while (message[at] != 255)
        {
            int length = message[at + 1];
            options.Add((message[at], message[(at + 2)..(at + 2 + length)]));
            at += 2 + length;
        }

        return options;
    }
}
