namespace Culvert.Ppp.Wire;

/// <summary>PPP protocol numbers (RFC 1661 section 2; values from the IANA registry) that this program knows by name.</summary>
public enum PppProtocol : ushort
{
    None = 0,
    IPv4 = 0x0021,
    IPv6 = 0x0057,
    VanJacobsonCompressed = 0x002D,
    VanJacobsonUncompressed = 0x002F,
    Multilink = 0x003D,
    CompressedDatagram = 0x00FD,
    Ipcp = 0x8021,
    Ipv6cp = 0x8057,
    CompressionControl = 0x80FD,
    EncryptionControl = 0x8053,
    BridgingControl = 0x8031,
    AppleTalkControl = 0x8029,
    IpxControl = 0x802B,
    NetBiosControl = 0x803F,
    MplsControl = 0x8281,
    CiscoDiscoveryControl = 0x8207,
    Lcp = 0xC021,
    Pap = 0xC023,
    LinkQualityReport = 0xC025,
    CallbackControl = 0xC029,
    BandwidthAllocationControl = 0xC02B,
    Chap = 0xC223,
    Eap = 0xC227,
}
