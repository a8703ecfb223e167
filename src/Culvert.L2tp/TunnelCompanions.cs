using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>What an SCCRQ or SCCRP says of RFC 3308 and RFC 9601; a terminator only what it grants (RFC 9601 section 6.1.1.2.1).</summary>
internal readonly record struct StartCompanions(ushort? ControlPhb, bool Ecn);

/// <summary>What later RFCs add to a tunnel: Diffserv (3308), ECN (9601), modem on hold (3573) and connect speed updates (5515).</summary>
public sealed partial class Tunnel
{
    /// <summary>The per-hop behaviour that both ends use for control messages (RFC 3308); null when none was agreed.</summary>
    public ushort? ControlPhb { get; private set; }

    /// <summary>True when both ends said that they propagate ECN between inner and outer headers (RFC 9601 section 6.1.1.2).</summary>
    public bool IsEcnAgreed { get; private set; }

    /// <summary>True when the peer knows Modem-Status messages (RFC 3573).</summary>
    public bool IsPeerModemOnHoldCapable { get; private set; }

    private void TakeCompanions(in ControlMessage start)
    {
        IsEcnAgreed = Settings.EcnCapable && start.Contains(AvpType.EcnCapability);
        IsPeerModemOnHoldCapable = start.Contains(AvpType.ModemOnHoldCapable);
        bool isOffered = start.TryGetUInt16(AvpType.ControlConnectionDs, out ushort offered);

        // RFC 3308 section 3: the terminator's word is the last, so what it wants is what is agreed, unless the initiator leaves.
        ControlPhb = !isOffered || Settings.ControlPhb is null ? null : IsStartedHere ? offered : Settings.ControlPhb;
    }

    /// <summary>RFC 3308 section 3: an initiator that insists leaves when it does not get its way.</summary>
    private Disconnect? JudgeControlPhb(in ControlMessage sccrp)
    {
        bool isSame = sccrp.TryGetUInt16(AvpType.ControlConnectionDs, out ushort offered) && offered == Settings.ControlPhb;
        return Settings.ControlPhb is null || !Settings.RequirePhb || isSame ? null
            : Disconnect.OfTunnel(StopCcnResult.ControlConnectionDsMismatch, (ErrorCode)AvpType.ControlConnectionDs);
    }

    /// <summary>RFC 3308 section 4, for the answer to a call that was placed here.</summary>
    private Disconnect? JudgeSessionPhb(Session session, in ControlMessage reply)
    {
        bool isOffered = reply.TryGetUInt16(AvpType.SessionDs, out ushort offered);
        if (Settings.SessionPhb is null || !Settings.RequirePhb || (isOffered && offered == Settings.SessionPhb))
        {
            session.Phb = isOffered && Settings.SessionPhb is not null ? offered : null;
            return null;
        }

        return Disconnect.OfSession(CdnResult.SessionDsMismatch, (ErrorCode)AvpType.SessionDs);
    }

    internal bool TrySendModemStatus(Session session, ushort status, Timestamp now)
    {
        // RFC 3573: not to a peer that did not say that it knows these.
        if (!IsPeerModemOnHoldCapable)
        {
            return false;
        }

        SendStatus(session, ControlMessages.Mdmst(session, status, _endpoint.Random), now);
        return true;
    }

    internal void SendSpeeds(MessageType type, ReadOnlySpan<Session> sessions, Timestamp now)
    {
        _endpoint.NoteTime(now);
        Send(ControlMessages.SpeedUpdate(type, this, sessions, _endpoint.Random), now);
        _endpoint.Touch(this, now);
    }

    // RFC 5515 section 4: whatever is unknown or was not announced is passed over.
    private void HandleSpeeds(in ControlMessage message, Timestamp now)
    {
        if (State != TunnelState.Established)
        {
            Count(L2tpCounter.StatusMessagesIgnored);
            return;
        }

        var asked = new List<Session>();
        foreach (Avp avp in message)
        {
            bool isSpeed = avp.Id == AvpType.ConnectSpeedUpdate && !avp.IsHidden && !avp.HasReservedBits &&
                AvpFormat.ConnectSpeedUpdate.Allows(avp.Value.Length);
            if (isSpeed && TryFindSession(BinaryPrimitives.ReadUInt16BigEndian(avp.Value[2..]), out Session? session) &&
                session is { State: SessionState.Established, Call.SendsSpeedUpdates: true })
            {
                TakeSpeed(session, message.Type, avp.Value, asked);
            }
        }

        if (asked.Count > 0)
        {
            SendSpeeds(MessageType.Csun, [.. asked], now);
        }
    }

    private void TakeSpeed(Session session, MessageType type, ReadOnlySpan<byte> value, List<Session> asked)
    {
        if (type == MessageType.Csurq && session.IsLac)
        {
            asked.Add(session);
        }
        else if (type == MessageType.Csun && !session.IsLac)
        {
            session.Call = session.Call with
            {
                TxConnectSpeed = BinaryPrimitives.ReadUInt32BigEndian(value[4..]),
                RxConnectSpeed = BinaryPrimitives.ReadUInt32BigEndian(value[8..]),
            };
            _endpoint.Tell(new(L2tpEventKind.ConnectSpeedChanged, this, session));
        }
    }
}
