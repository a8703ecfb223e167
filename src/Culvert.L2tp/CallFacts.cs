using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Reads what the messages of a call say about it (RFC 2661 sections 6.6 to 6.11).</summary>
internal static class CallFacts
{
    private const int GuidSize = 16;

    public static IncomingCall FromIcrq(in ControlMessage icrq) => new()
    {
        SerialNumber = icrq.TryGetUInt32(AvpType.CallSerialNumber, out uint serial) ? serial : 0,
        BearerType = NumberOf(icrq, AvpType.BearerType),
        PhysicalChannelId = NumberOf(icrq, AvpType.PhysicalChannelId),
        CalledNumber = AddressOf(icrq, AvpType.CalledNumber),
        CallingNumber = AddressOf(icrq, AvpType.CallingNumber),
        SubAddress = AddressOf(icrq, AvpType.SubAddress),
        CorrelationId = CorrelationOf(icrq),
        FramingType = 0,
        TxConnectSpeed = 0,
        AccessLine = AccessLine.Read(icrq),
        Atm = AtmOf(icrq),
        SendsSpeedUpdates = icrq.Contains(AvpType.ConnectSpeedUpdateEnable),
    };

    public static OutgoingCall FromOcrq(in ControlMessage ocrq) => new()
    {
        SerialNumber = NumberOf(ocrq, AvpType.CallSerialNumber) ?? 0,
        MinimumBps = NumberOf(ocrq, AvpType.MinimumBps) ?? 0,
        MaximumBps = NumberOf(ocrq, AvpType.MaximumBps) ?? 0,
        RxMinimumBps = NumberOf(ocrq, AvpType.RxMinimumBps),
        RxMaximumBps = NumberOf(ocrq, AvpType.RxMaximumBps),
        BearerType = NumberOf(ocrq, AvpType.BearerType) ?? 0,
        FramingType = NumberOf(ocrq, AvpType.FramingType) ?? 0,
        CalledNumber = AddressOf(ocrq, AvpType.CalledNumber) ?? string.Empty,
        SubAddress = AddressOf(ocrq, AvpType.SubAddress),
    };

    /// <summary>What is known of an outgoing call before it is connected.</summary>
    public static IncomingCall Of(OutgoingCall call) => new()
    {
        SerialNumber = call.SerialNumber,
        BearerType = call.BearerType,
        CalledNumber = call.CalledNumber,
        SubAddress = call.SubAddress,
        FramingType = 0,
        TxConnectSpeed = 0,
    };

    public static IncomingCall WithOcrp(IncomingCall call, in ControlMessage ocrp) =>
        NumberOf(ocrp, AvpType.PhysicalChannelId) is uint channel ? call with { PhysicalChannelId = channel } : call;

    /// <summary>Adds what an ICCN or OCCN says.</summary>
    public static IncomingCall WithConnected(IncomingCall call, in ControlMessage message) => call with
    {
        FramingType = NumberOf(message, AvpType.FramingType) ?? 0,
        TxConnectSpeed = NumberOf(message, AvpType.TxConnectSpeed) ?? 0,
        RxConnectSpeed = NumberOf(message, AvpType.RxConnectSpeed),
        PrivateGroupId = TextOf(message, AvpType.PrivateGroupId),
        SequencingRequired = message.Contains(AvpType.SequencingRequired),
        ProxyLcp = ProxyLcpOf(message),
        ProxyAuthentication = ProxyAuthenticationOf(message),
    };

    private static AtmCall? AtmOf(in ControlMessage message)
    {
        string? service = TextOf(message, AvpType.ServiceName);
        uint? channel = NumberOf(message, AvpType.VpiVciIdentifier);
        bool hasCategory = message.TryGetUInt16(AvpType.ServiceCategory, out ushort category);
        string? caller = message.TryGetBytes(AvpType.CallingSubAddress, out ReadOnlySpan<byte> octets) ? NsapAddress.Read(octets) : null;
        return service is null && channel is null && caller is null && !hasCategory ? null : new()
        {
            ServiceName = service,
            VpiVci = channel,
            CallingSubAddress = caller,
            IsRealTime = hasCategory ? (category & 1) != 0 : null,
        };
    }

    private static ProxyLcp? ProxyLcpOf(in ControlMessage message)
    {
        ReadOnlyMemory<byte>? initial = OptionsOf(message, AvpType.InitialReceivedLcpConfreq);
        ReadOnlyMemory<byte>? sent = OptionsOf(message, AvpType.LastSentLcpConfreq);
        ReadOnlyMemory<byte>? received = OptionsOf(message, AvpType.LastReceivedLcpConfreq);
        return initial is null && sent is null && received is null ? null : new(initial, sent, received);
    }

    // Written out, because null in a conditional expression would become empty memory.
    private static ReadOnlyMemory<byte>? OptionsOf(in ControlMessage message, AvpType type)
    {
        if (message.TryGetBytes(type, out ReadOnlySpan<byte> octets) && octets.Length <= ProxyLcp.OptionsLimit)
        {
            return octets.ToArray();
        }

        return null;
    }

    private static ProxyAuthentication? ProxyAuthenticationOf(in ControlMessage message)
    {
        if (!message.TryGetUInt16(AvpType.ProxyAuthenType, out ushort type))
        {
            return null;
        }

        return new()
        {
            Type = (ProxyAuthenType)type,
            Name = OctetsOf(message, AvpType.ProxyAuthenName),
            Challenge = OctetsOf(message, AvpType.ProxyAuthenChallenge),
            Id = message.TryGetUInt16(AvpType.ProxyAuthenId, out ushort id) ? (byte)id : null,
            Response = OctetsOf(message, AvpType.ProxyAuthenResponse),
        };
    }

    private static byte[] OctetsOf(in ControlMessage message, AvpType type) =>
        message.TryGetBytes(type, out ReadOnlySpan<byte> octets) && octets.Length <= ProxyAuthentication.TextLimit ? octets.ToArray() : [];

    private static uint? NumberOf(in ControlMessage message, AvpType type) => message.TryGetUInt32(type, out uint number) ? number : null;

    private static string? TextOf(in ControlMessage message, AvpType type) => message.TryGetBytes(type, out ReadOnlySpan<byte> octets)
        ? SafeText.ToString(octets[..Math.Min(octets.Length, IncomingCall.TextLimit)]) : null;

    // RFC 3301: another encoding for a broadband bearer. What is not one is kept as text, for peers that pay no heed to it.
    private static string? AddressOf(in ControlMessage message, AvpType type) =>
        NsapAddress.AppliesTo(NumberOf(message, AvpType.BearerType)) && message.TryGetBytes(type, out ReadOnlySpan<byte> octets) &&
            NsapAddress.Read(octets) is { } address ? address : TextOf(message, type);

    private static Guid? CorrelationOf(in ControlMessage message) =>
        message.TryGetBytes(AvpDefinitions.MicrosoftCorrelationId, out ReadOnlySpan<byte> octets) && octets.Length >= GuidSize
            ? new Guid(octets[..GuidSize]) : null;
}
