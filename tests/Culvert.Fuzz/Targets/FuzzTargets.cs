namespace Culvert.Fuzz.Targets;

/// <summary>Everything that takes octets from strangers.</summary>
public static class FuzzTargets
{
    /// <summary>A new object for each target, in the order in which they are run.</summary>
    public static IReadOnlyList<FuzzTarget> All() =>
    [
        new L2tpHeaderTarget(),
        new L2tpMessageTarget(),
        new AvpHidingTarget(),
        new L2tpPrinterTarget(),
        new PppFrameTarget(),
        new PppPrinterTarget(),
        new AuthenticationTextTarget(),
        new IpPacketTarget(),
        new DecapsulateTarget(),
        new EncapsulateTarget(),
        new SegmentTarget(),
        new CoalesceTarget(),
        new DataReorderTarget(),
        new CaptureTarget(),
        new DhcpTarget(),
        new NetlinkTarget(),
        new TextTarget(),
        new ControlApiTarget(),
        new ConfigurationTarget(),
        new ChannelTarget(),
        new EndpointTarget(),
        new PppLinkTarget(),
        new AccessNodeTarget(),
    ];
}
