using System.Buffers.Binary;
using System.Text;

namespace Culvert.L2tp.Wire;

/// <summary>Shows the value of an AVP by the format that <see cref="AvpDefinitions"/> gives it. Never throws.</summary>
public static class AvpPrinter
{
    // As much of a value as helps a reader of a log; the rest is counted.
    private const int MaximumOctetsShown = 64;
    private const int MaximumTextShown = 256;

    private static readonly string?[] ProxyAuthenTypes = [null, "textual", "CHAP", "PAP", "none", "MSCHAPv1"];
    private static readonly string[] CallErrorFields =
        ["CRC", "framing", "hardware overruns", "buffer overruns", "time-outs", "alignment"];
    private static readonly string?[] LineTypes = [null, "ADSL1", "ADSL2", "ADSL2+", "VDSL1", "VDSL2", "SDSL", "unknown"];
    private static readonly string?[] DisconnectDirections = ["global", "at peer", "at local"];

    private static readonly string?[] HoldTimes =
        [null, "10s", "20s", "30s", "40s", "1m", "2m", "3m", "4m", "6m", "8m", "12m", "16m", "no limit"];

    /// <summary>Appends the value of an AVP, or what is wrong with it.</summary>
    /// <param name="message">The message that it stands in: a Result Code means different things in different messages.</param>
    public static void AppendValue(StringBuilder text, in Avp avp, MessageType message)
    {
        if (avp.IsHidden)
        {
            text.Append($"hidden, {avp.Value.Length} octets");
            return;
        }

        AvpFormat format = AvpDefinitions.Find(avp.Id)?.Format ?? AvpFormat.Octets;
        if (!format.Allows(avp.Value.Length))
        {
            text.Append($"wrong length {avp.Value.Length}: ");
            AppendHex(text, format == AvpFormat.Secret ? default : avp.Value);
            return;
        }

        AppendFormatted(text, format, avp.Value, message);
    }

    private static void AppendFormatted(StringBuilder text, AvpFormat format, ReadOnlySpan<byte> value, MessageType message)
    {
        switch (format)
        {
            case AvpFormat.Text or AvpFormat.NonEmptyText:
                SafeText.AppendQuoted(text, value, MaximumTextShown);
                break;
            case AvpFormat.Secret or AvpFormat.ChallengeResponse:
                text.Append($"{value.Length} octets");
                break;
            case AvpFormat.MessageType:
                text.Append(((MessageType)Word(value)).Name());
                break;
            case AvpFormat.ResultCode:
                AppendResultCode(text, message, value);
                break;
            case AvpFormat.Q931Cause:
                text.Append($"cause {Word(value)}, message {value[2]}");
                AppendAdvisory(text, value[3..]);
                break;
            case AvpFormat.CallErrors:
                AppendCallErrors(text, value[2..]);
                break;
            case AvpFormat.PppDisconnectCause:
                text.Append($"code {Word(value)}, protocol 0x{Word(value[2..]):x4}, {Pick(DisconnectDirections, value[4])}");
                AppendAdvisory(text, value[5..]);
                break;
            case AvpFormat.ConnectSpeedUpdate:
                text.Append($"session {Word(value[2..])}, tx {DoubleWord(value[4..])} bps, rx {DoubleWord(value[8..])} bps");
                break;
            case AvpFormat.AccessLoopEncapsulation:
                text.Append($"data link {value[0]}, encapsulation {value[1]}, {value[2]}");
                break;
            default:
                AppendNumber(text, format, value);
                break;
        }
    }

    private static void AppendNumber(StringBuilder text, AvpFormat format, ReadOnlySpan<byte> value)
    {
        _ = format switch
        {
            AvpFormat.Empty => text,
            AvpFormat.Number16 => text.Append(Word(value)),
            AvpFormat.Number32 => text.Append(DoubleWord(value)),
            AvpFormat.Number64 => text.Append($"0x{BinaryPrimitives.ReadUInt64BigEndian(value):x16}"),
            AvpFormat.ProtocolVersion => text.Append($"{value[0]}.{value[1]}"),
            AvpFormat.FramingMask => AppendMask(text, DoubleWord(value), "sync", "async", null),
            AvpFormat.BearerMask => AppendMask(text, DoubleWord(value), "digital", "analog", "broadband"),
            AvpFormat.ProxyAuthenType => text.Append(Pick(ProxyAuthenTypes, Word(value))),
            AvpFormat.ProxyAuthenId => text.Append(value[1]),
            AvpFormat.Accm => text.Append($"send 0x{DoubleWord(value[2..]):x8}, receive 0x{DoubleWord(value[6..]):x8}"),
            AvpFormat.ServiceCategory => text.Append((value[1] & 1) != 0 ? "real time" : "non-real time"),
            AvpFormat.VpiVci => text.Append($"VPI {Word(value) & 0xFFF}, VCI {Word(value[2..])}"),
            AvpFormat.PerHopBehavior => text.Append($"PHB 0x{Word(value):x4}"),
            AvpFormat.ModemOnHoldStatus => AppendHoldStatus(text, Word(value)),
            AvpFormat.FailoverCapability => AppendFailover(text, value),
            AvpFormat.IdentifierPair => text.Append($"{DoubleWord(value[2..])}, remote {DoubleWord(value[6..])}"),
            AvpFormat.SequencePair => text.Append($"Ns {Word(value[2..])}, Nr {Word(value[4..])}"),
            AvpFormat.DataRate => text.Append($"{BinaryPrimitives.ReadUInt64BigEndian(value)} bps"),
            AvpFormat.Delay => text.Append($"{DoubleWord(value)} ms"),
            AvpFormat.AccessLineType => text.Append(Pick(LineTypes, value[0])),
            AvpFormat.InterworkingFunction => text.Append(DoubleWord(value) != 0 ? "performed" : "not performed"),
            _ => AppendHex(text, value),
        };
    }

    private static void AppendResultCode(StringBuilder text, MessageType message, ReadOnlySpan<byte> value)
    {
        _ = ResultCodeValue.TryRead(message, value, out ResultCodeValue code);
        text.Append($"{code.Result} {ResultCodes.Describe(message, code.Result)}");
        if (code.HasError)
        {
            bool isVersion = message == MessageType.StopCcn && (StopCcnResult)code.Result == StopCcnResult.UnsupportedProtocolVersion;
            text.Append($", error {(ushort)code.Error} {(isVersion ? "highest version supported" : code.Error.Describe())}");
        }

        AppendAdvisory(text, code.Message);
        if (code.IsByteSwapped)
        {
            text.Append(", byte-swapped by the peer");
        }
    }

    private static void AppendAdvisory(StringBuilder text, ReadOnlySpan<byte> message)
    {
        if (!message.IsEmpty)
        {
            text.Append(", ");
            SafeText.AppendQuoted(text, message, MaximumTextShown);
        }
    }

    private static void AppendCallErrors(StringBuilder text, ReadOnlySpan<byte> counters)
    {
        for (int i = 0; i < CallErrorFields.Length; i++)
        {
            text.Append($"{(i == 0 ? string.Empty : ", ")}{CallErrorFields[i]} {DoubleWord(counters[(4 * i)..])}");
        }
    }

    private static StringBuilder AppendHoldStatus(StringBuilder text, ushort status) =>
        (status & 0x8000) == 0 ? text.Append("online") : text.Append($"on hold, {Pick(HoldTimes, status & 15)}");

    private static StringBuilder AppendFailover(StringBuilder text, ReadOnlySpan<byte> value) =>
        AppendMask(text, Word(value), "control", "data", null).Append($", recovery {DoubleWord(value[2..])} ms");

    private static StringBuilder AppendMask(StringBuilder text, uint mask, string first, string second, string? third)
    {
        if (mask == 0)
        {
            return text.Append("none");
        }

        string separator = string.Empty;
        foreach (string? name in (ReadOnlySpan<string?>)[first, second, third])
        {
            if ((mask & 1) != 0 && name is not null)
            {
                text.Append(separator).Append(name);
                separator = "+";
            }

            mask = name is null ? mask : mask >> 1;
        }

        return mask == 0 ? text : text.Append(separator).Append("reserved bits");
    }

    private static StringBuilder AppendHex(StringBuilder text, ReadOnlySpan<byte> value)
    {
        int shown = Math.Min(value.Length, MaximumOctetsShown);
        text.Append(Convert.ToHexStringLower(value[..shown]));
        return shown == value.Length ? text : text.Append($"...(+{value.Length - shown})");
    }

    private static string Pick(string?[] names, int number) => (number < names.Length ? names[number] : null) ?? $"reserved {number}";

    private static ushort Word(ReadOnlySpan<byte> value) => BinaryPrimitives.ReadUInt16BigEndian(value);

    private static uint DoubleWord(ReadOnlySpan<byte> value) => BinaryPrimitives.ReadUInt32BigEndian(value);
}
