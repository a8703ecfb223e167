using Culvert.L2tp.Wire;
using Culvert.Ppp;

namespace Culvert.Blast;

/// <summary>Calls (RFC 2661 section 5.2) and the PPP links inside them.</summary>
public sealed partial class BlastEngine
{
    /// <summary>A PPP frame must not overtake the ICCN: when that cannot leave at once, the peer's first frame or this pause begins the link.</summary>
    private static readonly TimeSpan LinkDelay = TimeSpan.FromSeconds(1);

    private readonly int[] _up;
    private uint _serialNumber;
    private int _upCount;
    private int _failedCount;
    private int _settingUp;

    private void PlaceCall(BlastTunnel tunnel)
    {
        int index = Dequeue(tunnel);
        ref BlastSession session = ref _sessions[index];
        GiveId(tunnel, ref session, index);
        session.Attempts++;
        BeginSetUp(ref session, index);
        Counters.CallsPlaced++;
        Send(tunnel, BlastMessages.Icrq(session.LocalSessionId, ++_serialNumber));
    }

    private void HandleCall(BlastTunnel tunnel, ushort sessionId, in ControlMessage message)
    {
        if (message.Type == MessageType.Icrq && _settings.IsAnswerer)
        {
            AnswerCall(tunnel, message);
            return;
        }

        int index = FindCall(tunnel, sessionId, message);
        if (index == BlastSession.None)
        {
            Counters.CallsOfStorm += IsStormCall(sessionId) ? 1 : 0;
            return;
        }

        switch (message.Type)
        {
            case MessageType.Icrp when _sessions[index].State == BlastSessionState.Calling && !_settings.IsAnswerer:
                OnCallAnswered(tunnel, index, message);
                break;
            case MessageType.Iccn when _sessions[index].State == BlastSessionState.Calling && _settings.IsAnswerer:
                OpenLink(ref _sessions[index], index, canSend: true);
                break;
            case MessageType.Cdn:
                EndSession(tunnel, index, BlastMessages.Explain(message));
                break;
        }
    }

    private void OnCallAnswered(BlastTunnel tunnel, int index, in ControlMessage message)
    {
        ref BlastSession session = ref _sessions[index];
        if (!message.TryGetUInt16(AvpType.AssignedSessionId, out session.PeerSessionId) || session.PeerSessionId == 0)
        {
            EndSession(tunnel, index, "ICRP without an Assigned Session ID");
            return;
        }

        Send(tunnel, BlastMessages.Iccn(session.PeerSessionId));
        Transmit(tunnel);
        OpenLink(ref session, index, canSend: tunnel.Channel!.InFlight == tunnel.Channel.Unacknowledged);
    }

    private void AnswerCall(BlastTunnel tunnel, in ControlMessage message)
    {
        if (!message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerId) || peerId == 0)
        {
            Counters.CallsRefused++;
            Send(tunnel, BlastMessages.Cdn(0, 0, CdnResult.GeneralError));
            return;
        }

        if (tunnel.QueueHead == BlastSession.None || IsClosing)
        {
            Counters.CallsRefused++;
            Send(tunnel, BlastMessages.Cdn(0, peerId, CdnResult.NoFacilitiesTemporary));
            return;
        }

        int index = Dequeue(tunnel);
        ref BlastSession session = ref _sessions[index];
        GiveId(tunnel, ref session, index);
        session.PeerSessionId = peerId;
        BeginSetUp(ref session, index);
        Send(tunnel, BlastMessages.Icrp(session.LocalSessionId, peerId));
    }

    private void BeginSetUp(ref BlastSession session, int index)
    {
        session.State = BlastSessionState.Calling;
        session.StartedAt = _now;
        session.Phase = PppPhase.Dead;
        _settingUp++;
        _sessionDeadlines.Set(index, _now + _settings.SetUpTimeout);
    }

    // Each life has another ID while there are enough, for the peer may still hold the last one.
    private void GiveId(BlastTunnel tunnel, ref BlastSession session, int index)
    {
        int perTunnel = _settings.SessionsPerTunnel;
        int lives = BlastSettings.MostSessionsPerTunnel / perTunnel;
        session.LocalSessionId = (ushort)(1 + (index - tunnel.FirstSession) + (perTunnel * (session.Generation++ % lives)));
        session.PeerSessionId = 0;
        session.Tunnel = tunnel.Index;
    }

    private void OpenLink(ref BlastSession session, int index, bool canSend)
    {
        session.State = BlastSessionState.Negotiating;
        if (canSend)
        {
            _ppp.Open(ref session, index, this);
        }

        _sessionDeadlines.Set(index, _now + (canSend ? _settings.Ppp.RestartInterval : LinkDelay));
    }

    /// <summary>After every call into the PPP end.</summary>
    private void Follow(BlastTunnel tunnel, int index, PppOutcome outcome)
    {
        ref BlastSession session = ref _sessions[index];
        if (outcome.IsFailure())
        {
            HangUp(tunnel, index, CdnResult.LostCarrier);
            EndSession(tunnel, index, $"PPP: {outcome.Describe()}");
            return;
        }

        if (outcome == PppOutcome.Up && session.State == BlastSessionState.Negotiating)
        {
            NoteUp(ref session, index);
        }
        else if (outcome == PppOutcome.Restarted && session.State == BlastSessionState.Up)
        {
            Counters.Restarted++;
            RemoveFromUp(ref session);
            session.State = BlastSessionState.Negotiating;
            _settingUp++;
        }

        if (session.State == BlastSessionState.Negotiating)
        {
            _sessionDeadlines.Set(index, _now + _settings.Ppp.RestartInterval);
        }
    }

    private void NoteUp(ref BlastSession session, int index)
    {
        session.State = BlastSessionState.Up;
        session.Attempts = 0;
        session.UpPosition = _upCount;
        _up[_upCount++] = index;
        _settingUp--;
        _sessionDeadlines.Remove(index);
        Counters.SessionsEstablished++;
        Counters.SetUpTimes.Record((_now - session.StartedAt).Ticks * 100);
        Counters.NoteUp(_now);
    }

    private void OnSessionDeadline(int index)
    {
        ref BlastSession session = ref _sessions[index];
        BlastTunnel tunnel = _tunnels[session.Tunnel];
        switch (session.State)
        {
            case BlastSessionState.Waiting:
                Enqueue(tunnel, index);
                NoteReady(tunnel);
                break;
            case BlastSessionState.Calling:
                HangUp(tunnel, index, CdnResult.NotEstablishedInTime);
                EndSession(tunnel, index, "the peer did not answer the call in time");
                break;
            case BlastSessionState.Negotiating when _now - session.StartedAt >= _settings.SetUpTimeout:
                HangUp(tunnel, index, CdnResult.NotEstablishedInTime);
                EndSession(tunnel, index, "PPP: not up in time");
                break;
            case BlastSessionState.Negotiating when session.Phase == PppPhase.Dead:
                OpenLink(ref session, index, canSend: true);
                break;
            case BlastSessionState.Negotiating:
                Follow(tunnel, index, _ppp.Repeat(ref session, index, this));
                break;
        }
    }

    /// <summary>Tells the peer that a session ends.</summary>
    private void HangUp(BlastTunnel tunnel, int index, CdnResult why)
    {
        ref BlastSession session = ref _sessions[index];
        if (tunnel.State == BlastTunnelState.Established)
        {
            Send(tunnel, BlastMessages.Cdn(session.LocalSessionId, session.PeerSessionId, why));
        }
    }

    /// <summary>A session that was wanted has ended: counted with its reason, and tried again while it may.</summary>
    private void EndSession(BlastTunnel tunnel, int index, string why)
    {
        ref BlastSession session = ref _sessions[index];
        bool wasUp = session.State == BlastSessionState.Up;
        if (!wasUp && !session.IsBeingSetUp)
        {
            return;
        }

        (wasUp ? Counters.Losses : Counters.Failures).Add(why);
        Release(ref session, index);
        if (_settings.IsAnswerer)
        {
            Enqueue(tunnel, index);
        }
        else if (session.Attempts >= _settings.Tries)
        {
            session.State = BlastSessionState.Failed;
            _failedCount++;
        }
        else
        {
            session.State = BlastSessionState.Waiting;
            _sessionDeadlines.Set(index, _now + Jittered(_settings.RetryDelay));
        }
    }

    /// <summary>Takes a session out of whatever it stands in. Its next state is the caller's.</summary>
    private void Release(ref BlastSession session, int index)
    {
        _settingUp -= session.IsBeingSetUp ? 1 : 0;
        if (session.State == BlastSessionState.Up)
        {
            RemoveFromUp(ref session);
        }

        session.Phase = PppPhase.Dead;
        session.LocalSessionId = 0;
        _sessionDeadlines.Remove(index);
    }

    private void RemoveFromUp(ref BlastSession session)
    {
        int last = _up[--_upCount];
        _up[session.UpPosition] = last;
        _sessions[last].UpPosition = session.UpPosition;
    }

    // A CDN may come before the peer knows our ID: then its own says which (RFC 2661 section 4.4.3, Assigned Session ID).
    private int FindCall(BlastTunnel tunnel, ushort sessionId, in ControlMessage message)
    {
        if (sessionId != 0)
        {
            return TryFind(tunnel.LocalTunnelId, sessionId, out int index, out _) ? index : BlastSession.None;
        }

        if (message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerId) && peerId != 0)
        {
            for (int i = tunnel.FirstSession; i < tunnel.FirstSession + _settings.SessionsPerTunnel; i++)
            {
                if (_sessions[i].PeerSessionId == peerId && _sessions[i].LocalSessionId != 0)
                {
                    return i;
                }
            }
        }

        return BlastSession.None;
    }

    private void Enqueue(BlastTunnel tunnel, int index)
    {
        ref BlastSession session = ref _sessions[index];
        session.State = _settings.IsAnswerer ? BlastSessionState.Idle : BlastSessionState.Queued;
        session.Tunnel = tunnel.Index;
        session.Next = BlastSession.None;
        if (tunnel.QueueHead == BlastSession.None)
        {
            tunnel.QueueHead = index;
        }
        else
        {
            _sessions[tunnel.QueueTail].Next = index;
        }

        tunnel.QueueTail = index;
    }

    private int Dequeue(BlastTunnel tunnel)
    {
        int index = tunnel.QueueHead;
        tunnel.QueueHead = _sessions[index].Next;
        return index;
    }

    /// <summary>Every session of a tunnel waits for its turn, as at the beginning.</summary>
    private void QueueAll(BlastTunnel tunnel)
    {
        tunnel.QueueHead = BlastSession.None;
        for (int i = tunnel.FirstSession; i < tunnel.FirstSession + _settings.SessionsPerTunnel; i++)
        {
            Enqueue(tunnel, i);
        }
    }

    /// <summary>The tunnel is gone, and all its sessions with it: those that have not failed for good wait for another tunnel.</summary>
    private void Requeue(BlastTunnel tunnel)
    {
        tunnel.QueueHead = BlastSession.None;
        for (int i = tunnel.FirstSession; i < tunnel.FirstSession + _settings.SessionsPerTunnel; i++)
        {
            ref BlastSession session = ref _sessions[i];
            if (session.State != BlastSessionState.Failed)
            {
                Counters.LostWithTunnel += session.State == BlastSessionState.Up ? 1 : 0;
                Release(ref session, i);
                Enqueue(tunnel, i);
            }
        }
    }

    private void FailQueue(BlastTunnel tunnel)
    {
        while (tunnel.QueueHead != BlastSession.None)
        {
            _sessions[Dequeue(tunnel)].State = BlastSessionState.Failed;
            _failedCount++;
        }
    }
}
