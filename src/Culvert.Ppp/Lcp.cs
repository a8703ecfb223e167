using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>What LCP tells the link beyond what every protocol does.</summary>
internal interface ILcpHost : INegotiationHost
{
    void ProtocolRejected(PppProtocol protocol, Timestamp now);

    void Identified(ReadOnlySpan<byte> text);

    /// <summary>The peer does not know Echo-Request: it cannot be asked whether it is there.</summary>
    void EchoRefused();
}

/// <summary>The Link Control Protocol (RFC 1661 sections 5 and 6, RFC 1570 section 2).</summary>
internal sealed partial class Lcp : ControlProtocol
{
    private const ushort DefaultMru = 1500;

    /// <summary>Own magic numbers seen coming back before the link counts as looped (by chance: once in 2^32 each).</summary>
    private const int LoopEvidence = 5;

    private readonly ILcpHost _host;
    private readonly PppLinkSettings _settings;
    private readonly IRandomSource _random;

    /// <summary>Options of the next Configure-Request: those that the peer rejected are gone.</summary>
    private Wanted _wanted;
    private uint _localMagic;
    private ushort _localMru = DefaultMru;
    private byte[]? _peerOptions;
    private uint _localAccm;
    private byte _localFcs;
    private byte _methodIndex;
    private byte _loopEvidence;

    public Lcp(ILcpHost host, PppLinkSettings settings, IRandomSource random)
        : base(host)
    {
        _host = host;
        _settings = settings;
        _random = random;
    }

    [Flags]
    private enum Wanted : byte
    {
        None = 0,
        Mru = 1,
        Authentication = 2,
        Magic = 4,
        Pfc = 8,
        Acfc = 16,
        Accm = 32,
        Fcs = 64,
    }

    public override PppProtocol Protocol => PppProtocol.Lcp;

    public override string Name => "LCP";

    /// <summary>Largest information field that the peer takes.</summary>
    public ushort PeerMru { get; private set; } = DefaultMru;

    /// <summary>Largest information field that the peer was told to send.</summary>
    public ushort LocalMru => (_wanted & Wanted.Mru) != 0 ? _localMru : DefaultMru;

    /// <summary>How the peer said that it can be written to.</summary>
    public PppFraming TransmitFraming { get; private set; }

    /// <summary>How the peer has to show who it is; null: not at all.</summary>
    public AuthenticationMethod? PeerMethod =>
        (_wanted & Wanted.Authentication) != 0 ? _settings.AuthenticatePeer[_methodIndex] : null;

    /// <summary>How this end has to show who it is; null: not at all.</summary>
    public AuthenticationMethod? LocalMethod { get; private set; }

    /// <summary>What the access concentrator wants and allows (RFC 3437); null when it says nothing.</summary>
    public LcpGuidance? Guidance { get; set; }

    /// <summary>What was negotiated under <see cref="Guidance"/>, once; null when nothing was, or without guidance.</summary>
    public LcpAgreement? TakeAgreement()
    {
        if (Guidance is null || _peerOptions is not { } received)
        {
            return null;
        }

        _peerOptions = null;
        Span<byte> buffer = stackalloc byte[256];
        var options = new WireWriter(buffer);
        WriteRequest(ref options);
        return LcpAgreement.Of(options.Written.ToArray(), received);
    }

    public void SendEchoRequest()
    {
        Span<byte> magic = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(magic, CurrentMagic);
        Host.Send(Protocol, ControlCode.EchoRequest, NextIdentifier(), magic);
    }

    public void SendProtocolReject(PppProtocol protocol, ReadOnlySpan<byte> information)
    {
        // RFC 1661 section 5.7: the information is cut so that the packet fits the peer's MRU.
        Span<byte> data = stackalloc byte[64];
        BinaryPrimitives.WriteUInt16BigEndian(data, (ushort)protocol);
        ReadOnlySpan<byte> copied = information[..Math.Min(information.Length, data.Length - 2)];
        copied.CopyTo(data[2..]);
        Host.Send(Protocol, ControlCode.ProtocolReject, NextIdentifier(), data[..(2 + copied.Length)]);
    }

    protected override void BeginRequest()
    {
        _wanted = Wanted.Magic;
        _wanted |= _settings.Mru != DefaultMru ? Wanted.Mru : Wanted.None;
        _wanted |= _settings.AuthenticatePeer.IsDefaultOrEmpty ? Wanted.None : Wanted.Authentication;
        _wanted |= _settings.RequestPfc ? Wanted.Pfc : Wanted.None;
        _wanted |= _settings.RequestAcfc ? Wanted.Acfc : Wanted.None;
        _localMru = _settings.Mru;
        _methodIndex = 0;
        if (Guidance is { } guidance)
        {
            FollowWishes(guidance.Want);
        }

        ChooseMagic();
    }

    // RFC 3437 section 2.1: the first request is built from what the concentrator wants; a smaller MRU may be asked for.
    private void FollowWishes(LcpLinkOptions want)
    {
        _wanted |= want.Pfc ? Wanted.Pfc : Wanted.None;
        _wanted |= want.Acfc ? Wanted.Acfc : Wanted.None;
        if (want.Mru is ushort mru)
        {
            _wanted |= Wanted.Mru;
            _localMru = Math.Min(mru, _settings.Mru);
        }

        if (want.Accm is uint accm)
        {
            _wanted |= Wanted.Accm;
            _localAccm = accm;
        }

        if (want.Fcs is byte fcs)
        {
            _wanted |= Wanted.Fcs;
            _localFcs = fcs;
        }
    }

    protected override void WriteRequest(ref WireWriter options)
    {
        if ((_wanted & Wanted.Mru) != 0)
        {
            options.WriteOption(LcpOption.MaximumReceiveUnit, _localMru);
        }

        if ((_wanted & Wanted.Accm) != 0)
        {
            options.WriteOption(LcpOption.AsyncControlCharacterMap, _localAccm);
        }

        if ((_wanted & Wanted.Authentication) != 0)
        {
            options.WriteOption(LcpOption.AuthenticationProtocol, _settings.AuthenticatePeer[_methodIndex].OptionData());
        }

        if ((_wanted & Wanted.Magic) != 0)
        {
            options.WriteOption(LcpOption.MagicNumber, _localMagic);
        }

        if ((_wanted & Wanted.Pfc) != 0)
        {
            options.WriteOption(LcpOption.ProtocolFieldCompression);
        }

        if ((_wanted & Wanted.Acfc) != 0)
        {
            options.WriteOption(LcpOption.AddressAndControlFieldCompression);
        }

        if ((_wanted & Wanted.Fcs) != 0)
        {
            options.WriteByteOption(LcpOption.FcsAlternatives, _localFcs);
        }
    }

    protected override void TakePeerOptions(ReadOnlySpan<byte> options)
    {
        PeerMru = DefaultMru;
        LocalMethod = null;
        bool pfc = false;
        bool acfc = false;
        foreach (PppOption option in new PppOptionList(options))
        {
            switch (option.Type)
            {
                case LcpOption.MaximumReceiveUnit when option.TryGetUInt16(out ushort mru):
                    PeerMru = mru;
                    break;
                case LcpOption.AuthenticationProtocol
                    when AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method):
                    LocalMethod = method;
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

        TransmitFraming = new PppFraming(acfc, pfc);
        if (Guidance is { } guidance)
        {
            _peerOptions = options.ToArray();
            PeerMru = Math.Min(PeerMru, guidance.Allow?.Mru ?? PeerMru);
        }
    }

    protected override void TakeNak(in PppOption option, Timestamp now)
    {
        switch (option.Type)
        {
            case LcpOption.MaximumReceiveUnit when option.TryGetUInt16(out ushort mru):
                // Up to the default anything can be received at all times (RFC 1661 section 6.1), so there is nothing to haggle over.
                if (mru is >= PppLinkSettings.MinMru and <= DefaultMru)
                {
                    _wanted |= Wanted.Mru;
                    _localMru = mru;
                }

                break;
            case LcpOption.AuthenticationProtocol when (_wanted & Wanted.Authentication) != 0:
                TakeAuthenticationNak(option, now);
                break;
            case LcpOption.MagicNumber:
                ChooseMagic();
                break;
            case LcpOption.AsyncControlCharacterMap when option.TryGetUInt32(out uint accm):
                // A Nak names characters that the peer needs escaped as well (RFC 1662 section 7.1).
                _localAccm |= accm;
                break;
            case LcpOption.FcsAlternatives:
                _wanted &= ~Wanted.Fcs;
                break;
            case LcpOption.ProtocolFieldCompression:
                _wanted &= ~Wanted.Pfc;
                break;
            case LcpOption.AddressAndControlFieldCompression:
                _wanted &= ~Wanted.Acfc;
                break;
            default:
                break;
        }
    }

    protected override void TakeReject(in PppOption option, Timestamp now)
    {
        switch (option.Type)
        {
            case LcpOption.AuthenticationProtocol when (_wanted & Wanted.Authentication) != 0:
                Host.NegotiationFailed(this, LinkCloseReason.AuthenticationRefused, "the peer refuses to authenticate at all", now);
                break;
            case LcpOption.MaximumReceiveUnit:
                _wanted &= ~Wanted.Mru;
                break;
            case LcpOption.MagicNumber:
                _wanted &= ~Wanted.Magic;
                break;
            case LcpOption.AsyncControlCharacterMap:
                _wanted &= ~Wanted.Accm;
                break;
            case LcpOption.FcsAlternatives:
                _wanted &= ~Wanted.Fcs;
                break;
            case LcpOption.ProtocolFieldCompression:
                _wanted &= ~Wanted.Pfc;
                break;
            case LcpOption.AddressAndControlFieldCompression:
                _wanted &= ~Wanted.Acfc;
                break;
            default:
                break;
        }
    }

    protected override bool TryReceiveOther(in ControlPacket packet, Timestamp now)
    {
        switch (packet.Code)
        {
            case ControlCode.ProtocolReject:
                // Discarded in any other state (RFC 1661 section 5.7).
                if (IsOpened && BinaryPrimitives.TryReadUInt16BigEndian(packet.Data, out ushort protocol))
                {
                    _host.ProtocolRejected((PppProtocol)protocol, now);
                }

                return true;
            case ControlCode.EchoRequest:
                ReceiveEchoRequest(packet, now);
                return true;
            case ControlCode.EchoReply:
            case ControlCode.DiscardRequest:
            case ControlCode.TimeRemaining:
                // That a packet came is all that matters; the link has noted it.
                return true;
            case ControlCode.Identification:
                if (packet.Data.Length > 4)
                {
                    _host.Identified(packet.Data[4..]);
                }

                return true;
            default:
                return false;
        }
    }

    protected override void TakeCodeReject(ControlCode code)
    {
        if (code is ControlCode.EchoRequest or ControlCode.EchoReply)
        {
            _host.EchoRefused();
        }
    }

    private uint CurrentMagic => (_wanted & Wanted.Magic) != 0 ? _localMagic : 0;

    private void TakeAuthenticationNak(in PppOption option, Timestamp now)
    {
        int proposed = AuthenticationMethods.TryFromOptionData(option.Data, out AuthenticationMethod method)
            ? _settings.AuthenticatePeer.IndexOf(method)
            : -1;
        if (proposed >= 0 && proposed != _methodIndex)
        {
            _methodIndex = (byte)proposed;
        }
        else if (_methodIndex + 1 < _settings.AuthenticatePeer.Length)
        {
            _methodIndex++;
        }
        else
        {
            string text = $"no authentication method in common: the peer proposes {PppPrinter.DescribeAuthentication(option.Data)}";
            Host.NegotiationFailed(this, LinkCloseReason.AuthenticationRefused, text, now);
        }
    }

    private void ReceiveEchoRequest(in ControlPacket packet, Timestamp now)
    {
        // The reply is the request with this end's magic number (RFC 1661 section 5.8), cut to what any peer can receive.
        Span<byte> reply = stackalloc byte[Math.Clamp(packet.Data.Length, 4, Math.Min(PeerMru, DefaultMru) - ControlPacket.HeaderLength)];
        packet.Data[..Math.Min(packet.Data.Length, reply.Length)].CopyTo(reply);
        BinaryPrimitives.WriteUInt32BigEndian(reply, CurrentMagic);
        Fire(AutomatonEvent.ReceiveEcho, now, packet, ControlCode.EchoReply, reply);
    }

    /// <summary>Looks whether the last packets proved a loop. Apart from judging, which must not end a negotiation half way.</summary>
    public void CheckLoop(Timestamp now)
    {
        if (_loopEvidence >= LoopEvidence)
        {
            _loopEvidence = 0;
            Host.NegotiationFailed(
                this, LinkCloseReason.LoopDetected, $"the link is looped: own magic number came back {LoopEvidence} times", now);
        }
    }

    private void ChooseMagic() => _localMagic = NewMagic();

    private uint NewMagic()
    {
        // A source that gives nothing but zeros must not hang the link.
        uint magic = _random.NextUInt32();
        return magic == 0 || magic == _localMagic ? _localMagic + 0x01020305u | 1u : magic;
    }
}
