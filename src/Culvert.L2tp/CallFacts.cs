using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Reads what ICRQ and ICCN say about a call (RFC 2661 sections 6.6 and 6.8).</summary>
internal static class CallFacts
{
    private const int GuidSize = 16;

    public static IncomingCall FromIcrq(in ControlMessage icrq) => new()
    {
        SerialNumber = icrq.TryGetUInt32(AvpType.CallSerialNumber, out uint serial) ? serial : 0,
        BearerType = NumberOf(icrq, AvpType.BearerType),
        PhysicalChannelId = NumberOf(icrq, AvpType.PhysicalChannelId),
        CalledNumber = TextOf(icrq, AvpType.CalledNumber),
        CallingNumber = TextOf(icrq, AvpType.CallingNumber),
        SubAddress = TextOf(icrq, AvpType.SubAddress),
        CorrelationId = CorrelationOf(icrq),
        FramingType = 0,
        TxConnectSpeed = 0,
    };

    public static IncomingCall WithIccn(IncomingCall call, in ControlMessage iccn) => call with
    {
        FramingType = NumberOf(iccn, AvpType.FramingType) ?? 0,
        TxConnectSpeed = NumberOf(iccn, AvpType.TxConnectSpeed) ?? 0,
        RxConnectSpeed = NumberOf(iccn, AvpType.RxConnectSpeed),
        PrivateGroupId = TextOf(iccn, AvpType.PrivateGroupId),
        SequencingRequired = iccn.Contains(AvpType.SequencingRequired),
    };

    private static uint? NumberOf(in ControlMessage message, AvpType type) => message.TryGetUInt32(type, out uint number) ? number : null;

    private static string? TextOf(in ControlMessage message, AvpType type) => message.TryGetBytes(type, out ReadOnlySpan<byte> octets)
        ? SafeText.ToString(octets[..Math.Min(octets.Length, IncomingCall.TextLimit)]) : null;

    private static Guid? CorrelationOf(in ControlMessage message) =>
        message.TryGetBytes(AvpDefinitions.MicrosoftCorrelationId, out ReadOnlySpan<byte> octets) && octets.Length >= GuidSize
            ? new Guid(octets[..GuidSize]) : null;
}
