using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>A message on its way in: through the channel, checked, and to the part that it concerns.</summary>
public sealed partial class Tunnel
{
    /// <summary>Early messages kept for a peer that has proved nothing yet: an ICRQ or two that overtook the SCCCN.</summary>
    private const int HeldBeforeEstablished = 4;

    internal void Receive(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        if (!TryFollow(path, header, now))
        {
            return;
        }

        _isKnownToPeer |= header.TunnelId == LocalTunnelId;

        long unsent = Channel.UnsentAcknowledged;
        ChannelVerdict verdict = Channel.Receive(header, message, now);
        if (Channel.UnsentAcknowledged != unsent)
        {
            Notice(L2tpNotice.AcknowledgedUnsent);
        }

        switch (verdict)
        {
            case ChannelVerdict.Deliver:
                HandleMessage(header, message, now);
                HandleHeld(now);
                break;
            case ChannelVerdict.Duplicate:
                Count(L2tpCounter.DuplicatesReceived);
                RecordRepeated(header, message, now);
                break;
            case ChannelVerdict.Held:
                Count(L2tpCounter.MessagesHeld);
                break;
            case ChannelVerdict.Dropped:
                Count(L2tpCounter.MessagesOutsideWindow);
                break;
        }

        NoteStopAcknowledged(now);
    }

    private void HandleHeld(Timestamp now)
    {
        while (Channel.TryTakeHeld(out byte[] held))
        {
            if (L2tpHeader.TryRead(held, out L2tpHeader header))
            {
                HandleMessage(header, held, now);
            }
        }
    }

    // Section 8.1: addresses and ports stay as they are, except that the answer to an SCCRQ may come from another port.
    private bool TryFollow(in UdpPath path, in L2tpHeader header, Timestamp now)
    {
        if (path.Peer == Path.Peer)
        {
            Path = Path.Local.IsNone ? path : Path;
            return true;
        }

        bool isAnswer = State == TunnelState.WaitCtlReply && !header.IsZeroLengthBody && header.Ns == Channel.Nr;
        bool mayMove = State == TunnelState.Established && Settings.OnPathChange == PathChange.Follow;
        if (!isAnswer && !mayMove)
        {
            Count(L2tpCounter.WrongPath);
            if (State == TunnelState.Established)
            {
                HandleForeignPath(header, now);
            }

            return false;
        }

        _endpoint.MovePath(this, path);
        Notice(isAnswer ? L2tpNotice.AnsweredFromOtherPort : L2tpNotice.PathFollowed);
        return true;
    }

    // Whoever guesses an ID may not end a tunnel: a message that refuses it continues our numbers and the peer's, as only the peer's can.
    private void HandleForeignPath(in L2tpHeader header, Timestamp now)
    {
        if (Settings.OnPathChange != PathChange.Refuse || !Channel.Continues(header))
        {
            Notice(L2tpNotice.ForeignPath);
            return;
        }

        Notice(L2tpNotice.PathRefused);
        Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "the peer's address or port changed"), now);
    }

    internal void SetPath(in UdpPath path) => Path = path;

    private void HandleMessage(in L2tpHeader header, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        if (Ended is not null)
        {
            return; // acknowledged, and nothing left to say (section 5.7)
        }

        ReadOnlySpan<byte> body = datagram[header.PayloadStart..header.PayloadEnd];
        bool isReadable = ControlMessage.TryRead(body, Settings.Secret, _endpoint.Scratch, out ControlMessage message);
        _ = message.TryGetResultCode(out ResultCodeValue result);
        RecordReceived(header, message.Type, result, HistoryKind.Received, now);
        if (message.Fault == ControlMessageFault.NoMessageType)
        {
            Count(L2tpCounter.MalformedMessage);
            CloseForFault(ErrorCode.ValueOutOfRange, "a control message without Message Type", now);
        }
        else if (!IsHandled(message.Type))
        {
            HandleUnknownType(message, now);
        }
        else if (TryFindFault(message, isReadable, out ErrorCode error, out string what))
        {
            Count(error == ErrorCode.UnknownMandatoryAvp ? L2tpCounter.UnknownMandatoryAvp : L2tpCounter.MalformedMessage);
            Reject(header, message, error, what, now);
        }
        else
        {
            NoteIgnored(message);
            Dispatch(header, message, now);
        }
    }

    private void Dispatch(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        switch (message.Type)
        {
            case MessageType.Sccrq:
                Apply(TunnelInput.SccrqNotAcceptable, OutOfSequence(message.Type), now);
                break;
            case MessageType.Sccrp:
                HandleSccrp(message, now);
                break;
            case MessageType.Scccn:
                HandleScccn(message, now);
                break;
            case MessageType.StopCcn:
                HandleStopCcn(message, now);
                break;
            case MessageType.Hello:
                break; // acknowledged by the channel, and that is all it is for (section 6.5)
            case MessageType.Csun or MessageType.Csurq:
                HandleSpeeds(message, now);
                break;
            default:
                HandleCallMessage(header, message, now);
                break;
        }
    }

    // Section 4.4.1: an unknown message type is fatal with the M bit and nothing without.
    private void HandleUnknownType(in ControlMessage message, Timestamp now)
    {
        if (!message.IsTypeMandatory)
        {
            Count(L2tpCounter.IgnoredMessageType);
            return;
        }

        Count(L2tpCounter.MalformedMessage);
        CloseForFault(ErrorCode.ValueOutOfRange, $"unknown mandatory {message.Type.Name()}", now);
    }

    /// <summary>Sections 4.2 and 7.1: what makes a message unusable.</summary>
    internal static bool TryFindFault(in ControlMessage message, bool isReadable, out ErrorCode error, out string what)
    {
        (error, what) = (ErrorCode.None, string.Empty);
        if (!isReadable)
        {
            (error, what) = message.Fault == ControlMessageFault.UnreadableHiddenAvp
                ? (ErrorCode.ValueOutOfRange, $"hidden {message.FaultyAvp} cannot be read ({message.HidingFault})")
                : (ErrorCode.WrongLength, $"malformed AVP in {message.Type.Name()} ({message.AvpFault})");
        }
        else if (IsEnd(message.Type))
        {
            return false; // whoever ends something is right, however badly it is said
        }
        else if (message.UnknownMandatory is AvpId unknown)
        {
            (error, what) = (ErrorCode.UnknownMandatoryAvp, $"unknown mandatory {unknown} in {message.Type.Name()}");
        }
        else if (message.WrongLength is AvpId wrong && AvpDefinitions.Find(wrong) is { IsMandatory: true })
        {
            (error, what) = (ErrorCode.WrongLength, $"{wrong} in {message.Type.Name()} has a wrong length");
        }
        else if (!IsStatus(message.Type) && message.TryFindMissing(out AvpId missing))
        {
            (error, what) = (ErrorCode.ValueOutOfRange, $"{message.Type.Name()} without {missing}");
        }

        return error != ErrorCode.None;
    }

    private void Reject(in L2tpHeader header, in ControlMessage message, ErrorCode error, string what, Timestamp now)
    {
        if (message.Type.ConcernsTunnel())
        {
            CloseForFault(error, what, now);
        }
        else
        {
            RejectCall(header, message, Disconnect.OfSession(CdnResult.GeneralError, error, what), now);
        }
    }

    private void NoteIgnored(in ControlMessage message)
    {
        if (message.UnreadableCount > 0)
        {
            _endpoint.Counters.Add(L2tpCounter.IgnoredAvp, message.UnreadableCount);
            Notice(L2tpNotice.UnreadableHiddenAvp);
        }

        if (message.UnusualMandatoryCount > 0)
        {
            Notice(L2tpNotice.UnusualMandatoryBit);
        }

        int ignored = message.IgnoredCount + (message.WrongLength is null ? 0 : 1);
        if (ignored > 0)
        {
            _endpoint.Counters.Add(L2tpCounter.IgnoredAvp, ignored);
            Notice(L2tpNotice.IgnoredAvp);
        }
    }

    private Disconnect OutOfSequence(MessageType type) =>
        Disconnect.OfTunnel(StopCcnResult.FiniteStateMachineError, $"{type.Name()} in state {State}");

    private static bool IsEnd(MessageType type) => type is MessageType.StopCcn or MessageType.Cdn;

    // Those whose absence or emptiness costs nobody anything.
    private static bool IsStatus(MessageType type) =>
        type is MessageType.Wen or MessageType.Sli or MessageType.Mdmst or MessageType.Csun or MessageType.Csurq;

    private static bool IsHandled(MessageType type) =>
        IsStatus(type) || (type is >= MessageType.Sccrq and <= MessageType.Sli && type.IsDefined());
}
