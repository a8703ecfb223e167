namespace Culvert.Subscribers.Dhcp;

/// <summary>Option codes of RFC 2132 and its companions, as far as they are read or written here.</summary>
internal enum DhcpOption : byte
{
    /// <summary>A single octet between options.</summary>
    Pad = 0,

    /// <summary>RFC 2132 section 3.3.</summary>
    SubnetMask = 1,

    /// <summary>RFC 2132 section 3.8.</summary>
    DomainNameServers = 6,

    /// <summary>RFC 2132 section 3.17.</summary>
    DomainName = 15,

    /// <summary>Options go on in 'file' (1), 'sname' (2) or both (3): RFC 2132 section 9.3.</summary>
    Overload = 52,

    /// <summary>RFC 2132 section 9.6.</summary>
    MessageType = 53,

    /// <summary>RFC 2132 section 9.7.</summary>
    ServerIdentifier = 54,

    /// <summary>What the client asks for, in its order: RFC 2132 section 9.8.</summary>
    ParameterRequestList = 55,

    /// <summary>RFC 2132 section 9.10.</summary>
    MaximumMessageSize = 57,

    /// <summary>What kind of client it is: RFC 2132 section 9.13.</summary>
    VendorClass = 60,

    /// <summary>RFC 2132 section 9.14.</summary>
    ClientIdentifier = 61,

    /// <summary>RFC 3397.</summary>
    DomainSearch = 119,

    /// <summary>RFC 3442.</summary>
    ClasslessRoutes = 121,

    /// <summary>The same contents under the number that Windows asked for before RFC 3442 had one.</summary>
    MicrosoftClasslessRoutes = 249,

    /// <summary>Nothing follows.</summary>
    End = 255,
}

/// <summary>RFC 2132 section 9.6.</summary>
internal enum DhcpMessageType : byte
{
    /// <summary>A BOOTP message (RFC 951) has none.</summary>
    None = 0,
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,

    /// <summary>The client has an address and asks for everything else (RFC 2131 section 4.4.3).</summary>
    Inform = 8,
}
