using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>
/// Going on with what an access concentrator negotiated (RFC 2661 section 4.4.5). A missing MRU, a missing magic number, any ACCM, ACFC
/// or PFC are no reason to begin anew: this end can live with each of them, and a second negotiation costs the subscriber seconds.
/// </summary>
internal sealed partial class Lcp
{
    /// <summary>Why this end cannot go on with what was agreed on, in words; null when it can.</summary>
    public string? JudgeProxied(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> received)
    {
        if (!PppOptionList.IsSound(sent) || !PppOptionList.IsSound(received))
        {
            return "the proxied options are malformed";
        }

        return JudgeRepetition(sent) ?? JudgeRepetition(received) ?? JudgeProxiedPeer(received) ?? JudgeProxiedLocal(sent);
    }

    /// <summary>How the access concentrator asked the peer to show who it is; null when it did not, or in a way unknown here.</summary>
    public static AuthenticationMethod? MethodIn(ReadOnlySpan<byte> sent)
    {
        foreach (PppOption option in new PppOptionList(sent))
        {
            if (option.Type == LcpOption.AuthenticationProtocol)
            {
                return AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method) ? method : null;
            }
        }

        return null;
    }

    /// <summary>Opened at once, with options that <see cref="JudgeProxied"/> found good. Call it instead of Up.</summary>
    public void TakeOver(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> received, Timestamp now)
    {
        BeginRequest();
        _wanted = Wanted.None;
        foreach (PppOption option in new PppOptionList(sent))
        {
            TakeLocalOption(option);
        }

        TakePeerOptions(received);
        _peerOptions = null;
        EnterOpened(now);
    }

    private void TakeLocalOption(in PppOption option)
    {
        switch (option.Type)
        {
            case LcpOption.MaximumReceiveUnit when option.TryGetUInt16(out ushort mru):
                _wanted |= Wanted.Mru;
                _localMru = mru;
                break;
            case LcpOption.AuthenticationProtocol
                when AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method)
                && _settings.AuthenticatePeer.IndexOf(method) is >= 0 and int index:
                _wanted |= Wanted.Authentication;
                _methodIndex = (byte)index;
                break;
            case LcpOption.MagicNumber when option.TryGetUInt32(out uint magic) && magic != 0:
                _wanted |= Wanted.Magic;
                _localMagic = magic;
                break;
            case LcpOption.ProtocolFieldCompression:
                _wanted |= Wanted.Pfc;
                break;
            case LcpOption.AddressAndControlFieldCompression:
                _wanted |= Wanted.Acfc;
                break;
            default:
                break;
        }
    }

    /// <summary>No option here may be listed twice (RFC 1661 section 6), and which of two was meant is not known.</summary>
    private static string? JudgeRepetition(ReadOnlySpan<byte> options)
    {
        Span<bool> seen = stackalloc bool[byte.MaxValue + 1];
        seen.Clear();
        foreach (PppOption option in new PppOptionList(options))
        {
            if (seen[option.Type])
            {
                return $"{OptionTable.NameOf(PppProtocol.Lcp, option.Type)} is there more than once";
            }

            seen[option.Type] = true;
        }

        return null;
    }

    /// <summary>The peer's options: this end must be able to keep what the concentrator promised.</summary>
    private static string? JudgeProxiedPeer(ReadOnlySpan<byte> received)
    {
        foreach (PppOption option in new PppOptionList(received))
        {
            switch (option.Type)
            {
                case LcpOption.MaximumReceiveUnit when !option.TryGetUInt16(out ushort mru) || mru < PppLinkSettings.MinMru:
                    return "the peer's MRU is too small";
                case LcpOption.AuthenticationProtocol:
                    return "the peer wants to be shown who is here, and nobody knows whether it was";
                case LcpOption.MaximumReceiveUnit:
                case LcpOption.MagicNumber:
                case LcpOption.ProtocolFieldCompression:
                case LcpOption.AddressAndControlFieldCompression:
                case var type when ConcernsOnlyTheLine(type):
                    break;
                default:
                    return $"the peer was promised {OptionTable.NameOf(PppProtocol.Lcp, option.Type)}";
            }
        }

        return null;
    }

    /// <summary>The concentrator's options: what it told the peer about this end must be true of this end.</summary>
    private string? JudgeProxiedLocal(ReadOnlySpan<byte> sent)
    {
        bool isAuthenticated = false;
        foreach (PppOption option in new PppOptionList(sent))
        {
            switch (option.Type)
            {
                case LcpOption.MaximumReceiveUnit:
                    if (!option.TryGetUInt16(out ushort mru) || mru < PppLinkSettings.MinMru || mru > _settings.ProxiedMruLimit)
                    {
                        return $"MRU {mru} is not between {PppLinkSettings.MinMru} and {_settings.ProxiedMruLimit}";
                    }

                    break;
                case LcpOption.AuthenticationProtocol:
                    if (_settings.AuthenticatePeer.IsDefault
                        || !AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method)
                        || !_settings.AuthenticatePeer.Contains(method))
                    {
                        return $"{PppPrinter.DescribeAuthentication(option.Data)} is not among the accepted authentication methods";
                    }

                    isAuthenticated = true;
                    break;
                case LcpOption.MagicNumber:
                case LcpOption.ProtocolFieldCompression:
                case LcpOption.AddressAndControlFieldCompression:
                case var type when ConcernsOnlyTheLine(type):
                    break;
                default:
                    return $"{OptionTable.NameOf(PppProtocol.Lcp, option.Type)} is unknown here";
            }
        }

        return isAuthenticated || _settings.AuthenticatePeer.IsDefaultOrEmpty ? null : "the peer was not asked to authenticate";
    }

    /// <summary>
    /// Escaping and checksums end at the concentrator; a discriminator alone has no effect, since multilink would need MRRU too.
    /// </summary>
    private static bool ConcernsOnlyTheLine(byte type) =>
        type is LcpOption.AsyncControlCharacterMap or LcpOption.FcsAlternatives or LcpOption.EndpointDiscriminator;
}
