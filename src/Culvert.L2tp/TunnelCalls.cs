using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Sessions of a tunnel: incoming calls in both roles (RFC 2661 sections 5.2.1, 5.6 and 7.4).</summary>
public sealed partial class Tunnel
{
    private bool _placesCalls;

    /// <summary>Moves a session along its table. A refusal's reason is <paramref name="why"/>.</summary>
    internal void Apply(Session session, SessionInput input, Disconnect? why, Timestamp now)
    {
        if (!session.Table.TryFind(session.State, input, out Transition<SessionState, SessionInput, SessionAction> transition))
        {
            Count(L2tpCounter.UnexpectedMessage);
            return;
        }

        switch (transition.Action)
        {
            case SessionAction.SendIcrq:
                session.State = transition.Next;
                Send(ControlMessages.Icrq(session, _endpoint.Random), now);
                break;
            case SessionAction.SendIcrp:
                session.State = transition.Next;
                Send(ControlMessages.Icrp(session, _endpoint.Random), now);
                break;
            case SessionAction.SendIccn:
                if (Send(ControlMessages.Iccn(session, _endpoint.Random), now))
                {
                    Establish(session, now);
                }

                break;
            case SessionAction.PrepareForData:
                Establish(session, now);
                break;
            case SessionAction.SendCdn:
                if (SendCdn(session.LocalSessionId, session.PeerSessionId, why!, now))
                {
                    End(session, why!);
                }

                break;
            default:
                End(session, why!);
                break;
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
            case MessageType.Icrq:
                HandleIcrq(header, message, now);
                break;
            case MessageType.Icrp:
                HandleIcrp(header, message, now);
                break;
            case MessageType.Iccn:
                HandleIccn(header, message, now);
                break;
            case MessageType.Cdn:
                HandleCdn(header, message, now);
                break;
            case MessageType.Ocrq:
                RejectCall(header, message, Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "outgoing calls are not served"), now);
                break;
            case MessageType.Wen or MessageType.Sli:
                Count(L2tpCounter.StatusMessagesIgnored);
                NoteEarlyStatus(header);
                break;
            default:
                Count(L2tpCounter.UnexpectedMessage); // OCRP and OCCN: no outgoing call was asked for
                break;
        }
    }

    private void HandleIcrq(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        _ = message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerSessionId);
        if (TryFindCallOf(header, message, out Session? existing))
        {
            Apply(existing, SessionInput.Icrq, WrongState(existing, MessageType.Icrq), now);
            return;
        }

        if (JudgeIcrq(peerSessionId) is { } refusal)
        {
            SendCdn(_endpoint.UnusedSessionId(this), peerSessionId, refusal, now);
            return;
        }

        if (!_endpoint.TryReserveSession(this, out ushort localSessionId))
        {
            SendCdn(_endpoint.UnusedSessionId(this), peerSessionId, NoRoom, now);
            return;
        }

        IncomingCall call = CallFacts.FromIcrq(message);
        var session = new Session(this, localSessionId, peerSessionId, isPlacedHere: false, call, SessionState.Offered);
        AddSession(session, now);
        _endpoint.Tell(new(L2tpEventKind.CallOffered, this, session));
    }

    private static readonly Disconnect NoRoom = Disconnect.OfSession(CdnResult.NoFacilitiesTemporary, "no session is free");

    private Disconnect? JudgeIcrq(ushort peerSessionId)
    {
        if (peerSessionId == 0)
        {
            return Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, "Assigned Session ID 0");
        }

        return Settings.AcceptIncomingCalls ? null
            : Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "incoming calls are not served for this peer");
    }

    private void HandleIcrp(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        _ = message.TryGetUInt16(AvpType.AssignedSessionId, out ushort peerSessionId);
        if (!TryFindSession(header.SessionId, out Session? session))
        {
            HandleIcrpForNobody(header.SessionId, peerSessionId, now);
            return;
        }

        if (!session.IsPlacedHere || session.State != SessionState.WaitReply)
        {
            Apply(session, SessionInput.Icrp, WrongState(session, MessageType.Icrp), now);
            return;
        }

        if (peerSessionId == 0 || _sessionsByPeerId?.ContainsKey(peerSessionId) == true)
        {
            string what = peerSessionId == 0 ? "Assigned Session ID 0" : "Assigned Session ID is in use";
            Disconnect why = Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, what);
            Apply(session, SessionInput.IcrpNotAcceptable, why, now);
            return;
        }

        session.PeerSessionId = peerSessionId;
        (_sessionsByPeerId ??= []).Add(peerSessionId, session);
        Apply(session, SessionInput.IcrpAcceptable, null, now);
    }

    // Idle, ICRP: a LAC cleans up (its CDN is under way), an LNS sends a CDN.
    private void HandleIcrpForNobody(ushort claimedSessionId, ushort peerSessionId, Timestamp now)
    {
        Count(L2tpCounter.UnexpectedMessage);
        if (!_placesCalls && claimedSessionId != 0 && peerSessionId != 0)
        {
            Disconnect why = Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.InvalidSessionId, "ICRP for no session");
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

        if (session.State != SessionState.WaitConnect)
        {
            Apply(session, SessionInput.Iccn, WrongState(session, MessageType.Iccn), now);
            return;
        }

        session.Call = CallFacts.WithIccn(session.Call, message);
        bool hasFraming = session.Call.FramingType == 0 || (session.Call.FramingType & Settings.FramingCapabilities) != 0;
        Disconnect? refusal = hasFraming ? null
            : Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.ValueOutOfRange, "Framing Type is not among our Framing Capabilities");
        Apply(session, hasFraming ? SessionInput.IccnAcceptable : SessionInput.IccnNotAcceptable, refusal, now);
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

    private void NoteEarlyStatus(in L2tpHeader header)
    {
        if (!TryFindSession(header.SessionId, out Session? session) || session.State != SessionState.Established)
        {
            Notice(L2tpNotice.EarlyStatusMessage);
        }
    }

    private bool SendCdn(ushort localSessionId, ushort peerSessionId, Disconnect why, Timestamp now) =>
        Send(ControlMessages.Cdn(localSessionId, peerSessionId, Settings.RefuseWithGeneralError ? why.AsGeneralError() : why), now);

    private static Disconnect WrongState(Session session, MessageType type) =>
        Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.VendorSpecific, $"{type.Name()} in state {session.State}");
}
