using System.Buffers.Binary;
using System.Globalization;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Server.Control;
using Culvert.Subscribers;

namespace Culvert.Server;

/// <summary>Everything that is known of a call's line (RFC 5515, RFC 3301), and of the call itself once it has ended.</summary>
internal static class LineFacts
{
    public static IReadOnlyList<FactRow> Of(LifeStory life)
    {
        var facts = new List<FactRow>();
        IncomingCall? call = life.Session?.Call ?? life.EndedCall;
        if (life.EndedCall is { } ended)
        {
            Add(facts, "serial-number", ended.SerialNumber == 0 ? null : ended.SerialNumber.ToString(CultureInfo.InvariantCulture));
            Add(facts, "calling-number", ended.CallingNumber);
            Add(facts, "called-number", ended.CalledNumber);
            Add(facts, "tx-speed", ended.TxConnectSpeed == 0 ? null : ended.TxConnectSpeed.ToString(CultureInfo.InvariantCulture));
            Add(facts, "rx-speed", ended.RxConnectSpeed?.ToString(CultureInfo.InvariantCulture));
        }

        if (life.Cause is { } cause)
        {
            Add(facts, "result", cause.Result == 0 ? null : $"{cause.Result} {ResultCodes.Describe(cause.Carrier, cause.Result)}");
            Add(facts, "error", cause.Error == ErrorCode.None ? null : $"{(ushort)cause.Error} {cause.Error.Describe()}");
            Add(facts, "ppp-cause", cause.PppCause?.ToString());
            Add(facts, "q931-cause", cause.Q931?.ToString());
        }

        Add(facts, "private-group", call?.PrivateGroupId);
        Add(facts, "physical-channel", call?.PhysicalChannelId?.ToString(CultureInfo.InvariantCulture));
        Add(facts, "correlation-id", call?.CorrelationId?.ToString());
        Add(facts, "atm-service", call?.Atm?.ServiceName);
        Add(facts, "atm-vpi-vci", call?.Atm?.VpiVci?.ToString("x8", CultureInfo.InvariantCulture));
        if (call?.AccessLine is { } line)
        {
            AddLine(facts, line);
        }

        return facts;
    }

    private static void AddLine(List<FactRow> facts, AccessLine line)
    {
        foreach (AccessLineAvpType type in Enum.GetValues<AccessLineAvpType>())
        {
            if (line.TryGet(type, out ReadOnlySpan<byte> value))
            {
                facts.Add(new FactRow(NodeNames.Kebab(type.ToString()), Text(type, value)));
            }
        }
    }

    /// <summary>A per-hop behaviour code in words: "dscp 48", or the code where it names no DSCP (RFC 3140 section 2).</summary>
    public static string? Phb(ushort? code) => code is not { } phb ? null : (phb & 0x03FF) == 0 ? $"dscp {phb >> 10}" : $"phb {phb:x4}";

    private static void Add(List<FactRow> facts, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            facts.Add(new FactRow(name, value));
        }
    }

    private static string Text(AccessLineAvpType type, ReadOnlySpan<byte> value) => (type, value.Length) switch
    {
        (AccessLineAvpType.AgentCircuitId or AccessLineAvpType.AgentRemoteId, _) => SafeText.ToString(value),
        (_, sizeof(ulong)) => BinaryPrimitives.ReadUInt64BigEndian(value).ToString(CultureInfo.InvariantCulture),
        (_, sizeof(uint)) => BinaryPrimitives.ReadUInt32BigEndian(value).ToString(CultureInfo.InvariantCulture),
        (AccessLineAvpType.IwfSession, 0) => "yes",
        _ => Convert.ToHexStringLower(value),
    };
}
