using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>From nothing to an established control connection (RFC 2661 sections 5.1, 6.1 to 6.3 and 7.2.1).</summary>
public sealed partial class Tunnel
{
    /// <summary>Octets of our Challenge.</summary>
    private const int ChallengeSize = 16;

    private const byte SupportedVersion = 1;

    private byte[]? _peerChallenge;

    /// <summary>Sends the SCCRQ.</summary>
    internal void Start(IRandomSource random, Timestamp now)
    {
        LocalChallenge = NewChallenge(random);
        if (Settings.SendTieBreaker)
        {
            TieBreaker = ((ulong)random.NextUInt32() << 32) | random.NextUInt32();
        }

        Apply(TunnelInput.LocalOpen, null, now);
    }

    /// <summary>Judges the SCCRQ for which this tunnel was made; sends the SCCRP or says why not.</summary>
    internal bool TryAnswer(in ControlMessage sccrq, IRandomSource random, Timestamp now, out Disconnect? refusal)
    {
        refusal = JudgeStart(sccrq, Settings);
        if (refusal is not null)
        {
            return false;
        }

        TakePeerFacts(sccrq);
        LocalChallenge = NewChallenge(random);
        Channel.HeldLimit = HeldBeforeEstablished;
        Channel.MaxRetransmits = Math.Min(Settings.Channel.MaxRetransmits, _endpoint.Limits.HalfOpenRetransmits);
        _peerChallenge = ChallengeOf(sccrq);
        Apply(TunnelInput.SccrqAcceptable, null, now);
        return true;
    }

    /// <summary>Takes the place of a record from which the SCCRP was sent already; the peer's SCCCN comes next.</summary>
    internal void Resume(in ControlMessage sccrq, ReadOnlySpan<byte> challenge)
    {
        Channel.StartAt(ns: 1, nr: 1);
        TakePeerFacts(sccrq);
        LocalChallenge = Settings.SendsChallenge ? challenge.ToArray() : null;
        State = TunnelState.WaitCtlConn;
        RecordState();
    }

    /// <summary>What in an SCCRQ or SCCRP forbids a tunnel; null when nothing does. AVPs that must be there are there.</summary>
    internal static Disconnect? JudgeStart(in ControlMessage message, TunnelSettings settings)
    {
        if (message.TryGetBytes(AvpType.ProtocolVersion, out ReadOnlySpan<byte> version) && version[0] != SupportedVersion)
        {
            // The Error Code tells the highest version that is supported.
            return Disconnect.OfTunnel(StopCcnResult.UnsupportedProtocolVersion, (ErrorCode)(SupportedVersion << 8));
        }

        if (!message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort assigned) || assigned == 0)
        {
            return Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.ValueOutOfRange, "Assigned Tunnel ID 0");
        }

        if (message.TryGetUInt16(AvpType.ReceiveWindowSize, out ushort window) && window == 0)
        {
            return Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.ValueOutOfRange, "Receive Window Size 0");
        }

        bool isChallenged = message.Contains(AvpType.Challenge);
        if (isChallenged && settings.Secret is not { Length: > 0 })
        {
            return Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "a Challenge came, but no secret is configured for this peer");
        }

        return settings.RequireChallenge && !isChallenged
            ? Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "tunnel authentication is required, but no Challenge came") : null;
    }

    private void HandleSccrp(in ControlMessage message, Timestamp now)
    {
        if (State != TunnelState.WaitCtlReply)
        {
            Apply(TunnelInput.SccrpNotAcceptable, OutOfSequence(MessageType.Sccrp), now);
            return;
        }

        // Even a refusal goes to the ID that the peer has assigned.
        if (message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort assigned))
        {
            Channel.PeerTunnelId = assigned;
        }

        Disconnect? refusal = JudgeStart(message, Settings) ?? JudgeResponse(message) ?? JudgeControlPhb(message);
        if (refusal is not null)
        {
            Apply(TunnelInput.SccrpNotAcceptable, refusal, now);
            return;
        }

        TakePeerFacts(message);
        _peerChallenge = ChallengeOf(message);
        Apply(TunnelInput.SccrpAcceptable, null, now);
    }

    private void HandleScccn(in ControlMessage message, Timestamp now)
    {
        Disconnect? refusal = State == TunnelState.WaitCtlConn ? JudgeResponse(message) : OutOfSequence(MessageType.Scccn);
        Apply(refusal is null ? TunnelInput.ScccnAcceptable : TunnelInput.ScccnNotAcceptable, refusal, now);
    }

    // Section 5.1.1.
    private Disconnect? JudgeResponse(in ControlMessage message)
    {
        if (LocalChallenge is not { } challenge)
        {
            return null;
        }

        if (message.TryGetBytes(AvpType.ChallengeResponse, out ReadOnlySpan<byte> response) &&
            TunnelAuthentication.Verify(message.Type, Settings.Secret, challenge, response))
        {
            IsPeerAuthenticated = true;
            return null;
        }

        Count(L2tpCounter.AuthenticationFailed);
        return WrongResponse(response);
    }

    internal static Disconnect WrongResponse(ReadOnlySpan<byte> response) => Disconnect.OfTunnel(
        StopCcnResult.NotAuthorized, response.IsEmpty ? "no Challenge Response" : "wrong Challenge Response: the secrets differ");

    private void TakePeerFacts(in ControlMessage message)
    {
        _ = message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort assigned);
        Channel.PeerTunnelId = assigned;
        Channel.SetPeerWindow(
            message.TryGetUInt16(AvpType.ReceiveWindowSize, out ushort window) ? window : ControlChannelSettings.DefaultPeerWindow);
        PeerHostName = TextOf(message, AvpType.HostName, TunnelSettings.HostNameLimit) ?? string.Empty;
        PeerVendorName = TextOf(message, AvpType.VendorName, IncomingCall.TextLimit) ?? string.Empty;
        PeerFirmwareRevision = message.TryGetUInt16(AvpType.FirmwareRevision, out ushort firmware) ? firmware : (ushort)0;
        PeerFramingCapabilities = message.TryGetUInt32(AvpType.FramingCapabilities, out uint framing) ? framing : 0;
        TakeCompanions(message);
        PeerBearerCapabilities = message.TryGetUInt32(AvpType.BearerCapabilities, out uint bearer) ? bearer : null;
    }

    private void Open(Timestamp now)
    {
        LocalChallenge = null;
        _peerChallenge = null;
        EstablishedAt = now;
        Channel.HeldLimit = int.MaxValue;
        Channel.MaxRetransmits = Settings.Channel.MaxRetransmits;
        Channel.HellosEnabled = true;
        _endpoint.NoteEstablished(this, now);
        OpenWaitingCalls(now);
    }

    private byte[]? NewChallenge(IRandomSource random)
    {
        if (!Settings.SendsChallenge)
        {
            return null;
        }

        byte[] challenge = new byte[ChallengeSize];
        random.Fill(challenge);
        return challenge;
    }

    private static byte[]? ChallengeOf(in ControlMessage message) =>
        message.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> challenge) ? challenge.ToArray() : null;

    private static string? TextOf(in ControlMessage message, AvpType type, int limit) =>
        message.TryGetBytes(type, out ReadOnlySpan<byte> octets) ? SafeText.ToString(octets[..Math.Min(octets.Length, limit)]) : null;
}
