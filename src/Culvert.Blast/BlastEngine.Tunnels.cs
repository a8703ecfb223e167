using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Blast;

/// <summary>Control connections: opened, answered, kept alive, closed (RFC 2661 sections 5.1, 5.5 and 5.7).</summary>
public sealed partial class BlastEngine
{
    private readonly Dictionary<(PeerEndpoint Peer, ushort PeerTunnelId), BlastTunnel> _answered = [];
    private int _tunnelsStarting;
    private int _tunnelsEstablished;
    private int _tunnelsClosing;

    private void StartTunnel(BlastTunnel tunnel)
    {
        tunnel.Attempts++;
        tunnel.Path = new UdpPath(default, _settings.Peer);
        byte[]? challenge = Prepare(tunnel);
        _tunnelsStarting++;
        tunnel.State = BlastTunnelState.Starting;
        Send(tunnel, BlastMessages.Start(MessageType.Sccrq, _settings, HostNameOf(tunnel), tunnel.LocalTunnelId, challenge, default));
    }

    /// <summary>A new life: a channel and an ID that nobody can confuse with the last.</summary>
    private byte[]? Prepare(BlastTunnel tunnel)
    {
        do
        {
            tunnel.LocalTunnelId = _random.NextUInt16();
        }
        while (tunnel.LocalTunnelId == 0 || _tunnelOfId[tunnel.LocalTunnelId] != NoTunnel);

        _tunnelOfId[tunnel.LocalTunnelId] = tunnel.Index;
        tunnel.Channel = new ControlChannel(_settings.Channel, _now);
        tunnel.Challenge = _settings.Secret is null ? null : new byte[BlastMessages.ChallengeSize];
        _random.Fill(tunnel.Challenge);
        return tunnel.Challenge;
    }

    private string HostNameOf(BlastTunnel tunnel) => _settings.HostName.ToString(tunnel.Index + 1, tunnel.Index + 1, 1);

    private void ReceiveControl(int socket, in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> datagram)
    {
        Counters.ControlReceived++;
        if (header.TunnelId == 0)
        {
            ReceiveStart(socket, path, header, datagram);
            return;
        }

        if (_tunnelOfId[header.TunnelId] == NoTunnel)
        {
            Counters.UnknownTunnel++;
            return;
        }

        Deliver(_tunnels[_tunnelOfId[header.TunnelId]], header, datagram);
    }

    private void Deliver(BlastTunnel tunnel, in L2tpHeader header, ReadOnlySpan<byte> datagram)
    {
        ControlChannel channel = tunnel.Channel!;
        if (channel.Receive(header, datagram, _now) == ChannelVerdict.Deliver)
        {
            Handle(tunnel, header, datagram);
            while (tunnel.Channel == channel && channel.TryTakeHeld(out byte[] held))
            {
                if (L2tpHeader.TryRead(held, out L2tpHeader heldHeader))
                {
                    Handle(tunnel, heldHeader, held);
                }
            }
        }

        if (tunnel.Channel == channel)
        {
            Touch(tunnel);
        }
    }

    private void Handle(BlastTunnel tunnel, in L2tpHeader header, ReadOnlySpan<byte> datagram)
    {
        ReadOnlySpan<byte> secret = _settings.Secret is { } known ? known.Octets : default;
        if (!ControlMessage.TryRead(datagram[header.PayloadStart..header.PayloadEnd], secret, _scratch, out ControlMessage message))
        {
            Counters.Malformed++;
            return;
        }

        switch (message.Type)
        {
            case MessageType.Sccrp when tunnel.State == BlastTunnelState.Starting && !_settings.IsAnswerer:
                OnStartReply(tunnel, message);
                break;
            case MessageType.Scccn when tunnel.State == BlastTunnelState.Starting && _settings.IsAnswerer:
                OnStartConnected(tunnel, message);
                break;
            case MessageType.StopCcn:
                OnStopped(tunnel, message);
                break;
            case MessageType.Icrq or MessageType.Icrp or MessageType.Iccn or MessageType.Cdn or MessageType.Ocrq:
                HandleCall(tunnel, header.SessionId, message);
                break;
        }
    }

    private void OnStartReply(BlastTunnel tunnel, in ControlMessage message)
    {
        if (!message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort peerId) || peerId == 0)
        {
            EndTunnel(tunnel, "SCCRP without an Assigned Tunnel ID", mayRetry: true);
            return;
        }

        tunnel.Channel!.PeerTunnelId = peerId;
        if (!IsAuthentic(tunnel, MessageType.Sccrp, message))
        {
            Send(tunnel, BlastMessages.StopCcn(tunnel.LocalTunnelId, StopCcnResult.NotAuthorized, "wrong Challenge Response"));
            Transmit(tunnel);
            EndTunnel(tunnel, "SCCRP: wrong Challenge Response (another secret?)", mayRetry: true);
            return;
        }

        TakeWindow(tunnel, message);
        _ = message.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> challenge);
        Send(tunnel, BlastMessages.Scccn(_settings.Secret, challenge));
        Establish(tunnel);
    }

    private void OnStartConnected(BlastTunnel tunnel, in ControlMessage message)
    {
        if (IsAuthentic(tunnel, MessageType.Scccn, message))
        {
            Establish(tunnel);
            return;
        }

        Send(tunnel, BlastMessages.StopCcn(tunnel.LocalTunnelId, StopCcnResult.NotAuthorized, "wrong Challenge Response"));
        Transmit(tunnel);
        EndTunnel(tunnel, "SCCCN: wrong Challenge Response (another secret?)", mayRetry: false);
    }

    private bool IsAuthentic(BlastTunnel tunnel, MessageType carrier, in ControlMessage message) =>
        tunnel.Challenge is null || (message.TryGetBytes(AvpType.ChallengeResponse, out ReadOnlySpan<byte> response) &&
            TunnelAuthentication.Verify(carrier, _settings.Secret!.Octets, tunnel.Challenge, response));

    private static void TakeWindow(BlastTunnel tunnel, in ControlMessage message)
    {
        if (message.TryGetUInt16(AvpType.ReceiveWindowSize, out ushort window) && window > 0)
        {
            tunnel.Channel!.SetPeerWindow(window);
        }
    }

    private void Establish(BlastTunnel tunnel)
    {
        _tunnelsStarting--;
        _tunnelsEstablished++;
        Counters.TunnelsEstablished++;
        tunnel.State = BlastTunnelState.Established;
        tunnel.Challenge = null;
        tunnel.Attempts = 0;
        tunnel.Channel!.HellosEnabled = true;
        NoteReady(tunnel);
    }

    // Section 5.1: an SCCRQ begins a tunnel; the same one again belongs to the tunnel that it began.
    private void ReceiveStart(int socket, in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> datagram)
    {
        ReadOnlySpan<byte> secret = _settings.Secret is { } known ? known.Octets : default;
        if (!_settings.IsAnswerer || header.IsZeroLengthBody ||
            !ControlMessage.TryRead(datagram[header.PayloadStart..], secret, _scratch, out ControlMessage message) ||
            !message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort peerId) || peerId == 0)
        {
            Counters.UnknownTunnel++;
            return;
        }

        if (_answered.TryGetValue((path.Peer, peerId), out BlastTunnel? existing))
        {
            Deliver(existing, header, datagram);
        }
        else if (message.Type == MessageType.Sccrq && Array.Find(_tunnels, t => t.State == BlastTunnelState.Idle) is { } free)
        {
            Answer(free, socket, path, header, message, peerId);
        }
        else
        {
            Counters.CallsRefused++;
        }
    }

    private void Answer(BlastTunnel tunnel, int socket, in UdpPath path, in L2tpHeader header, in ControlMessage message, ushort peerId)
    {
        tunnel.Socket = socket;
        tunnel.Path = path;
        byte[]? challenge = Prepare(tunnel);
        tunnel.Channel!.PeerTunnelId = peerId;
        _ = tunnel.Channel.Receive(header, default, _now);
        TakeWindow(tunnel, message);
        _answered[(path.Peer, peerId)] = tunnel;
        _tunnelsStarting++;
        tunnel.State = BlastTunnelState.Starting;
        QueueAll(tunnel);
        _ = message.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> peerChallenge);
        Send(tunnel, BlastMessages.Start(MessageType.Sccrp, _settings, HostNameOf(tunnel), tunnel.LocalTunnelId, challenge, peerChallenge));
    }

    private void OnStopped(BlastTunnel tunnel, in ControlMessage message)
    {
        string why = BlastMessages.Explain(message);
        if (tunnel.Channel!.PeerTunnelId == 0 && message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort peerId))
        {
            tunnel.Channel.PeerTunnelId = peerId;
        }

        // The peer waits for the acknowledgement, and nothing is left afterwards that could send it.
        tunnel.Channel.DropQueue();
        Transmit(tunnel);
        EndTunnel(tunnel, why, mayRetry: !_settings.IsAnswerer);
    }

    private void OnTunnelDeadline(BlastTunnel tunnel)
    {
        if (tunnel.State == BlastTunnelState.Waiting)
        {
            tunnel.State = BlastTunnelState.Idle;
            _tunnelsWanted.Enqueue(tunnel);
            return;
        }

        if (tunnel.Channel is not { } channel)
        {
            return;
        }

        switch (channel.Advance(_now))
        {
            case ChannelAlarm.HelloDue:
                _ = channel.TrySend(BlastMessages.Hello(), isHello: true);
                break;
            case ChannelAlarm.Exhausted:
                EndTunnel(tunnel, "control channel: the peer acknowledges nothing any more", mayRetry: !_settings.IsAnswerer);
                return;
        }

        Touch(tunnel);
    }

    /// <summary>Ends a tunnel in order: StopCCN, and gone when that is acknowledged.</summary>
    private void CloseTunnel(BlastTunnel tunnel)
    {
        if (tunnel.State is not (BlastTunnelState.Starting or BlastTunnelState.Established) || tunnel.Channel!.PeerTunnelId == 0)
        {
            ForgetTunnel(tunnel);
            return;
        }

        tunnel.Channel.DropUnsent();
        ReleaseCount(tunnel);
        _tunnelsClosing++;
        tunnel.State = BlastTunnelState.Closing;
        tunnel.Channel.HellosEnabled = false;
        Send(tunnel, BlastMessages.StopCcn(tunnel.LocalTunnelId, StopCcnResult.ShuttingDown, "end of the run"));
    }

    /// <summary>The peer is told nothing, and whatever it says about the tunnel from now on is not understood.</summary>
    private void ForgetTunnel(BlastTunnel tunnel)
    {
        ReleaseCount(tunnel);
        if (tunnel.Channel is { } channel)
        {
            Counters.Retransmissions += channel.Retransmitted;
            _tunnelOfId[tunnel.LocalTunnelId] = NoTunnel;
            _ = _answered.Remove((tunnel.Path.Peer, channel.PeerTunnelId));
        }

        tunnel.Channel = null;
        tunnel.State = BlastTunnelState.Idle;
        _tunnelDeadlines.Remove(tunnel.Index);
    }

    private void EndTunnel(BlastTunnel tunnel, string why, bool mayRetry)
    {
        bool wasClosing = tunnel.State == BlastTunnelState.Closing;
        ForgetTunnel(tunnel);
        if (wasClosing)
        {
            return;
        }

        Counters.TunnelFailures.Add(why);
        Requeue(tunnel);
        if (!mayRetry || IsClosing)
        {
            return;
        }

        if (tunnel.Attempts < _settings.Tries)
        {
            tunnel.State = BlastTunnelState.Waiting;
            _tunnelDeadlines.Set(tunnel.Index, _now + Jittered(_settings.RetryDelay));
        }
        else
        {
            tunnel.State = BlastTunnelState.Failed;
            FailQueue(tunnel);
        }
    }

    private void ReleaseCount(BlastTunnel tunnel)
    {
        _tunnelsStarting -= tunnel.State == BlastTunnelState.Starting ? 1 : 0;
        _tunnelsEstablished -= tunnel.State == BlastTunnelState.Established ? 1 : 0;
        _tunnelsClosing -= tunnel.State == BlastTunnelState.Closing ? 1 : 0;
    }

    private void Send(BlastTunnel tunnel, byte[] message)
    {
        if (!tunnel.Channel!.TrySend(message))
        {
            Counters.QueueOverflows++;
        }

        Touch(tunnel);
    }

    /// <summary>Something about a tunnel changed: note its deadline, and whether it wants to send or can take calls again.</summary>
    private void Touch(BlastTunnel tunnel)
    {
        ControlChannel channel = tunnel.Channel!;
        if (tunnel.State == BlastTunnelState.Closing && channel.Unacknowledged == 0)
        {
            Transmit(tunnel);
            ForgetTunnel(tunnel);
            return;
        }

        _tunnelDeadlines.Set(tunnel.Index, channel.NextDeadline);
        NoteReady(tunnel);
        if (!tunnel.IsToTransmit && channel.WantsToTransmit)
        {
            tunnel.IsToTransmit = true;
            _toTransmit.Enqueue(tunnel);
        }
    }

    // After everything received has been handled, so that acknowledgements ride on answers where there are any.
    private void TransmitControl()
    {
        while (_toTransmit.TryDequeue(out BlastTunnel? tunnel))
        {
            tunnel.IsToTransmit = false;
            if (tunnel.Channel is { } channel)
            {
                Transmit(tunnel);
                _tunnelDeadlines.Set(tunnel.Index, channel.NextDeadline);
            }
        }
    }

    private void Transmit(BlastTunnel tunnel)
    {
        while (tunnel.Channel!.TryTransmit(_control, _now, out int length))
        {
            if (length == L2tpHeader.ControlSize && _settings.Faults.NoZlb)
            {
                continue;
            }

            _control.AsSpan(0, length).CopyTo(_sink.Reserve(tunnel.Socket));
            _sink.Commit(tunnel.Socket, length, tunnel.Path);
            Counters.DatagramsSent++;
            Counters.ControlSent++;
        }
    }

    private TimeSpan Jittered(TimeSpan time) => time * (0.5 + (_random.NextBelow(1000) / 1000.0));
}
