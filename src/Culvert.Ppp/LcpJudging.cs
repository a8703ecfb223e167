using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>What is agreed to of the options that the peer asks for (RFC 1661 section 6).</summary>
internal sealed partial class Lcp
{
    protected override void JudgeAll(ReadOnlySpan<byte> options, ref WireWriter nak, ref WireWriter reject)
    {
        if (!IsOwnRequest(options))
        {
            base.JudgeAll(options, ref nak, ref reject);
            return;
        }

        // RFC 1661 section 6.4: only another magic number tells a loop from a coincidence; judging one's own wishes tells nothing.
        _loopEvidence++;
        nak.WriteOption(LcpOption.MagicNumber, NewMagic());
    }

    protected override OptionVerdict Judge(in PppOption option, ref WireWriter nak) => option.Type switch
    {
        LcpOption.MaximumReceiveUnit => JudgeMru(option, ref nak),
        LcpOption.AsyncControlCharacterMap => JudgeAccm(option, ref nak),
        LcpOption.AuthenticationProtocol => JudgeAuthentication(option, ref nak),
        LcpOption.MagicNumber => JudgeMagic(option, ref nak),
        LcpOption.ProtocolFieldCompression =>
            option.Data.IsEmpty && Guidance?.Allow is not { Pfc: false } ? OptionVerdict.Acceptable : OptionVerdict.Reject,
        LcpOption.AddressAndControlFieldCompression =>
            option.Data.IsEmpty && Guidance?.Allow is not { Acfc: false } ? OptionVerdict.Acceptable : OptionVerdict.Reject,
        LcpOption.FcsAlternatives => JudgeFcs(option, ref nak),

        // MRRU above all: to acknowledge it is to promise multilink (RFC 1990 section 5.1.1).
        _ => OptionVerdict.Reject,
    };

    private static OptionVerdict JudgeMru(in PppOption option, ref WireWriter nak)
    {
        if (option.TryGetUInt16(out ushort mru) && mru >= PppLinkSettings.MinMru)
        {
            return OptionVerdict.Acceptable;
        }

        nak.WriteOption(LcpOption.MaximumReceiveUnit, DefaultMru);
        return OptionVerdict.Nak;
    }

    // RFC 3437 section 2.2: an option that the concentrator does not allow is one that its line cannot do.
    private OptionVerdict JudgeAccm(in PppOption option, ref WireWriter nak)
    {
        if (!option.TryGetUInt32(out uint map) || Guidance?.Allow is { Accm: null })
        {
            return OptionVerdict.Reject;
        }

        uint allowed = Guidance?.Allow?.Accm ?? uint.MaxValue;
        if ((map & ~allowed) == 0)
        {
            return OptionVerdict.Acceptable;
        }

        if (!MayNak)
        {
            return OptionVerdict.Reject;
        }

        nak.WriteOption(LcpOption.AsyncControlCharacterMap, allowed);
        return OptionVerdict.Nak;
    }

    // The checksum is the concentrator's, so nothing is known of it unless the concentrator says so.
    private OptionVerdict JudgeFcs(in PppOption option, ref WireWriter nak)
    {
        if (option.Data.Length != 1 || Guidance?.Allow?.Fcs is not byte allowed)
        {
            return OptionVerdict.Reject;
        }

        byte asked = option.Data[0];
        if ((asked & ~allowed) == 0)
        {
            return OptionVerdict.Acceptable;
        }

        if (!MayNak || (asked & allowed) == 0)
        {
            return OptionVerdict.Reject;
        }

        nak.WriteByteOption(LcpOption.FcsAlternatives, (byte)(asked & allowed));
        return OptionVerdict.Nak;
    }

    /// <summary>
    /// The peer wants this end to show who it is. A method that is not accepted (SoftEther asks for EAP first) is answered with the
    /// next one that is, round by round.
    /// </summary>
    private OptionVerdict JudgeAuthentication(in PppOption option, ref WireWriter nak)
    {
        if (_settings.Credentials is null || _settings.AcceptedMethods.IsDefaultOrEmpty)
        {
            return OptionVerdict.Reject;
        }

        if (AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method) && _settings.AcceptedMethods.Contains(method))
        {
            return OptionVerdict.Acceptable;
        }

        if (!MayNak)
        {
            return OptionVerdict.Reject;
        }

        AuthenticationMethod proposal = _settings.AcceptedMethods[NaksSent % _settings.AcceptedMethods.Length];
        nak.WriteOption(LcpOption.AuthenticationProtocol, proposal.OptionData());
        return OptionVerdict.Nak;
    }

    /// <summary>
    /// RFC 1661 section 6.4. Zero is illegal in the option (it gets a Nak, later a Reject) but says nothing about a loop: peers
    /// without a magic number send it.
    /// </summary>
    private OptionVerdict JudgeMagic(in PppOption option, ref WireWriter nak)
    {
        if (!option.TryGetUInt32(out uint magic))
        {
            return OptionVerdict.Reject;
        }

        if (magic != 0)
        {
            return OptionVerdict.Acceptable;
        }

        if (!MayNak)
        {
            return OptionVerdict.Reject;
        }

        nak.WriteOption(LcpOption.MagicNumber, NewMagic());
        return OptionVerdict.Nak;
    }

    private bool IsOwnRequest(ReadOnlySpan<byte> options)
    {
        foreach (PppOption option in new PppOptionList(options))
        {
            if (option.Type == LcpOption.MagicNumber && option.TryGetUInt32(out uint magic))
            {
                return magic != 0 && magic == CurrentMagic;
            }
        }

        return false;
    }
}
