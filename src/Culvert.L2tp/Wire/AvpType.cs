namespace Culvert.L2tp.Wire;

/// <summary>Vendor ID: an SMI private enterprise number, the first 65,536 of them (RFC 2661 section 4.1).</summary>
public enum VendorId : ushort
{
    Ietf = 0,
    Cisco = 9,
    Microsoft = 311,

    /// <summary>The Broadband Forum, whose attributes RFC 5515 uses.</summary>
    AdslForum = 3561,
}

/// <summary>Attribute types of the IETF vendor: RFC 2661 section 4.4 and later RFCs.</summary>
public enum AvpType : ushort
{
    MessageType = 0,
    ResultCode = 1,
    ProtocolVersion = 2,
    FramingCapabilities = 3,
    BearerCapabilities = 4,
    TieBreaker = 5,
    FirmwareRevision = 6,
    HostName = 7,
    VendorName = 8,
    AssignedTunnelId = 9,
    ReceiveWindowSize = 10,
    Challenge = 11,
    Q931CauseCode = 12,
    ChallengeResponse = 13,
    AssignedSessionId = 14,
    CallSerialNumber = 15,
    MinimumBps = 16,
    MaximumBps = 17,
    BearerType = 18,
    FramingType = 19,
    CalledNumber = 21,
    CallingNumber = 22,
    SubAddress = 23,
    TxConnectSpeed = 24,
    PhysicalChannelId = 25,
    InitialReceivedLcpConfreq = 26,
    LastSentLcpConfreq = 27,
    LastReceivedLcpConfreq = 28,
    ProxyAuthenType = 29,
    ProxyAuthenName = 30,
    ProxyAuthenChallenge = 31,
    ProxyAuthenId = 32,
    ProxyAuthenResponse = 33,
    CallErrors = 34,
    Accm = 35,
    RandomVector = 36,
    PrivateGroupId = 37,
    RxConnectSpeed = 38,
    SequencingRequired = 39,

    // RFC 3301
    RxMinimumBps = 40,
    RxMaximumBps = 41,
    ServiceCategory = 42,
    ServiceName = 43,
    CallingSubAddress = 44,
    VpiVciIdentifier = 45,

    // RFC 3145
    PppDisconnectCauseCode = 46,

    // RFC 3308
    ControlConnectionDs = 47,
    SessionDs = 48,

    // RFC 3437
    LcpWantOptions = 49,
    LcpAllowOptions = 50,
    LnsLastSentLcpConfreq = 51,
    LnsLastReceivedLcpConfreq = 52,

    // RFC 3573
    ModemOnHoldCapable = 53,
    ModemOnHoldStatus = 54,

    // RFC 3817
    PppoeRelay = 55,
    PppoeRelayResponseCapability = 56,
    PppoeRelayForwardCapability = 57,

    // RFC 4951
    FailoverCapability = 76,
    TunnelRecovery = 77,
    SuggestedControlSequence = 78,
    FailoverSessionState = 79,

    // RFC 4045
    MulticastCapability = 80,
    NewOutgoingSessions = 81,
    NewOutgoingSessionsAcknowledgement = 82,
    WithdrawOutgoingSessions = 83,
    MulticastPacketsPriority = 84,

    // RFC 5515
    ConnectSpeedUpdate = 97,
    ConnectSpeedUpdateEnable = 98,

    // RFC 9601
    EcnCapability = 103,
}

/// <summary>Attribute types of <see cref="VendorId.AdslForum"/> (RFC 5515 section 5). Rates in bit/s, delays in ms.</summary>
public enum AccessLineAvpType : ushort
{
    AgentCircuitId = 1,
    AgentRemoteId = 2,
    ActualDataRateUpstream = 129,
    ActualDataRateDownstream = 130,
    MinimumDataRateUpstream = 131,
    MinimumDataRateDownstream = 132,
    AttainableDataRateUpstream = 133,
    AttainableDataRateDownstream = 134,
    MaximumDataRateUpstream = 135,
    MaximumDataRateDownstream = 136,
    MinimumDataRateUpstreamLowPower = 137,
    MinimumDataRateDownstreamLowPower = 138,
    MaximumInterleavingDelayUpstream = 139,
    ActualInterleavingDelayUpstream = 140,
    MaximumInterleavingDelayDownstream = 141,
    ActualInterleavingDelayDownstream = 142,
    AccessLoopEncapsulation = 144,
    AncpAccessLineType = 145,
    IwfSession = 254,
}
