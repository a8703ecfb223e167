using Culvert.Core;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>What the protocols of a link tell it.</summary>
public sealed partial class PppLink : ILcpHost
{
    /// <summary>Identifications reported on one link: peers send one or two; more would fill a log.</summary>
    private const int IdentificationLimit = 8;

    NegotiationSettings INegotiationHost.Negotiation => _settings.Negotiation;

    void INegotiationHost.Send(PppProtocol protocol, ControlCode code, byte identifier, ReadOnlySpan<byte> data)
    {
        // Control packets fit the default MRU (RFC 1661 section 6.1); a smaller MRU cuts only a Code-Reject.
        int room = Math.Min(PeerMru, (ushort)1500) - ControlPacket.HeaderLength;
        ReadOnlySpan<byte> fitting = code == ControlCode.CodeReject && data.Length > room ? data[..room] : data;
        Span<byte> buffer = stackalloc byte[PppFrame.MaxHeaderLength + ControlPacket.HeaderLength + fitting.Length];
        var writer = new WireWriter(buffer);
        PppFrame.WriteHeader(ref writer, protocol, TransmitFraming);
        int start = ControlPacket.Begin(ref writer, code, identifier);
        writer.WriteBytes(fitting);
        ControlPacket.Finish(ref writer, start);
        _frames.Enqueue(writer.Written);
    }

    void INegotiationHost.LayerUp(ControlProtocol layer, Timestamp now)
    {
        if (layer is Lcp)
        {
            if (_hasOpened)
            {
                Raise(PppLinkEvent.Of(PppLinkEventKind.LcpReopened));
            }

            _hasOpened = true;
            if (_lcp.TakeAgreement() is { } agreement)
            {
                Raise(PppLinkEvent.LcpAgreed(agreement));
            }

            BeginAuthentication(now);
        }
        else if (layer is Ipcp ipcp)
        {
            if (ipcp.LacksLocalAddress)
            {
                const string Problem = "IPCP: the peer acknowledged 0.0.0.0 instead of assigning an address";
                Remember(LinkCloseReason.NegotiationFailed, Problem, ipcp);
                Close(LinkCloseReason.NegotiationFailed, Problem, now);
                return;
            }

            _phaseEndsAt = Timestamp.Never;
            Raise(PppLinkEvent.UpWith(ipcp.Result));
        }
    }

    void INegotiationHost.LayerDown(ControlProtocol layer, Timestamp now)
    {
        if (layer is not Lcp)
        {
            LoseNetwork(now);
            return;
        }

        LeaveNetwork(now);
        _authentication.Close();
        _keepalive.Stop();
        _phaseEndsAt = Timestamp.Never;
        Proxy = ProxyUse.None;
        if (Phase != PppPhase.Terminate)
        {
            Phase = PppPhase.Establish;
        }
    }

    void INegotiationHost.LayerFinished(ControlProtocol layer, Timestamp now)
    {
        if (layer is Lcp)
        {
            RememberSilence();
            Finish(now);
        }
        else if (Phase == PppPhase.Network && !IsAnyNetworkOpen())
        {
            // The protocol is over, the link is not: the peer may begin again, until the phase's time is up.
            StartNetworkTimer(now);
        }
    }

    void INegotiationHost.RejectedFatally(ControlProtocol layer, string text)
    {
        if (layer is Lcp)
        {
            Remember(LinkCloseReason.NegotiationFailed, text);
            Phase = Phase == PppPhase.Dead ? PppPhase.Dead : PppPhase.Terminate;
        }
    }

    void INegotiationHost.PeerTerminates(ControlProtocol layer, ReadOnlySpan<byte> text, Timestamp now)
    {
        if (layer is not Lcp)
        {
            return;
        }

        string said = text.IsEmpty ? "" : $": {PppText.Escape(text)}";
        Remember(LinkCloseReason.PeerTerminated, $"the peer terminated the link{said}");
        if (Phase != PppPhase.Dead)
        {
            Phase = PppPhase.Terminate;
            layer.GiveUp(now);
        }
    }

    void INegotiationHost.NegotiationFailed(ControlProtocol layer, LinkCloseReason reason, string text, Timestamp now)
    {
        if (layer is NetworkProtocol && IsAnyNetworkOpen(layer))
        {
            layer.Close(text, now);
        }
        else
        {
            Remember(reason, text, layer);
            Close(reason, text, now);
        }
    }

    void ILcpHost.ProtocolRejected(PppProtocol protocol, Timestamp now)
    {
        foreach (NetworkProtocol network in _networks)
        {
            if (network.Protocol == protocol && !network.IsRejected)
            {
                // Only that protocol ends (RFC 1661 section 5.7): no Terminate-Request either, the peer would not read it.
                network.IsRejected = true;
                bool wasOpened = network.IsOpened;
                network.Down(now);
                if (!wasOpened)
                {
                    StartNetworkTimer(now);
                }

                return;
            }
        }

        if (protocol == PppProtocol.Lcp)
        {
            _lcp.ReceiveProtocolReject(now);
        }
        else if (_authentication.Speaks(protocol) && Phase == PppPhase.Authenticate)
        {
            // Perhaps the peer's own choice, which this end was to answer: so what was rejected is told, not what this end asked for.
            string text = $"the peer rejects {PppPrinter.NameOf(protocol)} although it agreed to it";
            Remember(LinkCloseReason.AuthenticationRefused, text, rejected: protocol);
            Close(LinkCloseReason.AuthenticationRefused, text, now);
        }
    }

    void ILcpHost.Identified(ReadOnlySpan<byte> text)
    {
        if (_identificationsSeen < IdentificationLimit)
        {
            _identificationsSeen++;
            PeerIdentification = PppText.Escape(text);
            Raise(PppLinkEvent.IdentifiedAs(PeerIdentification));
        }
    }

    void ILcpHost.EchoRefused()
    {
        _isEchoRefused = true;
        _keepalive.Stop();
    }
}
