using Culvert.Core;

namespace Culvert.Dataplane.Tests;

/// <summary>DSCP and ECN between inner and outer headers (RFC 2983, RFC 6040, RFC 9601).</summary>
public class MarkingTests
{
    private const int NotEct = 0;
    private const int Ect1 = 1;
    private const int Ect0 = 2;
    private const int Ce = 3;
    private const int Dropped = -1;

    // RFC 6040 section 4.2: arriving inner header, arriving outer header, outgoing header.
    public static TheoryData<int, int, int> Decapsulation => new()
    {
        { NotEct, NotEct, NotEct }, { NotEct, Ect0, NotEct }, { NotEct, Ect1, NotEct }, { NotEct, Ce, Dropped },
        { Ect0, NotEct, Ect0 }, { Ect0, Ect0, Ect0 }, { Ect0, Ect1, Ect1 }, { Ect0, Ce, Ce },
        { Ect1, NotEct, Ect1 }, { Ect1, Ect0, Ect1 }, { Ect1, Ect1, Ect1 }, { Ect1, Ce, Ce },
        { Ce, NotEct, Ce }, { Ce, Ect0, Ce }, { Ce, Ect1, Ce }, { Ce, Ce, Ce },
    };

    [Theory, MemberData(nameof(Decapsulation))]
    public void What_the_network_marked_reaches_the_packet_inside(int inner, int outer, int outgoing)
    {
        foreach (byte dscp in new byte[] { 0, 46, 63 })
        {
            foreach (byte[] packet in new[] { IPv4((byte)((dscp << 2) | inner)), IPv6((byte)((dscp << 2) | inner)) })
            {
                var rig = new Rig(Bench.Session() with { Marking = new TrafficMarking(0, propagateEcn: true) });
                byte[] frame = Bench.Frame(Bench.Ppp(packet));

                // The outer DSCP is nobody's business inside (RFC 2983, pipe model).
                Verdict verdict = rig.Forwarder.Decapsulate(frame, Bench.Path, (byte)(0xA8 | outer));
                if (outgoing == Dropped)
                {
                    Assert.Equal((VerdictKind.Dropped, DropReason.CongestionMarked), (verdict.Kind, verdict.Reason));
                    Assert.Equal(1, rig.Counters().Drops(DropReason.CongestionMarked));
                    continue;
                }

                byte[] expected = packet[0] >> 4 == 4 ? IPv4((byte)((dscp << 2) | outgoing)) : IPv6((byte)((dscp << 2) | outgoing));
                Assert.Equal(VerdictKind.Deliver, verdict.Kind);
                Assert.Equal(expected, frame[verdict.Offset..(verdict.Offset + verdict.Length)]);
            }
        }
    }

    [Fact]
    public void Where_ECN_was_not_agreed_nothing_is_touched_and_the_outer_field_is_zero()
    {
        var rig = new Rig(Bench.Session() with { Marking = new TrafficMarking(10, copyDscp: true) });
        byte[] packet = IPv4((46 << 2) | NotEct);
        byte[] frame = Bench.Frame(Bench.Ppp(packet));
        Verdict verdict = rig.Forwarder.Decapsulate(frame, Bench.Path, Ce);
        Assert.Equal(packet, frame[verdict.Offset..(verdict.Offset + verdict.Length)]);
        for (int ecn = 0; ecn < 4; ecn++)
        {
            _ = rig.Encapsulate(Towards(4, (byte)((46 << 2) | ecn)));
            Assert.Equal(46 << 2, rig.TrafficClasses[^1]);
            Assert.Equal((byte)((46 << 2) | ecn), InnerTrafficClass(rig.Sent[^1].Frame));
        }
    }

    [Theory]
    [InlineData(0, false, false, 0xB9, 0x00)]
    [InlineData(0, false, true, 0xB9, 0x01)]
    [InlineData(0, true, false, 0xB9, 0xB8)]
    [InlineData(0, true, true, 0xBB, 0xBB)]
    [InlineData(48, true, true, 0x02, 0x02)]
    [InlineData(10, false, false, 0xB9, 0x28)]
    [InlineData(10, false, true, 0xB8, 0x28)]
    [InlineData(63, false, true, 0x03, 0xFF)]
    public void The_outer_header_is_marked_by_policy(byte dscp, bool copies, bool ecn, byte inner, byte outer)
    {
        foreach (int version in new[] { 4, 6 })
        {
            var rig = new Rig(Bench.Session() with { Marking = new TrafficMarking(dscp, copies, ecn) });
            byte[] packet = Towards(version, inner);
            Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(packet).Kind);
            Assert.Equal(EncapsulationKind.Sent, rig.Encapsulate(packet, to: Bench.Key).Kind);
            Assert.Equal([outer, outer], rig.TrafficClasses);

            // RFC 6040 section 4.1: the header that becomes the inner one stays as it was.
            Assert.Equal(packet, rig.Sent[0].Frame[^packet.Length..]);
            Assert.Equal(EncapsulationKind.Sent, rig.EncapsulatePpp(Bench.Key, Bench.Hex("FF03 C021 0901 0004"), true).Kind);
            Assert.Equal((byte)(dscp << 2), rig.TrafficClasses[^1]);
        }
    }

    [Fact]
    public void All_fragments_of_a_packet_are_marked_alike()
    {
        var rig = new Rig(Bench.Session() with { Marking = new TrafficMarking(0, copyDscp: true, propagateEcn: true), Mtu = 576 });
        byte[] packet = Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[1400]);
        packet[1] = 0x4A;
        Encapsulation sent = rig.Encapsulate(packet);
        Assert.Equal((EncapsulationKind.Sent, 3), (sent.Kind, sent.Frames));
        Assert.Equal([0x4A, 0x4A, 0x4A], rig.TrafficClasses);
        Assert.All(rig.Sent, s => Assert.Equal(0x4A, InnerTrafficClass(s.Frame)));
    }

    [Fact]
    public void A_frame_that_waited_keeps_what_the_network_said_of_it()
    {
        var rig = new Rig(Bench.Session() with
        {
            Marking = new TrafficMarking(0, propagateEcn: true),
            Policies = SessionPolicies.OrderSequenced,
        });
        byte[] early = Bench.Frame(Bench.Ppp(IPv4(Ect0)), sequence: true, ns: 1);
        byte[] first = Bench.Frame(Bench.Ppp(IPv4(Ect0)), sequence: true, ns: 0);
        Assert.Equal(VerdictKind.Held, rig.Forwarder.Decapsulate(early, Bench.Path, Ce).Kind);
        Verdict verdict = rig.Forwarder.Decapsulate(first, Bench.Path, Ect0);
        Assert.Equal(IPv4(Ect0), first[verdict.Offset..]);
        Assert.True(rig.Forwarder.TryTakeHeld(default, out Span<byte> held, out verdict));
        Assert.Equal(IPv4(Ce), held.Slice(verdict.Offset, verdict.Length).ToArray());
    }

    [Fact]
    public void Every_marking_survives_in_the_entry_of_its_session()
    {
        for (int octet = 0; octet < 256; octet++)
        {
            var marking = new TrafficMarking((byte)(octet >> 2), (octet & 2) != 0, (octet & 1) != 0);
            var entry = SessionEntry.From(Bench.Session() with { Marking = marking }, SessionEntry.MaxRows - 1);
            Assert.Equal((marking, SessionEntry.MaxRows - 1), (entry.Marking, entry.Row));
            Assert.Equal((octet >> 2, (octet & 2) != 0, (octet & 1) != 0), (marking.Dscp, marking.CopyDscp, marking.PropagateEcn));
        }

        for (int framing = 0; framing < 16; framing++)
        {
            var entry = SessionEntry.From(Bench.Session() with { Framing = (TransmitFraming)framing }, 7);
            Assert.Equal(TunnelMtu.HeaderLength((TransmitFraming)framing), entry.HeaderLength);
            Assert.Equal((SessionState.Forwarding, IpFamily.IPv4), (entry.State, entry.PeerFamily));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => new TrafficMarking(64));
    }

    private static byte[] IPv4(byte trafficClass) => Marked(Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[9]), trafficClass);

    private static byte[] IPv6(byte trafficClass) => Marked(Bench.IPv6(Bench.Subscriber6, Bench.Server6, 17, new byte[9]), trafficClass);

    private static byte[] Towards(int version, byte trafficClass) => Marked(
        version == 4 ? Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[9]) : Bench.IPv6(Bench.Server6, Bench.Subscriber6, 17, new byte[9]),
        trafficClass);

    private static byte InnerTrafficClass(byte[] frame)
    {
        // Six octets of L2TP, two of PPP.
        Assert.Equal(4, frame[8] >> 4);
        Assert.Equal(0, Bench.SlowChecksum(frame.AsSpan(8, 20)));
        return frame[9];
    }

    private static byte[] Marked(byte[] packet, byte trafficClass)
    {
        if (packet[0] >> 4 == 4)
        {
            packet[1] = trafficClass;
            packet[10] = packet[11] = 0;
            ushort checksum = Bench.SlowChecksum(packet.AsSpan(0, 20));
            packet[10] = (byte)(checksum >> 8);
            packet[11] = (byte)checksum;
            return packet;
        }

        packet[0] = (byte)(0x60 | (trafficClass >> 4));
        packet[1] = (byte)((trafficClass << 4) | (packet[1] & 0x0F));
        return packet;
    }
}
