using System.Buffers;
using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Capture.Tests;

/// <summary>Captures made by hand, and the shortest way to what the decoder says about one.</summary>
internal static class Captures
{
    public static readonly IpAddress Lac = IpAddress.Parse("192.0.2.1");
    public static readonly IpAddress Lns = IpAddress.Parse("198.51.100.1");

    public static string VectorPath(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", name);

    public static (string Text, CaptureReader Reader, CaptureDecoder Decoder) Decode(
        byte[] file, PacketStyle style = PacketStyle.Line, string[]? filter = null, params string[] secrets)
    {
        Assert.True(PacketFilter.TryParse(filter ?? [], out PacketFilter chosen, out string problem), problem);
        var decoder = new CaptureDecoder(style, chosen, [.. secrets.Select(s => new Secret(s))]);
        CaptureReader reader = CaptureReader.Open(new MemoryStream(file));
        using var output = new StringWriter();
        decoder.Run(reader, output);
        return (output.ToString(), reader, decoder);
    }

    /// <summary>A classic file, a second from one frame to the next.</summary>
    public static byte[] Pcap(LinkType linkType, params byte[][] frames)
    {
        var file = new List<byte>();
        foreach (uint word in (uint[])[0xA1B2C3D4, 0x0002_0004, 0, 0, 65535, (uint)linkType])
        {
            AddWord(file, word);
        }

        for (int i = 0; i < frames.Length; i++)
        {
            foreach (uint word in (uint[])[(uint)i, 0, (uint)frames[i].Length, (uint)frames[i].Length])
            {
                AddWord(file, word);
            }

            file.AddRange(frames[i]);
        }

        return [.. file];
    }

    /// <summary>From the LAC's port to the LNS's, behind IPv4.</summary>
    public static byte[] ToLns(byte[] datagram, int sourcePort = 1701, int destinationPort = 1701) =>
        IpBuilder.UdpPacket(Lac, sourcePort, Lns, destinationPort, datagram);

    public static byte[] ToLac(byte[] datagram, int sourcePort = 1701, int destinationPort = 1701) =>
        IpBuilder.UdpPacket(Lns, sourcePort, Lac, destinationPort, datagram);

    /// <summary>What our writer makes of these datagrams, alternately received and sent.</summary>
    public static byte[] PcapNg(bool isIPv6, params byte[][] datagrams)
    {
        var lns = new PeerEndpoint(isIPv6 ? IpAddress.Parse("2001:db8::1") : Lns, 1701);
        var lac = new PeerEndpoint(isIPv6 ? IpAddress.Parse("2001:db8::2") : Lac, 40_000);
        var output = new ArrayBufferWriter<byte>();
        var writer = new PcapNgWriter(output);
        writer.WriteHeader(LinkType.Raw, "culvert", "l2tp", "tunnel 7");
        byte[] packet = new byte[2048];
        for (int i = 0; i < datagrams.Length; i++)
        {
            bool isSent = i % 2 == 1;
            int length = OuterHeaders.Write(packet, isSent ? lns : lac, isSent ? lac : lns, datagrams[i]);
            writer.WriteFrame(
                new Timestamp((1_700_000_000L + i) * 1_000_000_000 + 123_456_789),
                isSent ? FrameDirection.Sent : FrameDirection.Received,
                packet.AsSpan(0, length),
                i == 0 ? "session 7/9 of alice" : null);
        }

        writer.WriteStatistics(Timestamp.Zero, Timestamp.FromMilliseconds(1000), datagrams.Length + 5, 5);
        Assert.Equal(output.WrittenCount, writer.Written);
        return output.WrittenSpan.ToArray();
    }

    private static void AddWord(List<byte> file, uint value)
    {
        byte[] octets = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(octets, value);
        file.AddRange(octets);
    }
}
