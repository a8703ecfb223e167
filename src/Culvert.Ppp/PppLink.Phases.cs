using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>How a link goes from phase to phase.</summary>
public sealed partial class PppLink
{
    /// <summary>Longest early network request that is kept; real ones have under 60 octets.</summary>
    private const int MaxEarlyRequest = 256;

    /// <summary>Protocol-Rejects in each <see cref="RejectWindow"/>: a peer tries a handful of protocols, each a few times.</summary>
    private const int RejectLimit = 10;

    private static readonly TimeSpan RejectWindow = TimeSpan.FromSeconds(10);

    private void BeginAuthentication(Timestamp now)
    {
        if (!_settings.AuthenticatePeer.IsDefaultOrEmpty && _lcp.PeerMethod is null)
        {
            Close(LinkCloseReason.AuthenticationRefused, "the peer does not authenticate", now);
            return;
        }

        Phase = PppPhase.Authenticate;
        _phaseEndsAt = now + _settings.AuthenticationTimeout;
        if (!_isEchoRefused)
        {
            _keepalive.Start(_settings.EchoInterval, _random, now);
        }

        _authentication.Open(_lcp.PeerMethod, _lcp.LocalMethod, now);
        FollowAuthentication(isTimeout: false, now);
    }

    private void ReceiveAuthentication(PppProtocol protocol, ReadOnlySpan<byte> information, Timestamp now)
    {
        if (Phase is not (PppPhase.Authenticate or PppPhase.Network) || !_authentication.TryReceive(protocol, information, now))
        {
            Discarded++;
            return;
        }

        FollowAuthentication(isTimeout: false, now);
    }

    /// <summary>Does what the last step of authentication calls for.</summary>
    private void FollowAuthentication(bool isTimeout, Timestamp now)
    {
        _authentication.Pump(this);
        if (_authentication.Failure is { } failure)
        {
            LinkCloseReason refusal = _authentication.HasPeerFailed
                ? LinkCloseReason.PeerAuthenticationFailed
                : LinkCloseReason.LocalAuthenticationFailed;
            Close(isTimeout ? LinkCloseReason.AuthenticationTimeout : refusal, failure, now);
            return;
        }

        if (_authentication.TryTakeRequest(out AuthenticationRequest? request))
        {
            Raise(PppLinkEvent.RequestOf(request!));
        }

        if (Phase == PppPhase.Authenticate && _authentication.IsDone)
        {
            Phase = PppPhase.Network;
            _authentication.Relax(now);
            _phaseEndsAt = now + _settings.NetworkTimeout;
            Raise(PppLinkEvent.Of(PppLinkEventKind.Authenticated));
            Raise(PppLinkEvent.Of(PppLinkEventKind.NetworkRequested));
        }
    }

    private void ReceiveNetwork(PppProtocol protocol, ReadOnlySpan<byte> information, Timestamp now)
    {
        foreach (NetworkProtocol network in _networks)
        {
            if (network.Protocol == protocol)
            {
                Discarded += !network.IsRejected && network.Receive(information, now) ? 0 : 1;
                return;
            }
        }

        Discarded++;
        if (protocol == PppProtocol.Ipcp)
        {
            KeepEarly(information, now);
        }
        else if (Phase == PppPhase.Network)
        {
            RejectProtocol(protocol, information, now);
        }
    }

    /// <summary>
    /// A client that thinks itself accepted, or is faster than the owner's address pool, asks before it can be answered. Its last
    /// request is kept: dropping it would cost the client's Restart timer, three seconds of every set-up.
    /// </summary>
    private void KeepEarly(ReadOnlySpan<byte> information, Timestamp now)
    {
        if (Phase is not (PppPhase.Authenticate or PppPhase.Network))
        {
            return;
        }

        if (information.Length <= MaxEarlyRequest && ControlPacket.TryRead(information, out ControlPacket packet)
            && packet.Code == ControlCode.ConfigureRequest)
        {
            _earlyRequest = packet.Packet.ToArray();
        }

        if (Phase == PppPhase.Authenticate)
        {
            // The authenticator thinks that this end is accepted: its verdict was lost. The same answer brings it again.
            _authentication.RepeatResponse(this);
        }
    }

    private void RejectProtocol(PppProtocol protocol, ReadOnlySpan<byte> information, Timestamp now)
    {
        if (now - _rejectsSince >= RejectWindow)
        {
            _rejectsSince = now;
            _rejectsSent = 0;
        }

        if (_rejectsSent < RejectLimit)
        {
            _rejectsSent++;
            _lcp.SendProtocolReject(protocol, information);
        }
    }

    private void AskPeer(Timestamp now)
    {
        if (!_lcp.IsOpened || !_keepalive.TakeDue(_settings.EchoInterval, now))
        {
            return;
        }

        if (_keepalive.Unanswered < _settings.EchoFailures)
        {
            _keepalive.Asked();
            _lcp.SendEchoRequest();
            return;
        }

        // Nobody is there to acknowledge an orderly end; one Terminate-Request for a peer that only cannot be heard.
        double silence = (now - _keepalive.LastHeard).TotalSeconds;
        string text = $"no answer to {_keepalive.Unanswered} echo requests, nothing heard for {silence:F0} s";
        Close(LinkCloseReason.NoEchoAnswer, text, now);
        Finish(now);
    }

    private void EndPhase(Timestamp now)
    {
        if (Phase == PppPhase.Authenticate)
        {
            string waited = $"{_settings.AuthenticationTimeout.TotalSeconds:F0} s";
            Close(LinkCloseReason.AuthenticationTimeout, $"authentication not finished within {waited}: {_authentication.DescribeWait()}", now);
        }
        else
        {
            string waited = $"{_settings.NetworkTimeout.TotalSeconds:F0} s";
            bool isRejected = _networks.Length > 0 && _networks[0].IsRejected;
            LinkCloseReason reason = isRejected ? LinkCloseReason.NetworkRejected : LinkCloseReason.NetworkTimeout;
            Close(reason, $"no network protocol open for {waited}{DescribeNetworks()}", now);
        }
    }

    private string DescribeNetworks()
    {
        if (_networks.Length == 0)
        {
            return ": no address was assigned";
        }

        NetworkProtocol network = _networks[0];
        return network.IsRejected ? $": the peer rejects {network.Name}" : $": {network.Name} is {network.State}";
    }

    private bool IsAnyNetworkOpen(ControlProtocol? except = null)
    {
        foreach (NetworkProtocol network in _networks)
        {
            if (network != except && network.IsOpened)
            {
                return true;
            }
        }

        return false;
    }

    private void StartNetworkTimer(Timestamp now)
    {
        if (Phase == PppPhase.Network && _phaseEndsAt == Timestamp.Never)
        {
            _phaseEndsAt = now + _settings.NetworkTimeout;
        }
    }

    private void LoseNetwork(Timestamp now)
    {
        Raise(PppLinkEvent.Of(PppLinkEventKind.NetworkDown));
        StartNetworkTimer(now);
    }

    private void LeaveNetwork(Timestamp now)
    {
        foreach (NetworkProtocol network in _networks)
        {
            network.Down(now);
        }

        _networks = [];
        _earlyRequest = null;
    }

    /// <summary>The first reason is the cause; later ones are its consequences.</summary>
    private void Remember(LinkCloseReason reason, string text, ControlProtocol? failed = null, PppProtocol? rejected = null)
    {
        if (_closeReason == LinkCloseReason.None)
        {
            _closeReason = reason;
            _closeText = text;
            _closeProtocol = rejected ?? ProtocolConcerned(reason, failed);
            _isRefusedHere = failed?.HasRefusedLast == true;
        }
    }

    private PppProtocol ProtocolConcerned(LinkCloseReason reason, ControlProtocol? failed) => reason switch
    {
        LinkCloseReason.PeerAuthenticationFailed => ProtocolOf(PeerMethod),
        LinkCloseReason.LocalAuthenticationFailed => ProtocolOf(LocalMethod),
        LinkCloseReason.AuthenticationTimeout => ProtocolOf(PeerMethod ?? LocalMethod),
        LinkCloseReason.AuthenticationRefused => ProtocolOf(_lcp.PeerMethod ?? FirstChoice ?? _lcp.LocalMethod),
        LinkCloseReason.NoEchoAnswer or LinkCloseReason.LoopDetected or LinkCloseReason.NoAnswer => PppProtocol.Lcp,
        LinkCloseReason.NegotiationFailed => failed?.Protocol ?? PppProtocol.Lcp,
        LinkCloseReason.NetworkTimeout or LinkCloseReason.NetworkRejected or LinkCloseReason.NetworkRefused => PppProtocol.Ipcp,
        _ => default,
    };

    /// <summary>How the peer is asked first to show who it is; null on a link that does not ask.</summary>
    private AuthenticationMethod? FirstChoice => _settings.AuthenticatePeer.IsDefaultOrEmpty ? null : _settings.AuthenticatePeer[0];

    private static PppProtocol ProtocolOf(AuthenticationMethod? method) => (PppProtocol)(method?.ProtocolNumber() ?? 0);

    private void RememberSilence()
    {
        byte tries = _settings.Negotiation.MaxConfigure;
        if (_lcp.HasHeard)
        {
            string about = _lcp.DisputedOption == 0 ? "" : $", last about {_lcp.DescribeDispute()}";
            Remember(
                LinkCloseReason.NegotiationFailed, $"LCP: the peer answers, but {tries} Configure-Requests brought no agreement{about}");
        }
        else
        {
            Remember(LinkCloseReason.NoAnswer, $"no answer to {tries} LCP Configure-Requests");
        }
    }

    private void Finish(Timestamp now)
    {
        if (Phase == PppPhase.Dead)
        {
            return;
        }

        LeaveNetwork(now);
        _authentication.Close();
        _keepalive.Stop();
        _phaseEndsAt = Timestamp.Never;
        Phase = PppPhase.Dead;
        _lcp.Reset();
        Raise(PppLinkEvent.ClosedBecause(_closeReason, _closeText, _closeProtocol, _isRefusedHere));
    }

    internal void SendAuthentication(AuthenticationMethod method, ReadOnlySpan<byte> packet)
    {
        Span<byte> buffer = stackalloc byte[PppFrame.MaxHeaderLength + AuthenticationProtocol.MaxPacketSize];
        var writer = new WireWriter(buffer);
        PppFrame.WriteHeader(ref writer, (PppProtocol)method.ProtocolNumber(), TransmitFraming);
        writer.WriteBytes(packet);
        _frames.Enqueue(writer.Written);
    }

    private void Raise(PppLinkEvent linkEvent) => _ = _events.TryEnqueue(linkEvent);
}
