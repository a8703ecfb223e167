using System.Collections.Frozen;
using System.Collections.Immutable;
using static Culvert.L2tp.Wire.MessageType;

namespace Culvert.L2tp.Wire;

/// <summary>
/// Everything known about AVPs, as data: RFC 2661 section 4.4 with the lists of section 6, and the RFCs that extend it. Reading,
/// checking, writing and printing all go by this table.
/// </summary>
public static class AvpDefinitions
{
    private const bool M = true;
    private const bool H = true;

    private static readonly MessageSet None = MessageSet.None;
    private static readonly MessageSet StartMessages = MessageSet.Of(Sccrq, Sccrp);
    private static readonly MessageSet ConnectedMessages = MessageSet.Of(Iccn, Occn);

    /// <summary>Every row: IETF attributes by type, then those of vendors.</summary>
    public static ImmutableArray<AvpDefinition> All { get; } = [.. Rfc2661(), .. Companions(), .. AccessLine(), .. Vendors()];

    private static readonly AvpDefinition?[] IetfByType = IndexIetf();

    private static readonly FrozenDictionary<AvpId, AvpDefinition> ByVendor =
        All.Where(row => row.Id.Vendor != VendorId.Ietf).ToFrozenDictionary(row => row.Id);

    private static readonly ImmutableArray<AvpDefinition>[] RequiredByMessage = IndexRequired();

    /// <summary>The row of an attribute, or null when it is unknown.</summary>
    public static AvpDefinition? Find(AvpId id)
    {
        if (id.Vendor == VendorId.Ietf)
        {
            return id.Type < IetfByType.Length ? IetfByType[id.Type] : null;
        }

        return ByVendor.GetValueOrDefault(id);
    }

    /// <summary>The AVPs without which a message of this type is incomplete.</summary>
    public static ImmutableArray<AvpDefinition> RequiredIn(MessageType type) =>
        (int)type < RequiredByMessage.Length ? RequiredByMessage[(int)type] : [];

    private static AvpDefinition Row(
        AvpId id, string name, AvpFormat format, bool m, bool h, MessageSet required, MessageSet optional, int rfc = 2661) =>
        new(id, name, format, m, h, required, optional, rfc);

    private static AvpDefinition[] Rfc2661() =>
    [
        Row(AvpType.MessageType, "Message Type", AvpFormat.MessageType, M, !H, MessageSet.All, None),
        Row(AvpType.ResultCode, "Result Code", AvpFormat.ResultCode, M, !H, MessageSet.Of(StopCcn, Cdn, Msen), None),
        Row(AvpType.ProtocolVersion, "Protocol Version", AvpFormat.ProtocolVersion, M, !H, StartMessages, None),
        Row(AvpType.FramingCapabilities, "Framing Capabilities", AvpFormat.FramingMask, M, H, StartMessages, None),
        Row(AvpType.BearerCapabilities, "Bearer Capabilities", AvpFormat.BearerMask, M, H, None, StartMessages),
        Row(AvpType.TieBreaker, "Tie Breaker", AvpFormat.Number64, !M, !H, None, MessageSet.Of(Sccrq)),
        Row(AvpType.FirmwareRevision, "Firmware Revision", AvpFormat.Number16, !M, H, None, StartMessages),
        Row(AvpType.HostName, "Host Name", AvpFormat.NonEmptyText, M, !H, StartMessages, None),
        Row(AvpType.VendorName, "Vendor Name", AvpFormat.Text, !M, H, None, StartMessages),
        Row(AvpType.AssignedTunnelId, "Assigned Tunnel ID", AvpFormat.Number16, M, H, MessageSet.Of(Sccrq, Sccrp, StopCcn), None),
        Row(AvpType.ReceiveWindowSize, "Receive Window Size", AvpFormat.Number16, M, !H, None, StartMessages),
        Row(AvpType.Challenge, "Challenge", AvpFormat.RandomOctets, M, H, None, StartMessages),
        Row(AvpType.Q931CauseCode, "Q.931 Cause Code", AvpFormat.Q931Cause, M, !H, None, MessageSet.Of(Cdn)),
        Row(AvpType.ChallengeResponse, "Challenge Response", AvpFormat.ChallengeResponse, M, H, None, MessageSet.Of(Sccrp, Scccn)),
        Row(AvpType.AssignedSessionId, "Assigned Session ID", AvpFormat.Number16, M, H,
            MessageSet.Of(Ocrq, Ocrp, Icrq, Icrp, Cdn, Msrq, Msrp, Msen), None),
        Row(AvpType.CallSerialNumber, "Call Serial Number", AvpFormat.Number32, M, H, MessageSet.Of(Icrq, Ocrq), None),
        Row(AvpType.MinimumBps, "Minimum BPS", AvpFormat.Number32, M, H, MessageSet.Of(Ocrq), None),
        Row(AvpType.MaximumBps, "Maximum BPS", AvpFormat.Number32, M, H, MessageSet.Of(Ocrq), MessageSet.Of(Msrq)),
        Row(AvpType.BearerType, "Bearer Type", AvpFormat.BearerMask, M, H, MessageSet.Of(Ocrq), MessageSet.Of(Icrq)),
        Row(AvpType.FramingType, "Framing Type", AvpFormat.FramingMask, M, H, MessageSet.Of(Iccn, Occn, Ocrq), None),
        Row(AvpType.CalledNumber, "Called Number", AvpFormat.Text, M, H, MessageSet.Of(Ocrq), MessageSet.Of(Icrq)),
        Row(AvpType.CallingNumber, "Calling Number", AvpFormat.Text, M, H, None, MessageSet.Of(Icrq)),
        Row(AvpType.SubAddress, "Sub-Address", AvpFormat.Text, M, H, None, MessageSet.Of(Icrq, Ocrq)),
        Row(AvpType.TxConnectSpeed, "Tx Connect Speed", AvpFormat.Number32, M, H, ConnectedMessages, None),
        Row(AvpType.PhysicalChannelId, "Physical Channel ID", AvpFormat.Number32, !M, H, None, MessageSet.Of(Icrq, Ocrp)),
        Row(AvpType.InitialReceivedLcpConfreq, "Initial Received LCP CONFREQ", AvpFormat.LcpOptions, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.LastSentLcpConfreq, "Last Sent LCP CONFREQ", AvpFormat.LcpOptions, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.LastReceivedLcpConfreq, "Last Received LCP CONFREQ", AvpFormat.LcpOptions, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.ProxyAuthenType, "Proxy Authen Type", AvpFormat.ProxyAuthenType, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.ProxyAuthenName, "Proxy Authen Name", AvpFormat.Text, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.ProxyAuthenChallenge, "Proxy Authen Challenge", AvpFormat.RandomOctets, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.ProxyAuthenId, "Proxy Authen ID", AvpFormat.ProxyAuthenId, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.ProxyAuthenResponse, "Proxy Authen Response", AvpFormat.Secret, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.CallErrors, "Call Errors", AvpFormat.CallErrors, M, H, MessageSet.Of(Wen), None),
        Row(AvpType.Accm, "ACCM", AvpFormat.Accm, M, H, MessageSet.Of(Sli), None),
        Row(AvpType.RandomVector, "Random Vector", AvpFormat.RandomOctets, M, !H, None, MessageSet.All) with { MayRepeat = true },
        Row(AvpType.PrivateGroupId, "Private Group ID", AvpFormat.Text, !M, H, None, MessageSet.Of(Iccn)),
        Row(AvpType.RxConnectSpeed, "Rx Connect Speed", AvpFormat.Number32, !M, H, None, ConnectedMessages),
        Row(AvpType.SequencingRequired, "Sequencing Required", AvpFormat.Empty, M, !H, None, ConnectedMessages),
    ];

    // Where an RFC leaves the M bit to the sender, it is sent as 0, so that the extension never costs a session.
    private static AvpDefinition[] Companions() =>
    [
        Row(AvpType.RxMinimumBps, "Rx Minimum BPS", AvpFormat.Number32, !M, H, None, MessageSet.Of(Ocrq), 3301),
        Row(AvpType.RxMaximumBps, "Rx Maximum BPS", AvpFormat.Number32, !M, H, None, MessageSet.Of(Ocrq), 3301),
        Row(AvpType.ServiceCategory, "Service Category", AvpFormat.ServiceCategory, !M, H, None, MessageSet.Of(Ocrq, Icrq), 3301),
        Row(AvpType.ServiceName, "Service Name", AvpFormat.NonEmptyText, !M, H, None, MessageSet.Of(Ocrq, Icrq), 3301),
        Row(AvpType.CallingSubAddress, "Calling Sub-Address", AvpFormat.NsapAddress, !M, H, None, MessageSet.Of(Icrq), 3301),
        Row(AvpType.VpiVciIdentifier, "VPI/VCI Identifier", AvpFormat.VpiVci, !M, H, None, MessageSet.Of(Icrq, Ocrp), 3301),
        Row(AvpType.PppDisconnectCauseCode, "PPP Disconnect Cause Code", AvpFormat.PppDisconnectCause, !M, H, None,
            MessageSet.Of(Cdn), 3145)
            with { MayRepeat = true },
        Row(AvpType.ControlConnectionDs, "Control Connection DS", AvpFormat.PerHopBehavior, !M, H, None, StartMessages, 3308),
        Row(AvpType.SessionDs, "Session DS", AvpFormat.PerHopBehavior, !M, H, None, MessageSet.Of(Icrq, Icrp, Ocrq, Ocrp), 3308),
        Row(AvpType.LcpWantOptions, "LCP Want Options", AvpFormat.LcpOptions, !M, H, None, ConnectedMessages, 3437),
        Row(AvpType.LcpAllowOptions, "LCP Allow Options", AvpFormat.LcpOptions, !M, H, None, ConnectedMessages, 3437),
        Row(AvpType.LnsLastSentLcpConfreq, "LNS Last Sent LCP Confreq", AvpFormat.LcpOptions, !M, H, None, MessageSet.Of(Sli), 3437),
        Row(AvpType.LnsLastReceivedLcpConfreq, "LNS Last Received LCP Confreq", AvpFormat.LcpOptions, !M, H, None, MessageSet.Of(Sli), 3437),
        Row(AvpType.ModemOnHoldCapable, "Modem On-Hold Capable", AvpFormat.Empty, !M, H, None, StartMessages, 3573),
        Row(AvpType.ModemOnHoldStatus, "Modem On-Hold Status", AvpFormat.ModemOnHoldStatus, !M, H, MessageSet.Of(Mdmst), None, 3573),
        Row(AvpType.PppoeRelay, "PPPoE Relay", AvpFormat.Octets, !M, H, None, MessageSet.Of(Srrq, Srrp, Icrq, Icrp, Iccn, Cdn), 3817)
            with { IsRecognized = false },
        Row(AvpType.PppoeRelayResponseCapability, "PPPoE Relay Response Capability", AvpFormat.Empty, !M, H, None, StartMessages, 3817)
            with { IsRecognized = false },
        Row(AvpType.PppoeRelayForwardCapability, "PPPoE Relay Forward Capability", AvpFormat.Empty, !M, H, None, StartMessages, 3817)
            with { IsRecognized = false },
        Row(AvpType.FailoverCapability, "Failover Capability", AvpFormat.FailoverCapability, !M, H, None, StartMessages, 4951)
            with { IsRecognized = false },
        Row(AvpType.TunnelRecovery, "Tunnel Recovery", AvpFormat.IdentifierPair, M, !H, None, MessageSet.Of(Sccrq), 4951)
            with { IsRecognized = false },
        Row(AvpType.SuggestedControlSequence, "Suggested Control Sequence", AvpFormat.SequencePair, !M, H, None, MessageSet.Of(Sccrp), 4951)
            with { IsRecognized = false },
        Row(AvpType.FailoverSessionState, "Failover Session State", AvpFormat.IdentifierPair, M, H, MessageSet.Of(Fsq, Fsr), None, 4951)
            with { IsRecognized = false, MayRepeat = true },
        Row(AvpType.MulticastCapability, "Multicast Capability", AvpFormat.Octets, !M, H, None, StartMessages, 4045)
            with { IsRecognized = false },
        Row(AvpType.NewOutgoingSessions, "New Outgoing Sessions", AvpFormat.Octets, M, H, None, MessageSet.Of(Msi), 4045)
            with { IsRecognized = false, MayRepeat = true },
        Row(AvpType.NewOutgoingSessionsAcknowledgement, "New Outgoing Sessions Acknowledgement", AvpFormat.Octets, M, H, None,
            MessageSet.Of(Msi), 4045) with { IsRecognized = false, MayRepeat = true },
        Row(AvpType.WithdrawOutgoingSessions, "Withdraw Outgoing Sessions", AvpFormat.Octets, M, H, None, MessageSet.Of(Msi), 4045)
            with { IsRecognized = false, MayRepeat = true },
        Row(AvpType.MulticastPacketsPriority, "Multicast Packets Priority", AvpFormat.Octets, !M, H, None, MessageSet.Of(Msi), 4045)
            with { IsRecognized = false },
        Row(AvpType.ConnectSpeedUpdate, "Connect Speed Update", AvpFormat.ConnectSpeedUpdate, !M, H, MessageSet.Of(Csun, Csurq), None, 5515)
            with { MayRepeat = true },
        Row(AvpType.ConnectSpeedUpdateEnable, "Connect Speed Update Enable", AvpFormat.Empty, !M, H, None, MessageSet.Of(Icrq), 5515),
        Row(AvpType.EcnCapability, "ECN Capability", AvpFormat.Empty, !M, H, None, StartMessages, 9601),
    ];

    // RFC 5515 section 5: all in the ICRQ, all optional, about the line and therefore recognized as soon as they are read.
    private static AvpDefinition[] AccessLine()
    {
        static AvpDefinition Line(AccessLineAvpType type, string name, AvpFormat format) =>
            Row(type, name, format, !M, H, None, MessageSet.Of(Icrq), 5515);

        return
        [
            Line(AccessLineAvpType.AgentCircuitId, "Agent-Circuit-Id", AvpFormat.Text),
            Line(AccessLineAvpType.AgentRemoteId, "Agent-Remote-Id", AvpFormat.Text),
            Line(AccessLineAvpType.ActualDataRateUpstream, "Actual-Data-Rate-Upstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.ActualDataRateDownstream, "Actual-Data-Rate-Downstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.MinimumDataRateUpstream, "Minimum-Data-Rate-Upstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.MinimumDataRateDownstream, "Minimum-Data-Rate-Downstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.AttainableDataRateUpstream, "Attainable-Data-Rate-Upstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.AttainableDataRateDownstream, "Attainable-Data-Rate-Downstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.MaximumDataRateUpstream, "Maximum-Data-Rate-Upstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.MaximumDataRateDownstream, "Maximum-Data-Rate-Downstream", AvpFormat.DataRate),
            Line(AccessLineAvpType.MinimumDataRateUpstreamLowPower, "Minimum-Data-Rate-Upstream-Low-Power", AvpFormat.DataRate),
            Line(AccessLineAvpType.MinimumDataRateDownstreamLowPower, "Minimum-Data-Rate-Downstream-Low-Power", AvpFormat.DataRate),
            Line(AccessLineAvpType.MaximumInterleavingDelayUpstream, "Maximum-Interleaving-Delay-Upstream", AvpFormat.Delay),
            Line(AccessLineAvpType.ActualInterleavingDelayUpstream, "Actual-Interleaving-Delay-Upstream", AvpFormat.Delay),
            Line(AccessLineAvpType.MaximumInterleavingDelayDownstream, "Maximum-Interleaving-Delay-Downstream", AvpFormat.Delay),
            Line(AccessLineAvpType.ActualInterleavingDelayDownstream, "Actual-Interleaving-Delay-Downstream", AvpFormat.Delay),
            Line(AccessLineAvpType.AccessLoopEncapsulation, "Access-Loop-Encapsulation", AvpFormat.AccessLoopEncapsulation),
            Line(AccessLineAvpType.AncpAccessLineType, "ANCP-Access-Line-Type", AvpFormat.AccessLineType),
            Line(AccessLineAvpType.IwfSession, "IWF-Session", AvpFormat.InterworkingFunction),
        ];
    }

    // Windows sends a GUID in its ICRQ by which its own logs name the connection.
    private static AvpDefinition[] Vendors() =>
    [
        Row(MicrosoftCorrelationId, "Microsoft Correlation ID", AvpFormat.Octets, !M, H, None, MessageSet.Of(Icrq), 0),
    ];

    /// <summary>Vendor 311 attribute 1 in the ICRQ of Windows.</summary>
    public static AvpId MicrosoftCorrelationId => new(VendorId.Microsoft, 1);

    private static AvpDefinition?[] IndexIetf()
    {
        AvpDefinition[] rows = [.. All.Where(row => row.Id.Vendor == VendorId.Ietf)];
        var index = new AvpDefinition?[rows.Max(row => row.Id.Type) + 1];
        foreach (AvpDefinition row in rows)
        {
            index[row.Id.Type] = row;
        }

        return index;
    }

    private static ImmutableArray<AvpDefinition>[] IndexRequired()
    {
        var index = new ImmutableArray<AvpDefinition>[(int)Csurq + 1];
        for (int type = 0; type < index.Length; type++)
        {
            index[type] = [.. All.Where(row => row.Required.Contains((MessageType)type))];
        }

        return index;
    }
}
