using Culvert.Dataplane;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

public sealed class PlaneMarkingTests
{
    // RFC 3140 section 2: case 1 has the DSCP in the six bits on the left; bit 15 says that the code is of another kind.
    [Theory]
    [InlineData(null, null)]
    [InlineData(0xB800, 46)]
    [InlineData(0x2802, 10)]
    [InlineData(0xC000, 48)]
    [InlineData(0x0000, 0)]
    [InlineData(0x0011, null)]
    public void A_per_hop_behaviour_names_a_DSCP(int? phb, int? dscp) =>
        Assert.Equal((byte?)dscp, PlaneMarking.DscpOf((ushort?)phb));

    [Fact]
    public void Control_messages_without_a_tunnel_are_marked_as_network_control() =>
        Assert.Equal(0xC0, PlaneMarking.OfControl(null, DataPolicy.Default));

    [Theory]
    [InlineData(null, false, 10, false)]
    [InlineData(null, true, 48, true)]
    [InlineData(0xB800, false, 46, false)]
    [InlineData(0xB800, true, 46, false)]
    public void What_was_agreed_comes_before_what_is_configured(int? phb, bool copies, byte dscp, bool copied)
    {
        var policy = new DataPolicy { DataDscp = 10, CopyDscp = copies };
        Assert.Equal(new TrafficMarking(dscp, copied, propagateEcn: true), PlaneMarking.Of((ushort?)phb, isEcnAgreed: true, policy));
    }
}
