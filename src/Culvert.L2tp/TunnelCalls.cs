using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Sessions of a tunnel: their tables, and incoming calls in both roles (RFC 2661 sections 5.2.1, 5.6 and 7.4).</summary>
public sealed partial class Tunnel
{
    private TokenBucket _calls;
    private bool _placesCalls;
    private bool _asksForCalls;

    /// <summary>Moves a session along its table. A refusal's reason is <paramref name="why"/>.</summary>
    internal void Apply(Session session, SessionInput input, Disconnect? why, Timestamp now)
    {
        _endpoint.NoteTime(now);
        if (!session.Table.TryFind(session.State, input, out Transition<SessionState, SessionInput, SessionAction> transition))
        {
            Count(L2tpCounter.UnexpectedMessage);
            return;
        }

        switch (transition.Action)
        {
            case SessionAction.SendIcrq:
                session.State = transition.Next;
                Send(ControlMessages.Icrq(session, _endpoint.Random), now, session);
                break;
            case SessionAction.SendIcrp:
                session.State = transition.Next;
                Send(ControlMessages.Icrp(session, _endpoint.Random), now, session);
                break;
            case SessionAction.SendOcrq:
                session.State = transition.Next;
                Send(ControlMessages.Ocrq(session, session.OutgoingCall!, _endpoint.Random), now, session);
                break;
            case SessionAction.SendOcrp:
                session.State = transition.Next;
                Send(ControlMessages.Ocrp(session, _endpoint.Random), now, session);
                break;
            case SessionAction.SendIccn or SessionAction.SendOccn:
                byte[] connected = transition.Action == SessionAction.SendIccn
                    ? ControlMessages.Iccn(session, _endpoint.Random) : ControlMessages.Occn(session, _endpoint.Random);
                if (Send(connected, now, session))
                {
                    Establish(session, now);
                }

                break;
            case SessionAction.None:
                session.State = transition.Next;
                break;
            case SessionAction.PrepareForData:
                Establish(session, now);
                break;
            case SessionAction.SendCdn:
                if (SendCdn(session.LocalSessionId, session.PeerSessionId, why!, now, session))
                {
                    End(session, why!);
                }

                break;
            default:
                End(session, why!);
                break;
        }

        if (session.Ended is null)
        {
            session.RecordState(now);
        }

        _endpoint.Touch(this, now);
    }

    private void HandleCallMessage(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        if (State != TunnelState.Established)
        {
            CloseOutOfSequence(message.Type, now);
            return;
        }

        switch (message.Type)
        {
            case MessageType.Icrq or MessageType.Ocrq:
                HandleRequest(header, message, now);
                break;
            case MessageType.Icrp or MessageType.Ocrp:
                HandleReply(header, message, now);
                break;
            case MessageType.Iccn:
                HandleIccn(header, message, now);
                break;
            case MessageType.Occn:
                HandleOccn(header, message, now);
                break;
            case MessageType.Cdn:
                HandleCdn(header, message, now);
                break;
            default:
                HandleStatus(header, message);
                break;
        }
    }

    /// <summary>ICRQ or OCRQ.</summary>
    private void HandleRequest(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        bool isOutgoing = message.Type == MessageType.Ocrq;
        _ = message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerSessionId);

        // Whatever the header says: a peer that uses an ID of its own twice has lost count of its calls.
        if (TryFindCallOf(header, message, out Session? existing) || _sessionsByPeerId?.TryGetValue(peerSessionId, out existing) == true)
        {
            ApplyWrongState(existing, isOutgoing ? SessionInput.Ocrq : SessionInput.Icrq, message.Type, now);
            return;
        }

        Disconnect? refusal = peerSessionId == 0 ? NoSessionId : isOutgoing ? JudgeOcrq(message) : JudgeIcrq();
        ushort localSessionId = 0;
        if (refusal is null && !_endpoint.TryAdmitCall(this, ref _calls, now))
        {
            refusal = TooFast;
        }

        if (refusal is null && !_endpoint.TryReserveSession(this, out localSessionId))
        {
            refusal = NoRoom;
        }

        if (refusal is not null)
        {
            SendCdn(_endpoint.UnusedSessionId(this), peerSessionId, refusal, now);
            return;
        }

        OutgoingCall? asked = isOutgoing ? CallFacts.FromOcrq(message) : null;
        IncomingCall call = asked is null ? CallFacts.FromIcrq(message) : CallFacts.Of(asked);
        var session = new Session(this, localSessionId, peerSessionId, isPlacedHere: false, call, SessionState.Offered)
        {
            OutgoingCall = asked,
        };
        session.Phb = message.Contains(AvpType.SessionDs) ? Settings.SessionPhb : null;
        AddSession(session, now);
        RecordRequest(session);
        _endpoint.Tell(new(isOutgoing ? L2tpEventKind.OutgoingCallRequested : L2tpEventKind.CallOffered, this, session));
    }

    private static readonly Disconnect NoRoom = Disconnect.OfSession(CdnResult.NoFacilitiesTemporary, "no session is free");

    private static readonly Disconnect TooFast = Disconnect.OfSession(CdnResult.NoFacilitiesTemporary, "try again later");

    private static readonly Disconnect NoSessionId =
        Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, "Assigned Session ID 0");

    private Disconnect? JudgeIcrq() => Settings.AcceptIncomingCalls ? null
        : Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "incoming calls are not served for this peer");

    /// <summary>ICRP or OCRP.</summary>
    private void HandleReply(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        bool isOutgoing = message.Type == MessageType.Ocrp;
        _ = message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerSessionId);
        if (!TryFindSession(header.SessionId, out Session? session))
        {
            HandleReplyForNobody(message.Type, header.SessionId, peerSessionId, now);
            return;
        }

        if (session.State != SessionState.WaitReply || session.Direction != DirectionOf(message.Type))
        {
            ApplyWrongState(session, isOutgoing ? SessionInput.Ocrp : SessionInput.Icrp, message.Type, now);
            return;
        }

        if (peerSessionId == 0 || _sessionsByPeerId?.ContainsKey(peerSessionId) == true)
        {
            Disconnect why = peerSessionId == 0 ? NoSessionId
                : Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, "Assigned Session ID is in use");
            Apply(session, isOutgoing ? SessionInput.OcrpNotAcceptable : SessionInput.IcrpNotAcceptable, why, now);
            return;
        }

        session.PeerSessionId = peerSessionId;
        (_sessionsByPeerId ??= []).Add(peerSessionId, session);
        session.Call = isOutgoing ? CallFacts.WithOcrp(session.Call, message) : session.Call;
        Disconnect? mismatch = JudgeSessionPhb(session, message);
        SessionInput input = (isOutgoing, mismatch) switch
        {
            (false, null) => SessionInput.IcrpAcceptable,
            (true, null) => SessionInput.OcrpAcceptable,
            (false, _) => SessionInput.IcrpNotAcceptable,
            _ => SessionInput.OcrpNotAcceptable,
        };
        Apply(session, input, mismatch, now);
    }

    // Idle, ICRP or OCRP: whoever has placed such a call before cleans up (its CDN is under way), any other node sends a CDN.
    private void HandleReplyForNobody(MessageType type, ushort claimedSessionId, ushort peerSessionId, Timestamp now)
    {
        Count(L2tpCounter.UnexpectedMessage);
        bool isPlacer = type == MessageType.Ocrp ? _asksForCalls : _placesCalls;
        if (!isPlacer && claimedSessionId != 0 && peerSessionId != 0)
        {
            Disconnect why = Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.InvalidSessionId, $"{type.Name()} for no session");
            SendCdn(claimedSessionId, peerSessionId, why, now);
        }
    }

    private void HandleIccn(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        if (!TryFindSession(header.SessionId, out Session? session))
        {
            Count(L2tpCounter.UnexpectedMessage); // idle, ICCN: clean up, and there is nothing
            return;
        }

        if (session is not { Direction: CallDirection.Incoming, State: SessionState.WaitConnect })
        {
            ApplyWrongState(session, SessionInput.Iccn, message.Type, now);
            return;
        }

        session.Call = CallFacts.WithConnected(session.Call, message);
        Disconnect? refusal = JudgeConnected(session.Call);
        Apply(session, refusal is null ? SessionInput.IccnAcceptable : SessionInput.IccnNotAcceptable, refusal, now);
    }

    private Disconnect? JudgeConnected(IncomingCall call)
    {
        if (call.FramingType != 0 && (call.FramingType & Settings.FramingCapabilities) == 0)
        {
            return Disconnect.OfSession(
                CdnResult.GeneralError, ErrorCode.ValueOutOfRange, "Framing Type is not among our Framing Capabilities");
        }

        return !call.SequencingRequired || Settings.Sequencing != SequencingPolicy.Off ? null
            : Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, "sequence numbers are not served for this peer");
    }

    private void HandleCdn(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        if (!TryFindCallOf(header, message, out Session? session))
        {
            Count(L2tpCounter.UnexpectedMessage);
            return;
        }

        if (header.SessionId == 0 && session.State == SessionState.Established)
        {
            Notice(L2tpNotice.SessionIdZero);
        }

        Apply(session, SessionInput.Cdn, TakeReason(message), now);
    }

    /// <summary>
    /// The session that a message means: by the header, or by the Assigned Session ID while the peer does not know ours
    /// (section 4.4.4).
    /// </summary>
    private bool TryFindCallOf(in L2tpHeader header, in ControlMessage message, [NotNullWhen(true)] out Session? session)
    {
        session = null;
        return header.SessionId != 0
            ? TryFindSession(header.SessionId, out session)
            : message.TryGetUInt16(AvpType.AssignedSessionId, out ushort assigned) && assigned != 0 &&
                _sessionsByPeerId?.TryGetValue(assigned, out session) == true;
    }

    /// <summary>Ends the session that a bad message concerns, or refuses the one that it would have begun.</summary>
    private void RejectCall(in L2tpHeader header, in ControlMessage message, Disconnect why, Timestamp now)
    {
        if (State != TunnelState.Established)
        {
            CloseOutOfSequence(message.Type, now);
        }
        else if (TryFindCallOf(header, message, out Session? session))
        {
            Apply(session, SessionInput.LocalClose, why, now);
        }
        else if (message.Type is MessageType.Icrq or MessageType.Ocrq &&
            message.TryGetUInt16(AvpType.AssignedSessionId, out ushort assigned))
        {
            SendCdn(_endpoint.UnusedSessionId(this), assigned, why, now);
        }
        else
        {
            Count(L2tpCounter.UnexpectedMessage);
        }
    }

    private bool SendCdn(ushort localSessionId, ushort peerSessionId, Disconnect why, Timestamp now, Session? session = null)
    {
        Disconnect said = Settings.RefuseWithGeneralError ? why.AsGeneralError() : why;
        return Send(ControlMessages.Cdn(localSessionId, peerSessionId, said), now, session, said);
    }

    // The tables of incoming calls do not mention the messages of outgoing ones, nor the other way round; either ends the session.
    private void ApplyWrongState(Session session, SessionInput input, MessageType type, Timestamp now)
    {
        Disconnect why =
            Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, $"{type.Name()} in state {session.State}");
        Apply(session, DirectionOf(type) == session.Direction ? input : SessionInput.LocalClose, why, now);
    }

    private static CallDirection DirectionOf(MessageType type) =>
        type is MessageType.Ocrq or MessageType.Ocrp or MessageType.Occn ? CallDirection.Outgoing : CallDirection.Incoming;
}
