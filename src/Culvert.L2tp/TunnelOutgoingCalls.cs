using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Outgoing calls in both roles: an LNS asks a LAC to dial (RFC 2661 sections 5.2.2, 6.9 to 6.11 and 7.5).</summary>
public sealed partial class Tunnel
{
    private static readonly Disconnect PlacesNoCalls =
        Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "the peer did not advertise such a bearer or framing");

    /// <summary>
    /// LNS role: asks the peer to dial. The OCRQ goes out as soon as the tunnel is established; SessionEstablished tells that the
    /// called party answered. A call that the peer's Bearer and Framing Capabilities exclude ends without being asked for
    /// (section 6.9). False when the tunnel has ended or no session is free.
    /// </summary>
    public bool TryPlaceOutgoingCall(OutgoingCall call, Timestamp now, [NotNullWhen(true)] out Session? session)
    {
        session = null;
        if (Ended is not null || !_endpoint.TryReserveSession(this, out ushort localSessionId))
        {
            return false;
        }

        OutgoingCall numbered = call.SerialNumber == 0 ? call with { SerialNumber = _endpoint.NextSerialNumber() } : call;
        session = new(this, localSessionId, 0, isPlacedHere: true, CallFacts.Of(numbered), SessionState.WaitTunnel)
        {
            OutgoingCall = numbered,
        };
        _asksForCalls = true;
        AddSession(session, now);
        if (State == TunnelState.Established)
        {
            OpenCall(session, now);
        }

        _endpoint.Touch(this, now);
        return true;
    }

    /// <summary>The tunnel is there: asks for the call that waits for it.</summary>
    private void OpenCall(Session session, Timestamp now)
    {
        bool isPossible = session.OutgoingCall is not { } call || MayAskFor(call);
        Apply(session, isPossible ? SessionInput.TunnelOpen : SessionInput.LocalClose, isPossible ? null : PlacesNoCalls, now);
    }

    // Sections 4.4.4 and 6.9: no bit that the LAC did not advertise, and no call at all of a LAC without Bearer Capabilities.
    private bool MayAskFor(OutgoingCall call) =>
        PeerBearerCapabilities is uint bearers && (call.BearerType & bearers) != 0 && (call.FramingType & PeerFramingCapabilities) != 0;

    private Disconnect? JudgeOcrq(in ControlMessage ocrq)
    {
        if (!Settings.AcceptOutgoingCalls)
        {
            return Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "outgoing calls are not served for this peer");
        }

        _ = ocrq.TryGetUInt32(AvpType.MinimumBps, out uint minimum);
        _ = ocrq.TryGetUInt32(AvpType.MaximumBps, out uint maximum);
        if (minimum > maximum)
        {
            return Disconnect.OfSession(CdnResult.GeneralError, ErrorCode.ValueOutOfRange, "Minimum BPS is above Maximum BPS");
        }

        _ = ocrq.TryGetUInt32(AvpType.FramingType, out uint framing);
        _ = ocrq.TryGetUInt32(AvpType.BearerType, out uint bearer);
        if ((framing & Settings.FramingCapabilities) == 0)
        {
            return Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "Framing Type is not among our Framing Capabilities");
        }

        return (bearer & Settings.AdvertisedBearers) != 0 ? null
            : Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "Bearer Type is not among our Bearer Capabilities");
    }

    private void HandleOccn(in L2tpHeader header, in ControlMessage message, Timestamp now)
    {
        if (!TryFindSession(header.SessionId, out Session? session))
        {
            Count(L2tpCounter.UnexpectedMessage); // idle, OCCN: clean up, and there is nothing
        }
        else if (session is not { Direction: CallDirection.Outgoing, State: SessionState.WaitConnect })
        {
            ApplyWrongState(session, SessionInput.Occn, message.Type, now);
        }
        else
        {
            session.Call = CallFacts.WithConnected(session.Call, message);
            Disconnect? refusal = JudgeConnected(session.Call);
            Apply(session, refusal is null ? SessionInput.OccnAcceptable : SessionInput.LocalClose, refusal, now);
        }
    }
}
