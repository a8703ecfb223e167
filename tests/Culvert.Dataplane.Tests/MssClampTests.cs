using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class MssClampTests
{
    private const byte Syn = 0x02;

    // TCP options (RFC 9293 section 3.1), the MSS that announces them if any, and what is left with a ceiling of 1400 (0x578).
    public static TheoryData<string, string, string> Vectors => new()
    {
        { "alone", "0204 05B4", "0204 0578" },
        { "what Linux sends", "0204 05B4 0402 080A 00000001 00000000 01 0303 07", "0204 0578 0402 080A 00000001 00000000 01 0303 07" },
        { "after one no-operation, at an odd place", "01 0204 05B4 0402 00", "01 0204 0578 0402 00" },
        { "after two", "01 01 0204 05B4 01 01", "01 01 0204 0578 01 01" },
        { "after a window scale, odd", "0303 07 0204 05B4 00", "0303 07 0204 0578 00" },
        { "largest", "0204 FFFF", "0204 0578" },
        { "equal", "0204 0578", "0204 0578" },
        { "smaller", "0204 0218", "0204 0218" },
        { "zero", "0204 0000", "0204 0000" },
        { "after the end of options", "00 000000 0204 05B4", "00 000000 0204 05B4" },
        { "wrong length", "0203 05 00", "0203 05 00" },
        { "long", "0206 05B4 0000 0101", "0206 05B4 0000 0101" },
        { "cut off", "0101 0204", "0101 0204" },
        { "option of length 0", "0800 0000 0204 05B4", "0800 0000 0204 05B4" },
        { "option of length 1", "0801 0000 0204 05B4", "0801 0000 0204 05B4" },
        { "option past the end", "0820 0000 0204 05B4", "0820 0000 0204 05B4" },
        { "kind without length", "01010108", "01010108" },
        { "none", "", "" },
    };

    [Theory, MemberData(nameof(Vectors))]
    public void The_option_is_lowered_and_the_checksum_stays_right(string name, string before, string after)
    {
        foreach (byte flags in new byte[] { Syn, Syn | 0x10, Syn | 0xC0 })
        {
            foreach (bool isIPv6 in new[] { false, true })
            {
                (IpAddress from, IpAddress to) = isIPv6 ? (Bench.Subscriber6, Bench.Server6) : (Bench.Subscriber, Bench.Server);
                byte[] segment = Bench.Tcp(from, to, flags, Bench.Hex(before), payload: 5);
                byte[] packet = isIPv6 ? Bench.IPv6(from, to, 6, segment) : Bench.IPv4(from, to, 6, segment, 0, Bench.Hex("94040000"));
                int tcp = packet.Length - segment.Length;
                bool changed = isIPv6 ? MssClamp.ClampIPv6(packet, 1400) : MssClamp.ClampIPv4(packet, 1400);
                Assert.Equal((name, before != after), (name, changed));
                Assert.Equal(Bench.Hex(after), packet[(tcp + 20)..(tcp + 20 + Bench.Hex(after).Length)]);
                Assert.Equal(0, Bench.TransportChecksum(from, to, 6, packet.AsSpan(tcp)));
            }
        }
    }

    [Fact]
    public void What_is_not_a_first_SYN_over_TCP_is_left_alone()
    {
        byte[] options = Bench.Hex("020405B4");
        byte[] ack = Bench.IPv4(Bench.Subscriber, Bench.Server, 6, Bench.Tcp(Bench.Subscriber, Bench.Server, 0x10, options));
        byte[] syn = Bench.Tcp(Bench.Subscriber, Bench.Server, Syn, options);
        byte[] udp = Bench.IPv4(Bench.Subscriber, Bench.Server, 17, syn);
        byte[] later = Bench.IPv4(Bench.Subscriber, Bench.Server, 6, syn, 0x0001);
        byte[] brief = Bench.IPv4(Bench.Subscriber, Bench.Server, 6, syn.AsSpan(0, 19));
        byte[] beyond = Bench.IPv4(Bench.Subscriber, Bench.Server, 6, syn.AsSpan(0, 22));
        foreach (byte[] packet in new[] { ack, udp, later, brief, beyond })
        {
            byte[] copy = [.. packet];
            Assert.False(MssClamp.ClampIPv4(packet, 1000));
            Assert.Equal(copy, packet);
        }

        Assert.False(MssClamp.ClampIPv4(Bench.IPv4(Bench.Subscriber, Bench.Server, 6, syn), 0));
        Assert.True(MssClamp.ClampIPv4(Bench.IPv4(Bench.Subscriber, Bench.Server, 6, syn, 0x2000), 1000));
    }

    // Hop-by-hop 0, routing 43, fragment 44, destination options 60, authentication 51 (RFC 8200 section 4).
    [Theory]
    [InlineData(0, "0600 000000000000", true)]
    [InlineData(0, "3C00 000000000000 0601 000000000000 0000000000000000", true)]
    [InlineData(43, "0600 000000000000", true)]
    [InlineData(44, "0600 0001 12345678", true)]
    [InlineData(44, "0600 0008 12345678", false)]
    [InlineData(51, "0601 0000 00000000 00000000", false)]
    [InlineData(60, "06FF 000000000000", false)]
    [InlineData(59, "", false)]
    [InlineData(60, "3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 0600000000000000", true)]
    [InlineData(60, "3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 3C00000000000000 0600000000000000", false)]
    public void Extension_headers_are_walked_within_bounds(byte next, string headers, bool changed)
    {
        byte[] segment = Bench.Tcp(Bench.Subscriber6, Bench.Server6, Syn, Bench.Hex("020405B4"));
        byte[] packet = Bench.IPv6(Bench.Subscriber6, Bench.Server6, next, [.. Bench.Hex(headers), .. segment]);
        Assert.Equal(changed, MssClamp.ClampIPv6(packet, 1220));
        Assert.Equal(changed ? 1220 : 1460, BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(packet.Length - 2)));
        Assert.Equal(0, Bench.TransportChecksum(Bench.Subscriber6, Bench.Server6, 6, packet.AsSpan(packet.Length - segment.Length)));
    }

    [Fact]
    public void Both_directions_clamp_to_the_session_value()
    {
        var rig = new Rig(Bench.Session() with { MssIPv4 = 1300, MssIPv6 = 1280 });
        byte[] up = Bench.Frame(Bench.Ppp(Syn4(Bench.Subscriber, Bench.Server)));
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(up, Bench.Path).Kind);
        Assert.Equal(1300, BinaryPrimitives.ReadUInt16BigEndian(up.AsSpan(up.Length - 2)));

        byte[] up6 = Bench.Frame(Bench.Ppp(Syn6(Bench.Subscriber6, Bench.Server6)));
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(up6, Bench.Path).Kind);
        Assert.Equal(1280, BinaryPrimitives.ReadUInt16BigEndian(up6.AsSpan(up6.Length - 2)));

        _ = rig.Encapsulate(Syn4(Bench.Server, Bench.Subscriber));
        _ = rig.Encapsulate(Syn6(Bench.Server6, Bench.Subscriber6));
        Assert.Equal(1300, BinaryPrimitives.ReadUInt16BigEndian(rig.Sent[0].Frame.AsSpan()[^2..]));
        Assert.Equal(1280, BinaryPrimitives.ReadUInt16BigEndian(rig.Sent[1].Frame.AsSpan()[^2..]));
        Assert.Equal(0, Bench.TransportChecksum(Bench.Server, Bench.Subscriber, 6, rig.Sent[0].Frame.AsSpan(28)));
    }

    private static byte[] Syn4(IpAddress from, IpAddress to) => Bench.IPv4(from, to, 6, Bench.Tcp(from, to, Syn, Bench.Hex("020405B4")));

    private static byte[] Syn6(IpAddress from, IpAddress to) => Bench.IPv6(from, to, 6, Bench.Tcp(from, to, Syn, Bench.Hex("020405B4")));
}
