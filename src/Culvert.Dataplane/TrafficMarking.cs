namespace Culvert.Dataplane;

/// <summary>
/// How the outer packets of a session are marked: DSCP (RFC 2474) and ECN (RFC 3168). The two are always decided apart from each
/// other, as RFC 9601 section 4 demands. The default value marks nothing.
/// </summary>
public readonly record struct TrafficMarking
{
    /// <summary>Six bits.</summary>
    public const byte HighestDscp = 63;

    private const int DscpShift = 2;
    private const byte DscpMask = 0xFC;
    private const byte CopyDscpBit = 0x02;
    private const byte EcnBit = 0x01;

    /// <param name="dscp">0 to 63; see <see cref="Dscp"/>.</param>
    /// <param name="copyDscp">See <see cref="CopyDscp"/>.</param>
    /// <param name="propagateEcn">See <see cref="PropagateEcn"/>.</param>
    public TrafficMarking(byte dscp, bool copyDscp = false, bool propagateEcn = false)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(dscp, HighestDscp);
        Octet = (byte)((dscp << DscpShift) | (copyDscp ? CopyDscpBit : 0) | (propagateEcn ? EcnBit : 0));
    }

    private TrafficMarking(byte octet) => Octet = octet;

    /// <summary>Of every outer packet; with <see cref="CopyDscp"/> only of frames in which there is no IP packet to copy from.</summary>
    public byte Dscp => (byte)(Octet >> DscpShift);

    /// <summary>The outer packet has the DSCP of the IP packet inside.</summary>
    public bool CopyDscp => (Octet & CopyDscpBit) != 0;

    /// <summary>
    /// ECN goes from inner to outer header and back (RFC 6040 normal mode): only where both ends agreed. Otherwise the outer field is
    /// Not-ECT (compatibility mode), so that nobody on the way marks what the other end would not see.
    /// </summary>
    public bool PropagateEcn => (Octet & EcnBit) != 0;

    /// <summary>For frames without an IP packet inside.</summary>
    public byte PppTrafficClass => (byte)(Octet & DscpMask);

    /// <summary>As it is kept in a session's entry.</summary>
    internal byte Octet { get; }

    /// <summary>The outer traffic class for an IP packet that was measured.</summary>
    public byte OuterFor(ReadOnlySpan<byte> packet)
    {
        if (Octet <= EcnBit)
        {
            return Octet == 0 ? (byte)0 : (byte)(IpPacket.TrafficClass(packet) & Ecn.Mask);
        }

        byte inner = IpPacket.TrafficClass(packet);
        int dscp = (CopyDscp ? inner : Octet) & DscpMask;
        return (byte)(dscp | (PropagateEcn ? inner & Ecn.Mask : 0));
    }

    internal static TrafficMarking FromOctet(byte octet) => new(octet);
}
