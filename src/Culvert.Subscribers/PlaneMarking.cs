using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>Which DSCP and ECN the packets of a tunnel and its sessions have: what was agreed comes before what is configured.</summary>
internal static class PlaneMarking
{
    // RFC 3140 section 2, case 1: the six bits of the recommended DSCP lie on the left; bit 15 is set for other codes.
    private const int PhbShift = 10;
    private const ushort OtherPhbBit = 1;

    /// <summary>The traffic class of control messages. They are never ECN-capable: nobody would slow down.</summary>
    public static byte OfControl(Tunnel? tunnel, DataPolicy policy) =>
        new TrafficMarking(DscpOf(tunnel?.ControlPhb) ?? policy.ControlDscp).PppTrafficClass;

    public static TrafficMarking OfSession(Session session, DataPolicy policy) => Of(session.Phb, session.Tunnel.IsEcnAgreed, policy);

    internal static TrafficMarking Of(ushort? phb, bool isEcnAgreed, DataPolicy policy) =>
        DscpOf(phb) is { } agreed ? new TrafficMarking(agreed, copyDscp: false, isEcnAgreed)
        : policy.CopyDscp ? new TrafficMarking(policy.ControlDscp, copyDscp: true, isEcnAgreed)
        : new TrafficMarking(policy.DataDscp, copyDscp: false, isEcnAgreed);

    /// <summary>Null for a code that names no DSCP.</summary>
    internal static byte? DscpOf(ushort? phb) => phb is { } code && (code & OtherPhbBit) == 0 ? (byte)(code >> PhbShift) : null;
}
