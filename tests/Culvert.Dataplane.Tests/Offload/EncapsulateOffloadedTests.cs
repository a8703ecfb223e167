using System.Buffers.Binary;
using Culvert.Dataplane.Offload;

namespace Culvert.Dataplane.Tests.Offload;

public class EncapsulateOffloadedTests
{
    // From a server to the subscriber, as the TUN hands it over.
    private static readonly Flow Down = new();

    [Theory]
    [InlineData(TransmitFraming.None)]
    [InlineData(TransmitFraming.AddressControl | TransmitFraming.Length)]
    [InlineData(TransmitFraming.CompressProtocol)]
    public void A_run_becomes_the_frames_that_its_packets_would(TransmitFraming framing)
    {
        foreach (bool isIPv6 in (bool[])[false, true])
        {
            byte[] stream = Bench.Random(5, 60_000);
            (byte[] super, OffloadHeader offload) = Towards(Down with { IsIPv6 = isIPv6 }, stream, 1300);
            var whole = new Rig(Bench.Session() with { Framing = framing });
            Encapsulation sent = whole.EncapsulateOffloaded(offload, super);
            Assert.Equal((EncapsulationKind.Sent, 47), (sent.Kind, sent.Frames));

            var apart = new Rig(Bench.Session() with { Framing = framing });
            Assert.True(PacketSegmenter.TryCreate(super, offload, out PacketSegmenter segments));
            for (int i = 0; i < segments.Count; i++)
            {
                byte[] packet = new byte[segments.LengthOf(i)];
                segments.Write(i, packet);
                Assert.Equal(EncapsulationKind.Sent, apart.Encapsulate(packet).Kind);
            }

            Assert.Equal(apart.Sent.Select(s => s.Frame), whole.Sent.Select(s => s.Frame));
            Assert.Equal(apart.Counters().PacketsSent, whole.Counters().PacketsSent);
            Assert.Equal(apart.Counters().OctetsSent, whole.Counters().OctetsSent);
            Assert.InRange(whole.LargestRun, 50_000, Forwarder.LargestRun);
        }
    }

    [Fact]
    public void Sequence_numbers_go_on_through_a_run()
    {
        var rig = new Rig(Bench.Session() with { Framing = TransmitFraming.Sequence });
        (byte[] super, OffloadHeader offload) = Towards(Down, new byte[3000], 1000);
        _ = rig.EncapsulateOffloaded(offload, super);
        _ = rig.EncapsulateOffloaded(offload, super);
        Assert.Equal([0, 1, 2, 3, 4, 5], rig.Sent.Select(s => (int)BinaryPrimitives.ReadUInt16BigEndian(s.Frame.AsSpan(6))));
    }

    [Fact]
    public void Segments_larger_than_the_tunnel_are_answered_or_cut()
    {
        (byte[] super, OffloadHeader offload) = Towards(Down, new byte[4000], 1400);
        var rig = new Rig(Bench.Session() with { Mtu = 1000 });
        Encapsulation answered = rig.EncapsulateOffloaded(offload, super);
        Assert.Equal((EncapsulationKind.Reply, DropReason.TooBig), (answered.Kind, answered.Reason));
        Assert.Equal(1000, BinaryPrimitives.ReadUInt16BigEndian(rig.Reply[26..]));
        Assert.Empty(rig.Sent);

        (super, offload) = Towards(Down with { Atomic = false }, new byte[4000], 1400);
        Assert.Equal((EncapsulationKind.Sent, 6), (rig.EncapsulateOffloaded(offload, super).Kind, rig.Sent.Count));
        Assert.All(rig.Sent, s => Assert.InRange(s.Frame.Length, 1, 1008));
        Assert.Equal(6, rig.Counters().PacketsSent);

        (super, offload) = Towards(Down with { IsIPv6 = true }, new byte[4000], 1400);
        Assert.Equal(EncapsulationKind.Reply, rig.EncapsulateOffloaded(offload, super).Kind);
    }

    [Fact]
    public void An_unfinished_checksum_is_finished()
    {
        foreach (byte protocol in (byte[])[6, 17])
        {
            byte[] expected = Turned(Down with { Protocol = protocol }).Packet(Bench.Random(1, 333), 5);
            int field = protocol == 6 ? 16 : 6;
            byte[] packet = [.. expected];
            int length = packet.Length - 20;
            ushort pseudo = (ushort)~Bench.SlowChecksum([.. packet[12..20], 0, protocol, (byte)(length >> 8), (byte)length]);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(20 + field), pseudo);
            var offload = new OffloadHeader { NeedsChecksum = true, ChecksumStart = 20, ChecksumOffset = (ushort)field };
            var rig = new Rig();
            Assert.Equal(EncapsulationKind.Sent, rig.EncapsulateOffloaded(offload, packet).Kind);
            Assert.Equal(expected, rig.Sent[0].Frame[8..]);
            Assert.Equal(DropReason.NotIp, rig.EncapsulateOffloaded(offload with { ChecksumStart = 400 }, packet).Reason);
            Assert.Equal(DropReason.NotIp, rig.EncapsulateOffloaded(offload with { ChecksumOffset = 400 }, packet).Reason);
        }
    }

    [Theory]
    [InlineData(6, 0)]
    [InlineData(17, 0xFFFF)] // RFC 768: zero says that there is none
    public void A_checksum_of_zero_is_all_ones_in_UDP_only(byte protocol, int expected)
    {
        // The payload's last two octets make up for whatever the others weigh.
        Flow flow = Turned(Down with { Protocol = protocol });
        int field = 20 + (protocol == 6 ? 16 : 6);
        byte[] payload = Bench.Random(1, 332);
        payload[^2] = payload[^1] = 0;
        ushort missing = BinaryPrimitives.ReadUInt16BigEndian(flow.Packet(payload, 5).AsSpan(field));
        BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(^2..), missing);
        byte[] packet = flow.Packet(payload, 5);
        int length = packet.Length - 20;
        ushort pseudo = (ushort)~Bench.SlowChecksum([.. packet[12..20], 0, protocol, (byte)(length >> 8), (byte)length]);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(field), pseudo);

        var offload = new OffloadHeader { NeedsChecksum = true, ChecksumStart = 20, ChecksumOffset = (ushort)(field - 20) };
        var rig = new Rig();
        Assert.Equal(EncapsulationKind.Sent, rig.EncapsulateOffloaded(offload, packet).Kind);
        Assert.Equal(expected, BinaryPrimitives.ReadUInt16BigEndian(rig.Sent[0].Frame.AsSpan(8 + field)));
    }

    [Fact]
    public void What_has_no_session_or_no_room_is_counted()
    {
        var rig = new Rig();
        (byte[] super, OffloadHeader offload) = Towards(Down, new byte[3000], 1000);
        byte[] elsewhere = [.. super];
        elsewhere[19] ^= 1;
        Assert.Equal(DropReason.NoRoute, rig.EncapsulateOffloaded(offload, elsewhere).Reason);
        Assert.Equal(DropReason.MalformedIp, rig.EncapsulateOffloaded(offload with { SegmentSize = 0 }, super).Reason);
        Assert.Equal(DropReason.NotIp, rig.EncapsulateOffloaded(offload, super.AsSpan(0, 39)).Reason);
        rig.Room = 0;
        Assert.Equal(DropReason.SinkFull, rig.EncapsulateOffloaded(offload, super).Reason);
        Assert.Equal(0, rig.Counters().PacketsSent);
    }

    [Fact]
    public void Runs_allocate_nothing()
    {
        var rig = new Rig();
        (byte[] super, OffloadHeader offload) = Towards(Down, new byte[30_000], 1400);
        Assert.Equal(0, rig.AllocatedBy(offload, super, rounds: 2000));
    }

    private static Flow Turned(Flow flow) => flow with { Reversed = true };

    private static (byte[] Packet, OffloadHeader Offload) Towards(Flow flow, byte[] stream, int payload) =>
        PacketSegmenterTests.Super(Turned(flow), stream, payload);
}
