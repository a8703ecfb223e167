using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class EncapsulateTests
{
    private static byte[] Packet(int length, ushort flags = 0) =>
        Bench.IPv4(Bench.Server, Bench.Subscriber, 17, Bench.Random((ulong)length, length - 20), flags);

    // Typed from RFC 2661 section 3.1 and RFC 1661 section 2; peer tunnel 0A0B, session 0C0D, a packet of 28 octets.
    [Theory]
    [InlineData(TransmitFraming.None, "0002 0A0B 0C0D 0021")]
    [InlineData(TransmitFraming.CompressProtocol, "0002 0A0B 0C0D 21")]
    [InlineData(TransmitFraming.AddressControl, "0002 0A0B 0C0D FF03 0021")]
    [InlineData(TransmitFraming.AddressControl | TransmitFraming.CompressProtocol, "0002 0A0B 0C0D FF03 21")]
    [InlineData(TransmitFraming.Length, "4002 0026 0A0B 0C0D 0021")]
    [InlineData(TransmitFraming.Length | TransmitFraming.AddressControl, "4002 0028 0A0B 0C0D FF03 0021")]
    [InlineData(TransmitFraming.Sequence, "0802 0A0B 0C0D 0000 0000 0021")]
    [InlineData(TransmitFraming.Length | TransmitFraming.Sequence | TransmitFraming.AddressControl, "4802 002C 0A0B 0C0D 0000 0000 FF03 0021")]
    public void Each_framing_is_written_as_the_RFC_draws_it(TransmitFraming framing, string header)
    {
        var rig = new Rig(Bench.Session() with { Framing = framing });
        byte[] packet = Packet(28);
        Encapsulation result = rig.Encapsulate(packet);
        Assert.Equal((EncapsulationKind.Sent, 1, Bench.Key), (result.Kind, result.Frames, result.Session));
        (byte[] frame, UdpPath path) = Assert.Single(rig.Sent);
        Assert.Equal(Bench.Hex(header + Convert.ToHexString(packet)), frame);
        Assert.Equal(Bench.Path, path);
        Assert.Equal((1, 28), (rig.Counters().PacketsSent, rig.Counters().OctetsSent));
    }

    [Fact]
    public void IPv6_has_its_own_protocol_number()
    {
        var rig = new Rig();
        byte[] packet = Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, new byte[10]);
        Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(packet).Kind);
        Assert.Equal(Bench.Hex("0002 0A0B 0C0D 0057" + Convert.ToHexString(packet)), rig.Sent[0].Frame);
    }

    [Fact]
    public void Sequence_numbers_count_up_across_data_and_control()
    {
        var rig = new Rig(Bench.Session() with { Framing = TransmitFraming.Sequence });
        _ = rig.Encapsulate(Packet(28));
        _ = rig.EncapsulatePpp(Bench.Key, Bench.Hex("FF03C0210901000400000000"), priority: true);
        _ = rig.Encapsulate(Packet(29));
        Assert.Equal(Bench.Hex("0802 0A0B 0C0D 0000"), rig.Sent[0].Frame[..8]);
        Assert.Equal(Bench.Hex("0902 0A0B 0C0D 0001 0000 FF03C0210901000400000000"), rig.Sent[1].Frame);
        Assert.Equal(2, rig.Sent[2].Frame[7]);
    }

    [Fact]
    public void PPP_frames_pass_while_pending_and_IP_does_not()
    {
        var rig = new Rig(Bench.Session() with { State = SessionState.Pending, Framing = TransmitFraming.Length });
        Assert.Equal(EncapsulationKind.Sent, rig.EncapsulatePpp(Bench.Key, Bench.Hex("FF03C02101"), priority: false).Kind);
        Assert.Equal(Bench.Hex("4002 000D 0A0B 0C0D FF03C02101"), rig.Sent[0].Frame);
        Assert.Equal(DropReason.NotForwarding, rig.Encapsulate(Packet(28)).Reason);

        Assert.True(rig.Sessions.TryReserve(5, out ushort reserved));
        Assert.Equal(DropReason.UnknownSession, rig.EncapsulatePpp(new SessionKey(5, reserved), [1], false).Reason);
        Assert.Equal(DropReason.UnknownSession, rig.EncapsulatePpp(new SessionKey(5, 0), [1], false).Reason);
        Assert.Equal(DropReason.TooBig, rig.EncapsulatePpp(Bench.Key, new byte[65500], false).Reason);
        rig.Room = 0;
        Assert.Equal(DropReason.SinkFull, rig.EncapsulatePpp(Bench.Key, [1], false).Reason);
    }

    [Fact]
    public void Packets_without_a_session_are_counted_and_dropped()
    {
        var rig = new Rig();
        Assert.Equal(DropReason.NoRoute, rig.Encapsulate(Bench.IPv4(Bench.Server, Bench.Server, 17, [])).Reason);
        Assert.Equal(DropReason.NoRoute, rig.Encapsulate(Bench.IPv6(Bench.Server6, Bench.Server6, 17, [])).Reason);
        Assert.Equal(DropReason.NotIp, rig.Encapsulate([]).Reason);
        Assert.Equal(DropReason.NotIp, rig.Encapsulate(new byte[60]).Reason);
        Assert.Equal(DropReason.NotIp, rig.Encapsulate(Packet(40).AsSpan(0, 39)).Reason);
        Assert.Equal(2, rig.Forwarder.Counters.Drops(DropReason.NoRoute));
        rig.Room = 0;
        Assert.Equal(DropReason.SinkFull, rig.Encapsulate(Packet(28)).Reason);
        Assert.Equal(1, rig.Counters().Drops(DropReason.SinkFull));
        Assert.Equal(0, rig.Counters().PacketsSent);
    }

    [Fact]
    public void A_dialled_connection_takes_everything_from_its_own_device()
    {
        var rig = new Rig();
        byte[] anywhere = Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[8]);
        Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(anywhere, to: Bench.Key).Kind);
        Assert.Equal(anywhere, rig.Sent[0].Frame[8..]);
        Assert.Equal(DropReason.NotIp, rig.Encapsulate(new byte[9], to: Bench.Key).Reason);
    }

    [Fact]
    public void A_packet_that_may_not_be_fragmented_is_answered()
    {
        var rig = new Rig(Bench.Session() with { Mtu = 1400 });
        byte[] packet = Packet(1401, 0x4000);
        Encapsulation result = rig.Encapsulate(packet);
        Assert.Equal((EncapsulationKind.Reply, DropReason.TooBig, 576), (result.Kind, result.Reason, result.ReplyLength));
        byte[] reply = rig.Reply[..576].ToArray();

        // Destination unreachable, fragmentation needed, next-hop MTU 1400 (RFC 1191 section 4), from the gateway to the sender.
        Assert.Equal(Bench.Hex("45C00240 00000000 4001"), reply[..10]);
        Assert.Equal(0, Bench.SlowChecksum(reply.AsSpan(0, 20)));
        Assert.Equal(Bench.Hex("64400001 CB007150 0304"), reply[12..22]);
        Assert.Equal(Bench.Hex("0000 0578"), reply[24..28]);
        Assert.Equal(0, Bench.SlowChecksum(reply.AsSpan(20)));
        Assert.Equal(packet[..548], reply[28..]);
        Assert.Empty(rig.Sent);
        Assert.Equal((1, 1), (rig.Counters().Drops(DropReason.TooBig), rig.Forwarder.Counters.IcmpSent));
        Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(Packet(1400, 0x4000)).Kind);
    }

    [Fact]
    public void IPv6_is_answered_with_packet_too_big()
    {
        var rig = new Rig(Bench.Session() with { Mtu = 1400 });
        byte[] packet = Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, Bench.Random(1, 1361));
        Encapsulation result = rig.Encapsulate(packet);
        Assert.Equal((EncapsulationKind.Reply, 1280), (result.Kind, result.ReplyLength));
        byte[] reply = rig.Reply.ToArray();
        Assert.Equal(Bench.Hex("60000000 04D8 3A40"), reply[..8]);
        Assert.Equal([.. Bench.Octets(Bench.Gateway6), .. Bench.Octets(Bench.Server6)], reply[8..40]);
        Assert.Equal(Bench.Hex("0200"), reply[40..42]);
        Assert.Equal(Bench.Hex("00000578"), reply[44..48]);
        Assert.Equal(0, Bench.TransportChecksum(Bench.Gateway6, Bench.Server6, 58, reply.AsSpan(40)));
        Assert.Equal(packet[..1232], reply[48..]);

        // A link narrower than 1280 still carries 1280.
        var narrow = new Rig(Bench.Session() with { Mtu = 600 });
        Assert.Equal(EncapsulationKind.Sent, narrow.Encapsulate(packet.AsSpan(0, 1280).ToArray().Also(p => p[5] = 0xD8).Also(p => p[4] = 4)).Kind);
        Assert.Equal(EncapsulationKind.Reply, narrow.Encapsulate(packet).Kind);
        Assert.Equal(1280u, BinaryPrimitives.ReadUInt32BigEndian(narrow.Reply[44..]));
    }

    [Fact]
    public void Answers_are_limited_by_rate()
    {
        var options = new ForwarderOptions { IcmpSourceIPv4 = Bench.Gateway, IcmpRate = new RateLimit(PerSecond: 10, Burst: 3) };
        var rig = new Rig(Bench.Session() with { Mtu = 576 }, options);
        byte[] packet = Packet(600, 0x4000);
        var start = Timestamp.FromMilliseconds(5000);
        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(_ => Answered(0)));
        Assert.Equal([false, true, false, true], new[] { 99, 100, 150, 200 }.Select(Answered));
        Assert.Equal(3, Enumerable.Range(0, 9).Count(_ => Answered(60_000)));
        Assert.False(Answered(59_000));
        Assert.Equal((8, 11), (rig.Forwarder.Counters.IcmpSent, rig.Forwarder.Counters.IcmpSuppressed));

        bool Answered(int milliseconds) =>
            rig.Encapsulate(packet, start + TimeSpan.FromMilliseconds(milliseconds)).Kind == EncapsulationKind.Reply;
    }

    // RFC 1812 section 4.3.2.7 and RFC 4443 section 2.4 e.
    public static TheoryData<string, byte[], bool> Answerable()
    {
        byte[] body = new byte[1500];
        byte[] Icmp(byte type) => [type, .. body];
        byte[] V4(string source, byte protocol, byte[] payload, ushort flags = 0x4000) =>
            Bench.IPv4(IpAddress.Parse(source), Bench.Subscriber, protocol, payload, flags);
        byte[] V6(string source, byte next, byte[] payload) => Bench.IPv6(IpAddress.Parse(source), Bench.Subscriber6, next, payload);
        const string S6 = "2001:db8:ffff::80";
        return new()
        {
            { "UDP", V4("203.0.113.80", 17, body), true },
            { "echo request", V4("203.0.113.80", 1, Icmp(8)), true },
            { "ICMP unreachable", V4("203.0.113.80", 1, Icmp(3)), false },
            { "ICMP source quench", V4("203.0.113.80", 1, Icmp(4)), false },
            { "ICMP redirect", V4("203.0.113.80", 1, Icmp(5)), false },
            { "ICMP time exceeded", V4("203.0.113.80", 1, Icmp(11)), false },
            { "ICMP parameter problem", V4("203.0.113.80", 1, Icmp(12)), false },
            { "later fragment", V4("203.0.113.80", 17, body, 0x4001), false },
            { "first fragment", V4("203.0.113.80", 17, body, 0x6000), true },
            { "source zero", V4("0.0.0.0", 17, body), false },
            { "source loopback", V4("127.0.0.1", 17, body), false },
            { "source multicast", V4("224.0.0.1", 17, body), false },
            { "source broadcast", V4("255.255.255.255", 17, body), false },
            { "v6 UDP", V6(S6, 17, body), true },
            { "v6 echo request", V6(S6, 58, Icmp(128)), true },
            { "v6 unreachable", V6(S6, 58, Icmp(1)), false },
            { "v6 too big", V6(S6, 58, Icmp(2)), false },
            { "v6 redirect", V6(S6, 58, Icmp(137)), false },
            { "v6 error behind options", V6(S6, 60, [58, 0, 0, 0, 0, 0, 0, 0, .. Icmp(1)]), false },
            { "v6 later fragment", V6(S6, 44, [17, 0, 0, 8, 0, 0, 0, 0, .. body]), false },
            { "v6 first fragment", V6(S6, 44, [17, 0, 0, 1, 0, 0, 0, 0, .. body]), true },
            { "v6 ESP", V6(S6, 50, body), true },
            { "v6 unspecified", V6("::", 17, body), false },
            { "v6 multicast source", V6("ff02::1", 17, body), false },
        };
    }

    [Theory, MemberData(nameof(Answerable))]
    public void Errors_are_sent_only_where_the_RFCs_allow(string name, byte[] packet, bool answered)
    {
        var rig = new Rig();
        Encapsulation result = rig.Encapsulate(packet);
        Assert.Equal((name, answered, DropReason.TooBig), (name, result.Kind == EncapsulationKind.Reply, result.Reason));
        Assert.Equal(answered ? 0 : 1, rig.Forwarder.Counters.IcmpSuppressed);
    }

    [Fact]
    public void Without_an_address_or_room_nothing_is_answered()
    {
        var rig = new Rig(options: new ForwarderOptions());
        Assert.Equal(EncapsulationKind.Dropped, rig.Encapsulate(Packet(1500, 0x4000)).Kind);
        Assert.Equal(0, IcmpTooBig.BuildIPv4(Packet(1500), 1400, Bench.Gateway, new byte[575]));
        Assert.Equal(0, IcmpTooBig.BuildIPv6(Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, new byte[1500]), 1400, Bench.Gateway6, new byte[1279]));
    }

    [Fact]
    public void Multicast_destinations_are_answered_over_IPv6_only()
    {
        Assert.False(IcmpTooBig.MayAnswerIPv4(Bench.IPv4(Bench.Server, IpAddress.Parse("224.1.1.1"), 17, new byte[8])));
        Assert.False(IcmpTooBig.MayAnswerIPv4(Bench.IPv4(Bench.Server, IpAddress.Parse("255.255.255.255"), 17, new byte[8])));
        Assert.True(IcmpTooBig.MayAnswerIPv6(Bench.IPv6(Bench.Server6, IpAddress.Parse("ff0e::1"), 17, new byte[8])));
    }

    [Theory]
    [InlineData(1452)]
    [InlineData(576)]
    [InlineData(68)]
    [InlineData(100)]
    public void Fragments_are_within_the_MTU_and_put_together_again(int mtu)
    {
        foreach (int length in new[] { mtu + 1, mtu + 7, mtu + 8, mtu * 2, (mtu * 9) + 5, Math.Min(64_000, mtu * 60) })
        {
            var rig = new Rig(Bench.Session() with { Mtu = (ushort)mtu, Framing = TransmitFraming.AddressControl | TransmitFraming.Length });
            byte[] packet = Packet(length);
            Encapsulation result = rig.Encapsulate(packet);
            Assert.Equal((EncapsulationKind.Sent, rig.Sent.Count), (result.Kind, result.Frames));
            byte[][] fragments = [.. rig.Sent.Select(s => Unwrap(s.Frame))];
            Assert.Equal(packet, Reassemble(fragments, mtu));
            Assert.Equal((fragments.Length, fragments.Sum(f => f.Length)), (rig.Counters().PacketsSent, rig.Counters().OctetsSent));
        }
    }

    private static byte[] Unwrap(byte[] frame)
    {
        Assert.Equal(frame.Length, BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(2)));
        Assert.Equal(Bench.Hex("4002"), frame[..2]);
        Assert.Equal(Bench.Hex("0A0B 0C0D FF03 0021"), frame[4..12]);
        return frame[12..];
    }

    [Fact]
    public void A_fragment_is_cut_further_and_keeps_its_place()
    {
        byte[] middle = Bench.IPv4(Bench.Server, Bench.Subscriber, 17, Bench.Random(3, 800), 0x2000 | 50);
        Assert.True(IPv4Fragmenter.TryCreate(middle, 420, out IPv4Fragmenter fragmenter));
        Assert.Equal(2, fragmenter.Count);
        byte[] second = new byte[fragmenter.LargestFragment];
        Assert.Equal(420, fragmenter.Write(1, second));
        Assert.Equal(0x2000 | (50 + 50), BinaryPrimitives.ReadUInt16BigEndian(second.AsSpan(6)));
    }

    // Its offsets would begin again at 0 and lie over the packet's own header ("ping of death" turned into a teardrop).
    [Theory]
    [InlineData(8189, false)]
    [InlineData(8000, true)]
    public void A_fragment_that_ends_beyond_any_packet_is_not_cut_further(ushort place, bool isCut)
    {
        byte[] late = Bench.IPv4(Bench.Server, Bench.Subscriber, 17, Bench.Random(3, 800), (ushort)place);
        Assert.Equal(isCut, IPv4Fragmenter.TryCreate(late, 420, out _));
    }

    [Fact]
    public void Only_copied_options_go_into_later_fragments()
    {
        // No-operation, record route (type 7, not copied), router alert (type 148, copied), padding.
        byte[] options = Bench.Hex("01 07 07 04 00000000 94 04 0000 00 00 00 00");
        byte[] packet = Bench.IPv4(Bench.Server, Bench.Subscriber, 17, Bench.Random(4, 1000), 0, options);
        Assert.True(IPv4Fragmenter.TryCreate(packet, 576, out IPv4Fragmenter fragmenter));
        byte[] first = new byte[fragmenter.LargestFragment];
        byte[] second = new byte[fragmenter.LargestFragment];
        Assert.InRange(fragmenter.Write(0, first), 37, 576);
        int length = fragmenter.Write(1, second);
        Assert.Equal(options, first[20..36]);
        Assert.Equal(Bench.Hex("94040000"), second[20..24]);
        Assert.Equal((0x46, 24 + 1000 - 536), (second[0], length));
        Assert.Equal(0, Bench.SlowChecksum(second.AsSpan(0, 24)));
    }

    [Fact]
    public void More_fragments_than_the_limit_are_refused()
    {
        var rig = new Rig(Bench.Session() with { Mtu = 68 });
        Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(Packet(20 + (48 * IPv4Fragmenter.MaxFragments))).Kind);
        Assert.Equal(DropReason.CannotFragment, rig.Encapsulate(Packet(21 + (48 * IPv4Fragmenter.MaxFragments))).Reason);
        Assert.False(IPv4Fragmenter.TryCreate(Packet(100), 27, out _));
        rig.Sent.Clear();
        rig.Room = 3;
        Assert.Equal(DropReason.SinkFull, rig.Encapsulate(Packet(1000)).Reason);
        Assert.Equal(IPv4Fragmenter.MaxFragments + 3, rig.Counters().PacketsSent);
    }

    private static byte[] Reassemble(byte[][] fragments, int mtu)
    {
        byte[] whole = [];
        for (int i = 0; i < fragments.Length; i++)
        {
            byte[] fragment = fragments[i];
            Assert.InRange(fragment.Length, 21, mtu);
            Assert.Equal(fragment.Length, BinaryPrimitives.ReadUInt16BigEndian(fragment.AsSpan(2)));
            Assert.Equal(0, Bench.SlowChecksum(fragment.AsSpan(0, 20)));
            ushort flags = BinaryPrimitives.ReadUInt16BigEndian(fragment.AsSpan(6));
            Assert.Equal(i == fragments.Length - 1 ? 0 : 0x2000, flags & 0xE000);
            Assert.Equal(whole.Length, (flags & 0x1FFF) * 8);
            whole = [.. whole, .. fragment[20..]];
        }

        byte[] header = fragments[0][..20];
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(20 + whole.Length));
        header[6] = 0;
        header[10] = header[11] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), Bench.SlowChecksum(header));
        return [.. header, .. whole];
    }
}

internal static class TestExtensions
{
    public static T Also<T>(this T value, Action<T> change)
    {
        change(value);
        return value;
    }
}
