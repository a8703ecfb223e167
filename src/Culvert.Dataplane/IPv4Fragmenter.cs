namespace Culvert.Dataplane;

/// <summary>Cuts an IPv4 packet into fragments (RFC 791 section 3.2).</summary>
public static class IPv4Fragmenter
{
    /// <summary>Most fragments made of one packet: 65,535 octets over an MTU of 576 need 119.</summary>
    public const int MaxFragments = 128;
}
