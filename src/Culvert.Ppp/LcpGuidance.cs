using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>
/// What an access concentrator says about the link that it ends (RFC 3437): what it would like this end to ask for, and what it is
/// able to do at all. Options that do not concern the concentrator (authentication, magic number) are left to this end.
/// </summary>
public sealed class LcpGuidance
{
    /// <param name="want">Option list of LCP Want Options (section 2.1); empty for none.</param>
    /// <param name="allow">Option list of LCP Allow Options (section 2.2); null when not said: then nothing is forbidden.</param>
    /// <remarks>A list that cannot be read as options counts as not said: nothing good can be concluded from it.</remarks>
    public LcpGuidance(ReadOnlySpan<byte> want, ReadOnlyMemory<byte>? allow)
    {
        Want = LcpLinkOptions.Read(want) ?? LcpLinkOptions.None;
        Allow = allow is { } list ? LcpLinkOptions.Read(list.Span) : null;
    }

    internal LcpLinkOptions Want { get; }

    /// <summary>Null: everything that this end knows.</summary>
    internal LcpLinkOptions? Allow { get; }
}

/// <summary>The options of LCP that matter to whoever ends the physical link (the tables of RFC 3437 section 2).</summary>
internal sealed record LcpLinkOptions
{
    public static LcpLinkOptions None { get; } = new();

    public ushort? Mru { get; private init; }

    public uint? Accm { get; private init; }

    public bool Pfc { get; private init; }

    public bool Acfc { get; private init; }

    /// <summary>FCS-Alternatives (RFC 1570 section 2.2): a set of bits.</summary>
    public byte? Fcs { get; private init; }

    /// <summary>Null when the list is malformed.</summary>
    public static LcpLinkOptions? Read(ReadOnlySpan<byte> options)
    {
        if (!PppOptionList.IsSound(options))
        {
            return null;
        }

        ushort? mru = null;
        uint? accm = null;
        byte? fcs = null;
        bool pfc = false;
        bool acfc = false;
        foreach (PppOption option in new PppOptionList(options))
        {
            switch (option.Type)
            {
                case LcpOption.MaximumReceiveUnit when option.TryGetUInt16(out ushort octets) && octets >= PppLinkSettings.MinMru:
                    mru = octets;
                    break;
                case LcpOption.AsyncControlCharacterMap when option.TryGetUInt32(out uint map):
                    accm = map;
                    break;
                case LcpOption.FcsAlternatives when option.Data.Length == 1:
                    fcs = option.Data[0];
                    break;
                case LcpOption.ProtocolFieldCompression:
                    pfc = true;
                    break;
                case LcpOption.AddressAndControlFieldCompression:
                    acfc = true;
                    break;
                default:
                    break;
            }
        }

        return new() { Mru = mru, Accm = accm, Fcs = fcs, Pfc = pfc, Acfc = acfc };
    }
}

/// <summary>What LCP agreed on, for the access concentrator that gave its <see cref="LcpGuidance"/> (RFC 3437 section 2.3).</summary>
/// <param name="LastSent">Options of this end's last Configure-Request.</param>
/// <param name="LastReceived">Options of the peer's last one.</param>
/// <param name="SendAccm">Characters that must be escaped in what goes to the peer.</param>
/// <param name="ReceiveAccm">Characters that the peer escapes.</param>
public sealed record LcpAgreement(ReadOnlyMemory<byte> LastSent, ReadOnlyMemory<byte> LastReceived, uint SendAccm, uint ReceiveAccm)
{
    /// <summary>RFC 1662 section 7.1: without the option, all control characters.</summary>
    private const uint DefaultAccm = uint.MaxValue;

    /// <summary>
    /// Whether the access concentrator has to do anything that it did not do under <paramref name="earlier"/>. The rest (magic numbers,
    /// authentication), which is another each time, does not concern it.
    /// </summary>
    public bool IsNewsAfter(LcpAgreement? earlier) =>
        earlier is null
        || (SendAccm, ReceiveAccm) != (earlier.SendAccm, earlier.ReceiveAccm)
        || LcpLinkOptions.Read(LastSent.Span) != LcpLinkOptions.Read(earlier.LastSent.Span)
        || LcpLinkOptions.Read(LastReceived.Span) != LcpLinkOptions.Read(earlier.LastReceived.Span);

    internal static LcpAgreement Of(byte[] sent, byte[] received) => new(
        sent, received, LcpLinkOptions.Read(received)?.Accm ?? DefaultAccm, LcpLinkOptions.Read(sent)?.Accm ?? DefaultAccm);
}
