using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>WEN and SLI: what the ends of an established session tell each other about its line (RFC 2661 sections 6.13 and 6.14).</summary>
public sealed partial class Tunnel
{
    internal void SendStatus(Session session, byte[] message, Timestamp now)
    {
        _endpoint.NoteTime(now);
        Send(message, now, session);
        _endpoint.Touch(this, now);
    }

    internal byte[] ComposeSli(Session session, Accm accm, ProxyLcp? lcp) => ControlMessages.Sli(session, accm, lcp, _endpoint.Random);

    internal byte[] ComposeWen(Session session, CallErrors errors) => ControlMessages.Wen(session, errors, _endpoint.Random);

    // Meraki sends its SLI early: it is kept, since it says what will hold. Nothing here ever ends a session.
    private void HandleStatus(in L2tpHeader header, in ControlMessage message)
    {
        bool isKnown = TryFindSession(header.SessionId, out Session? session);
        if (!isKnown || session!.State != SessionState.Established)
        {
            Notice(L2tpNotice.EarlyStatusMessage);
        }

        if (!isKnown || !TakeStatus(session!, message))
        {
            Count(L2tpCounter.StatusMessagesIgnored);
        }
    }

    // An SLI goes to the LAC and a WEN to the LNS; the other way round they mean nothing.
    private bool TakeStatus(Session session, in ControlMessage message)
    {
        if (message.Type == MessageType.Sli && session.IsLac && message.TryGetAccm(out uint send, out uint receive))
        {
            session.Accm = new(send, receive);
            session.LnsLcp = CallFacts.LnsLcpOf(message) ?? session.LnsLcp;
            _endpoint.Tell(new(L2tpEventKind.LinkInfoChanged, this, session));
            return true;
        }

        if (message.Type == MessageType.Wen && !session.IsLac &&
            message.TryGetBytes(AvpType.CallErrors, out ReadOnlySpan<byte> counters))
        {
            session.CallErrors = CallErrors.Read(counters);
            _endpoint.Tell(new(L2tpEventKind.CallErrorsReported, this, session));
            return true;
        }

        return message.Type == MessageType.Mdmst && TakeModemStatus(session, message);
    }

    // RFC 3573 section 3: only where we said that we know it, and only changes.
    private bool TakeModemStatus(Session session, in ControlMessage message)
    {
        if (session.IsLac || !Settings.ModemOnHoldCapable || session.State != SessionState.Established ||
            !message.TryGetUInt16(AvpType.ModemOnHoldStatus, out ushort status))
        {
            return false;
        }

        if (session.ModemStatus != status)
        {
            session.ModemStatus = status;
            _endpoint.Tell(new(L2tpEventKind.ModemStatusChanged, this, session));
        }

        return true;
    }
}
