using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>What a subscriber asks of its link reaches the node, whichever thread received it; and what the node says is a sound packet.</summary>
public sealed class UdpPacketTests
{
    private static readonly IpAddress Everybody = IpAddress.Parse("255.255.255.255");

    private static readonly byte[] Inform = Udp(68, 67, Everybody);

    [Fact]
    public void A_question_to_a_DHCP_server_is_one_and_nothing_else_is()
    {
        Assert.True(UdpPacket.IsForDhcpServer(Inform));
        Assert.True(UdpPacket.IsForDhcpServer(Bench.IPv4(Bench.Subscriber, Everybody, 17, Inform.AsSpan(20), options: [1, 1, 1, 1])));
        foreach (byte[] other in (byte[][])
            [
                Udp(67, 68, Everybody), Udp(68, 68, Everybody), Udp(68, 67, Bench.Gateway), Udp(68, 67, IpAddress.Parse("224.0.0.1")),
                Bench.IPv4(Bench.Subscriber, Everybody, 6, Inform.AsSpan(20)),
                Bench.IPv4(Bench.Subscriber, Everybody, 17, Inform.AsSpan(20), flagsAndOffset: 0x2000),
                Bench.IPv4(Bench.Subscriber, Everybody, 17, Inform.AsSpan(20), flagsAndOffset: 1),
                Bench.IPv4(Bench.Subscriber, Everybody, 17, [0, 68, 0]),
            ])
        {
            Assert.False(UdpPacket.IsForDhcpServer(other), Convert.ToHexString(other));
        }
    }

    /// <summary>A helping thread hands the datagram over before anything is counted: the shard's verdict counts it, once.</summary>
    [Fact]
    public void A_helping_thread_gives_it_to_the_shard_uncounted()
    {
        var rig = new Rig();
        var helper = new Forwarder(rig.Sessions, rig.Routes, new ForwarderOptions { IsPrimary = false });
        byte[] frame = Bench.Frame(Bench.Ppp(Inform));
        Verdict verdict = helper.Decapsulate(frame, Bench.Path);
        Assert.Equal((VerdictKind.HandOver, Bench.Key), (verdict.Kind, verdict.Session));
        Assert.True(rig.Sessions.TryReadCounters(Bench.Key, out SessionCounters before));
        verdict = rig.Forwarder.Decapsulate(frame, Bench.Path);
        Assert.Equal((VerdictKind.LinkScope, Inform.Length), (verdict.Kind, verdict.Length));
        Assert.True(rig.Sessions.TryReadCounters(Bench.Key, out SessionCounters after));
        Assert.Equal((0, 1), (before.PacketsReceived, after.PacketsReceived));

        // What nobody answers stays where it is, and is dropped there.
        Assert.Equal(VerdictKind.LinkScope, helper.Decapsulate(Bench.Frame(Bench.Ppp(Udp(137, 137, Everybody))), Bench.Path).Kind);
    }

    [Fact]
    public void What_is_written_is_read_and_every_damaged_bit_is_noticed()
    {
        byte[] packet = new byte[UdpPacket.HeadersLength + 301];
        new Random(1).NextBytes(packet);
        byte[] payload = packet[UdpPacket.HeadersLength..];
        UdpPacket.WriteHeaders(packet, Bench.Gateway, Bench.Subscriber);
        Assert.Equal(Bench.Hex("4500 0149 0000 0000 4011"), packet[..10]);
        Assert.Equal(Bench.Hex("0043 0044 0135"), packet[20..26]);
        Assert.True(UdpPacket.TryRead(packet, out IpAddress source, out ReadOnlySpan<byte> read));
        Assert.Equal(Bench.Gateway, source);
        Assert.Equal(payload, read.ToArray());
        for (int bit = 0; bit < packet.Length * 8; bit++)
        {
            packet[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(UdpPacket.TryRead(packet, out _, out _), $"bit {bit}");
            packet[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Without_a_checksum_it_is_read_all_the_same_and_padding_is_not_payload()
    {
        byte[] packet = Udp(68, 67, Everybody);
        packet[26] = packet[27] = 0;
        Assert.True(UdpPacket.TryRead([.. packet, 1, 2, 3], out _, out ReadOnlySpan<byte> payload));
        Assert.Equal(4, payload.Length);
        packet[25]++;
        Assert.False(UdpPacket.TryRead(packet, out _, out _));
        packet[25] = 7;
        Assert.False(UdpPacket.TryRead(packet, out _, out _));
    }

    private static byte[] Udp(ushort from, ushort to, IpAddress destination)
    {
        byte[] datagram = [(byte)(from >> 8), (byte)from, (byte)(to >> 8), (byte)to, 0, 12, 0, 0, 0xCA, 0xFE, 0xBA, 0xBE];
        return Bench.IPv4(Bench.Subscriber, destination, 17, datagram);
    }
}
