using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// The table's actions, timers, and the end: StopCCN either way, and the time after it (RFC 2661 sections 5.5, 5.7, 5.8 and 7.2.1).
/// </summary>
public sealed partial class Tunnel
{
    // When an ended tunnel is forgotten; Never while our StopCCN is not acknowledged (the channel then gives up some time).
    private Timestamp _forgetAt = Timestamp.Never;

    // The peer has used our random ID, so it really is where it says it is.
    private bool _isKnownToPeer;

    internal void Advance(Timestamp now)
    {
        long ignored = Channel.HellosIgnored;
        ChannelAlarm alarm = Channel.Advance(now);
        if (Channel.HellosIgnored != ignored)
        {
            Notice(L2tpNotice.IgnoredHello);
        }

        switch (alarm)
        {
            case ChannelAlarm.HelloDue:
                Count(L2tpCounter.HellosSent);
                Send(ControlMessages.Hello(), now);
                break;
            case ChannelAlarm.Exhausted:
                GiveUp(now);
                return;
        }

        ExpireCalls(now);
        if (State == TunnelState.Idle)
        {
            if (_forgetAt <= now)
            {
                _endpoint.Forget(this);
            }
        }
        else if (State != TunnelState.Established && StartedAt + Settings.EstablishTimeout <= now)
        {
            ExpireSetUp(now);
        }
    }

    /// <summary>Moves the tunnel along its table. What ends it is said by <paramref name="why"/>.</summary>
    private void Apply(TunnelInput input, Disconnect? why, Timestamp now)
    {
        _endpoint.NoteTime(now);
        if (!ControlConnectionTable.Rows.TryFind(State, input, out Transition<TunnelState, TunnelInput, TunnelAction> transition))
        {
            Count(L2tpCounter.UnexpectedMessage);
            return;
        }

        switch (transition.Action)
        {
            case TunnelAction.SendSccrq:
                State = transition.Next;
                Send(ControlMessages.Sccrq(this, _endpoint.Random), now);
                break;
            case TunnelAction.SendSccrp:
                State = transition.Next;
                Send(ControlMessages.Sccrp(this, _peerChallenge, _endpoint.Random), now);
                break;
            case TunnelAction.SendScccnAndOpen:
                State = transition.Next;
                Send(ControlMessages.Scccn(this, _peerChallenge, _endpoint.Random), now);
                Open(now);
                break;
            case TunnelAction.Open:
                State = transition.Next;
                Open(now);
                break;
            case TunnelAction.SendStopCcn:
                CleanUp(why!);
                SendStopCcn(why!, now);
                break;
            default:
                CleanUp(why!);
                LingerFrom(now);
                break;
        }

        RecordState();
    }

    private void HandleStopCcn(in ControlMessage message, Timestamp now)
    {
        // A refusal of our SCCRQ carries the only ID by which the peer knows the acknowledgement.
        if (PeerTunnelId == 0 && message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort assigned))
        {
            Channel.PeerTunnelId = assigned;
        }

        Apply(TunnelInput.StopCcn, TakeReason(message), now);
        Channel.DropQueue();
    }

    /// <summary>The peer's reason, and notice of the way it says it.</summary>
    private Disconnect TakeReason(in ControlMessage message)
    {
        if (!message.TryGetResultCode(out ResultCodeValue code))
        {
            return Disconnect.FromPeer(message.Type);
        }

        if (code.IsByteSwapped)
        {
            Notice(L2tpNotice.SwappedResultCode);
        }
        else if (!code.HasError)
        {
            Notice(L2tpNotice.ShortResultCode);
        }

        Disconnect why = Disconnect.FromPeer(message.Type, code);
        return message.Type == MessageType.Cdn
            ? why with { PppCause = PppDisconnectCause.Read(message), Q931 = Q931Cause.Read(message) } : why;
    }

    /// <summary>The peer sent what makes the tunnel unusable (section 7.1).</summary>
    private void CloseForFault(ErrorCode error, string what, Timestamp now) =>
        Apply(TunnelInput.LocalClose, Disconnect.OfTunnel(StopCcnResult.GeneralError, error, what), now);

    private void CloseOutOfSequence(MessageType type, Timestamp now) => Apply(TunnelInput.LocalClose, OutOfSequence(type), now);

    /// <summary>The winner of a tie took the place of this tunnel: it vanishes without a word (section 4.4.3, Tie Breaker).</summary>
    internal void LoseTie(Timestamp now)
    {
        Apply(TunnelInput.SccrqLosesTie, Disconnect.OfTunnel(StopCcnResult.ControlChannelExists, "the peer's SCCRQ won the tie"), now);
        Channel.DropQueue();
        _endpoint.Forget(this);
    }

    /// <summary>Ends without StopCCN, because the peer has forgotten this tunnel and may use its ID for another.</summary>
    internal void Abandon(Disconnect why)
    {
        if (Ended is null)
        {
            CleanUp(why);
        }

        Channel.DropQueue();
        _endpoint.Forget(this);
    }

    /// <summary>After the peer acknowledged our StopCCN, it may still repeat messages of its own whose acknowledgement got lost.</summary>
    private void NoteStopAcknowledged(Timestamp now)
    {
        if (Ended is not null && _forgetAt == Timestamp.Never && IsEverythingAcknowledged)
        {
            LingerFrom(now);
        }
    }

    private void LingerFrom(Timestamp now) => _forgetAt = now + Settings.Channel.FullCycle;

    private void CleanUp(Disconnect why)
    {
        // A half-open tunnel whose end nobody here decided is not worth a word, for anybody can begin one in anybody's name. But a peer
        // that is really there and refuses us, over different secrets for one, says what an operator needs to know.
        bool isTold = State == TunnelState.Established || IsStartedHere || why.Origin == DisconnectOrigin.Local ||
            (why.Origin == DisconnectOrigin.Peer && _isKnownToPeer);
        State = TunnelState.Idle;
        Ended = why;
        LocalChallenge = null;
        _peerChallenge = null;
        Channel.HellosEnabled = false;
        EndAllSessions(why);
        RecordState();
        _endpoint.NoteEnded(this);
        _endpoint.Remember(this, null, why);
        if (isTold)
        {
            _endpoint.Tell(new(L2tpEventKind.TunnelClosed, this, null, why));
        }
    }

    private void SendStopCcn(Disconnect why, Timestamp now)
    {
        // A peer that has not even acknowledged the SCCRQ may not be there. If it is, its SCCRP finds no tunnel, and is told so.
        if (PeerTunnelId == 0 && Channel.Unacknowledged > 0)
        {
            ForgetSoon(now);
            return;
        }

        Channel.DropUnsent();
        Send(ControlMessages.StopCcn(LocalTunnelId, why), now, why: why);
    }

    private void GiveUp(Timestamp now)
    {
        if (Ended is null)
        {
            Count(IsHalfOpen ? L2tpCounter.HalfOpenExpired : L2tpCounter.RetriesExhausted);
            if (IsProbed)
            {
                Notice(L2tpNotice.PeerRestarted);
            }

            string facts = Channel.Failure!.Value.Describe($"peer {Path.Peer.Address}");
            CleanUp(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, facts).AsTimeout());
        }

        _endpoint.Forget(this);
    }

    // A peer that never completed its set-up may never have sent anything at all, so nothing is sent to it. One that acknowledged our
    // SCCRQ and then fell silent learns that it need not answer any more.
    private void ExpireSetUp(Timestamp now)
    {
        Disconnect why = Disconnect.OfTunnel(StopCcnResult.GeneralRequest, $"not established in time, in state {State}").AsTimeout();
        if (State == TunnelState.WaitCtlReply && IsEverythingAcknowledged)
        {
            Apply(TunnelInput.LocalClose, why, now);
            return;
        }

        Count(IsHalfOpen ? L2tpCounter.HalfOpenExpired : L2tpCounter.RetriesExhausted);
        Abandon(why);
    }

    /// <summary>False when the tunnel ended because of it, with all its sessions.</summary>
    private bool Send(byte[] message, Timestamp now, Session? session = null, Disconnect? why = null)
    {
        RecordSent(message, session, why);
        if (Channel.TrySend(message, isHello: ControlMessages.TypeOf(message) == MessageType.Hello))
        {
            return true;
        }

        // A peer that lets tens of thousands of messages pile up is not to be helped, and a lost message would break the promise.
        if (Ended is null)
        {
            CleanUp(Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.InsufficientResources, "too many messages wait"));
            ForgetSoon(now);
        }

        return false;
    }

    // Not at once: the owner may be enumerating the tunnels.
    private void ForgetSoon(Timestamp now)
    {
        Channel.DropQueue();
        _forgetAt = now;
    }
}
