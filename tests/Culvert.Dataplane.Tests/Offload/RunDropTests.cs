using Culvert.Dataplane.Offload;

namespace Culvert.Dataplane.Tests.Offload;

/// <summary>A run that is dropped is counted as the packets that it would have been.</summary>
public class RunDropTests
{
    private const int Segments = 7;
    private const int Payload = 1000;

    private static readonly Flow Down = new() { Reversed = true };

    [Fact]
    public void No_route()
    {
        var rig = new Rig();
        (byte[] super, OffloadHeader offload) = Super(Down);
        super[19] ^= 1;
        Assert.Equal(DropReason.NoRoute, rig.EncapsulateOffloaded(offload, super).Reason);
        Assert.Equal(Segments, rig.Forwarder.Counters.Drops(DropReason.NoRoute));
    }

    [Fact]
    public void A_session_that_does_not_forward_yet()
    {
        var rig = new Rig(Bench.Session() with { State = SessionState.Pending });
        (byte[] super, OffloadHeader offload) = Super(Down);
        Assert.Equal(DropReason.NotForwarding, rig.EncapsulateOffloaded(offload, super).Reason);
        Assert.Equal(Segments, rig.Counters().Drops(DropReason.NotForwarding));
    }

    [Fact]
    public void Too_large_and_not_to_be_fragmented()
    {
        var rig = new Rig(Bench.Session() with { Mtu = 600 });
        (byte[] super, OffloadHeader offload) = Super(Down);
        Assert.Equal(EncapsulationKind.Reply, rig.EncapsulateOffloaded(offload, super).Kind);
        Assert.Equal((Segments, 1), (rig.Counters().Drops(DropReason.TooBig), rig.Forwarder.Counters.IcmpSent));
    }

    [Fact]
    public void No_room_for_some_or_all()
    {
        var rig = new Rig { Room = 0 };
        (byte[] super, OffloadHeader offload) = Super(Down);
        Assert.Equal(DropReason.SinkFull, rig.EncapsulateOffloaded(offload, super).Reason);
        Assert.Equal((Segments, 0), (rig.Counters().Drops(DropReason.SinkFull), rig.Counters().PacketsSent));

        rig = new Rig(Bench.Session() with { Mtu = 600 }) { Room = 5 };
        (super, offload) = Super(Down with { Atomic = false });
        Assert.Equal(DropReason.SinkFull, rig.EncapsulateOffloaded(offload, super).Reason);

        // Two segments left as two fragments each; the third got rid of one.
        Assert.Equal((Segments - 2, 5), (rig.Counters().Drops(DropReason.SinkFull), rig.Counters().PacketsSent));
    }

    [Fact]
    public void What_cannot_be_cut_is_one_packet()
    {
        var rig = new Rig();
        (byte[] super, OffloadHeader offload) = Super(Down);
        Assert.Equal(DropReason.MalformedIp, rig.EncapsulateOffloaded(offload with { SegmentSize = 0 }, super).Reason);
        Assert.Equal(1, rig.Counters().Drops(DropReason.MalformedIp));
    }

    private static (byte[] Packet, OffloadHeader Offload) Super(Flow flow) =>
        PacketSegmenterTests.Super(flow, Bench.Random(1, (Segments * Payload) - 10), Payload);
}
