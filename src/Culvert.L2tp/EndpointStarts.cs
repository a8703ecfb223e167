using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// What comes without a tunnel: SCCRQs, first of all, which anybody can send in anybody's name. Until a peer is believed, it costs no
/// memory; what is said to it is said once, without state.
/// </summary>
public sealed partial class L2tpEndpoint
{
    /// <summary>How long an older tunnel of a peer that opens another may stay silent before it is asked whether it lives.</summary>
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(5);

    /// <summary>Older tunnels with the same address and port that are looked at when another is established. Others wait for their HELLO.</summary>
    private const int OlderTunnelsLookedAt = 64;

    private readonly BoundedQueue<Reply> _replies;

    /// <summary>A StopCCN without a tunnel behind it. It is not repeated, and its acknowledgement means nothing.</summary>
    private readonly record struct Reply(UdpPath Path, ushort PeerTunnelId, ushort AssignedTunnelId, ushort Ns, ushort Nr, Disconnect Why);

    private static readonly Disconnect Malformed = Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.ValueOutOfRange, "malformed SCCRQ");

    private static readonly Disconnect TooManyTunnels =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.InsufficientResources, "no tunnel is free");

    private static readonly Disconnect NoSuchTunnel =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.NoControlConnection, "SCCRP for no tunnel");

    private static readonly Disconnect PushedOut =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.InsufficientResources, "dropped to make room").AsTimeout();

    private void Route(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        if (header.TunnelId == 0)
        {
            ReceiveWithoutId(path, header, message, now);
        }
        else if (_directory.TryFind(header.TunnelId, out Tunnel? tunnel))
        {
            tunnel.Receive(path, header, message, now);
            Touch(tunnel, now);
        }
        else
        {
            Counters.Add(L2tpCounter.UnknownTunnel);
            AnswerForNobody(path, header, message);
        }
    }

    // Section 7.2.1: idle, receive SCCRP: send StopCCN. Everything else for an unknown tunnel cannot be answered, for only an SCCRP
    // says to which ID.
    private void AnswerForNobody(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message)
    {
        if (StartFacts.TryRead(message[header.PayloadStart..], out StartFacts facts) && facts.Type == MessageType.Sccrp)
        {
            ReplyOnce(path, header, facts.AssignedTunnelId, NoSuchTunnel);
        }
    }

    private void ReceiveWithoutId(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        ReadOnlySpan<byte> body = message[header.PayloadStart..];
        bool isKnownType = StartFacts.TryRead(body, out StartFacts facts);
        if (isKnownType && facts.AssignedTunnelId != 0 && facts.Type is MessageType.Sccrq or MessageType.StopCcn &&
            _directory.TryFind(path.Peer, facts.AssignedTunnelId, out Tunnel? existing) && !IsAnotherStart(existing, facts, header, now))
        {
            // A repeated SCCRQ, or a StopCCN from a peer that does not know our ID yet.
            existing.Receive(path, header, message, now);
            Touch(existing, now);
        }
        else if (isKnownType && facts.Type == MessageType.Sccrq)
        {
            ReceiveStart(path, header, facts, body, now);
        }
        else
        {
            ReceiveWithLostId(path, header, message, now);
        }
    }

    /// <summary>
    /// The same peer and Assigned Tunnel ID again, long after the first: not a repetition but a peer that has restarted and chose the
    /// same number again.
    /// </summary>
    private static bool IsAnotherStart(Tunnel existing, in StartFacts facts, in L2tpHeader header, Timestamp now) =>
        facts.Type == MessageType.Sccrq && header.Ns == 0 &&
        (existing.Ended is not null ||
            (existing.State == TunnelState.Established && now - existing.EstablishedAt > existing.Settings.Channel.FullCycle));

    // D-Link DIR-300 goes on with Tunnel ID 0. Only for peers whose settings say so: otherwise anybody could guess less.
    private void ReceiveWithLostId(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        if (_directory.NewestWith(path.Peer) is { OlderOnPath: null, Settings.AcceptTunnelIdZero: true } only)
        {
            only.Notice(L2tpNotice.TunnelIdZero);
            only.Receive(path, header, message, now);
            Touch(only, now);
            return;
        }

        _ = StartFacts.TryRead(message[header.PayloadStart..], out StartFacts facts);
        Counters.Add(facts.Type == MessageType.Sccrq ? L2tpCounter.MalformedStart : L2tpCounter.UnknownTunnel);
    }

    private void ReceiveStart(in UdpPath path, in L2tpHeader header, in StartFacts facts, ReadOnlySpan<byte> body, Timestamp now)
    {
        if (header.Ns != 0 || facts.HostName.IsEmpty)
        {
            Counters.Add(L2tpCounter.MalformedStart);
            ReplyOnce(path, header, facts.AssignedTunnelId, Malformed);
        }
        else if (_directory.HalfOpenWith(path.Peer.Address) >= Limits.MaxHalfOpenTunnelsPerPeer)
        {
            Counters.Add(L2tpCounter.HalfOpenPerPeerLimit);
        }
        else if (!_policy.TryAccept(new(path, facts.HostName, facts.VendorName), out TunnelSettings? settings, out Disconnect? refusal))
        {
            Counters.Add(L2tpCounter.RefusedByPolicy);
            ReplyOnce(path, header, facts.AssignedTunnelId, refusal);
        }
        else
        {
            ReceiveStartFrom(settings, path, header, body, now);
        }
    }

    private void ReceiveStartFrom(TunnelSettings settings, in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> body, Timestamp now)
    {
        bool isReadable = ControlMessage.TryRead(body, settings.Secret, _scratch, out ControlMessage message);
        _ = message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort assigned);
        if (Tunnel.TryFindFault(message, isReadable, out ErrorCode error, out string what))
        {
            Counters.Add(L2tpCounter.MalformedStart);
            ReplyOnce(path, header, assigned, Disconnect.OfTunnel(StopCcnResult.GeneralError, error, what));
            return;
        }

        // Found only now, because the ID was hidden.
        if (_directory.TryFind(path.Peer, assigned, out Tunnel? existing) &&
            !IsAnotherStart(existing, new() { Type = MessageType.Sccrq }, header, now))
        {
            existing.Channel.Receive(header, body, now);
            Touch(existing, now);
            return;
        }

        if (TryBreakTie(path, message, now))
        {
            Accept(settings, path, header, message, assigned, existing, now);
        }
    }

    private void Accept(
        TunnelSettings settings, in UdpPath path, in L2tpHeader header, in ControlMessage message, ushort assigned, Tunnel? existing,
        Timestamp now)
    {
        if (existing is { Ended: not null })
        {
            // What it still says to this peer would be taken for the new tunnel's.
            Forget(existing);
        }

        if (!TryMake(path, settings, isStartedHere: false, now, out Tunnel? tunnel))
        {
            ReplyOnce(path, header, assigned, TooManyTunnels);
            return;
        }

        Counters.Add(L2tpCounter.TunnelsOffered);
        if (!tunnel.TryAnswer(message, Random, now, out Disconnect? refusal))
        {
            Counters.Add(refusal!.Result == (ushort)StopCcnResult.UnsupportedProtocolVersion
                ? L2tpCounter.RefusedVersion : L2tpCounter.MalformedStart);
            Forget(tunnel);
            ReplyOnce(path, header, assigned, refusal);
            return;
        }

        _ = tunnel.Channel.Receive(header, default, now);
        _directory.NotePeerId(tunnel);
        _directory.AddHalfOpen(tunnel);
        Touch(tunnel, now);
    }

    /// <summary>Section 4.4.3, Tie Breaker. False when the peer's SCCRQ loses, and is silently discarded.</summary>
    private bool TryBreakTie(in UdpPath path, in ControlMessage sccrq, Timestamp now)
    {
        ulong? peerTie = sccrq.TryGetUInt64(AvpType.TieBreaker, out ulong value) ? value : null;
        for (Tunnel? tunnel = _directory.NewestWith(path.Peer); tunnel is not null; tunnel = tunnel.OlderOnPath)
        {
            if (tunnel.State != TunnelState.WaitCtlReply || (peerTie is null && tunnel.TieBreaker is null))
            {
                continue;
            }

            Counters.Add(L2tpCounter.TieBroken);
            ulong peer = peerTie ?? ulong.MaxValue;
            ulong local = tunnel.TieBreaker ?? ulong.MaxValue;
            bool peerLoses = peerTie is null || (tunnel.TieBreaker is not null && local <= peer);
            if (!peerLoses || local == peer)
            {
                tunnel.LoseTie(now);
            }

            return !peerLoses;
        }

        return true;
    }

    private bool TryMake(
        in UdpPath path, TunnelSettings settings, bool isStartedHere, Timestamp now, [NotNullWhen(true)] out Tunnel? tunnel)
    {
        tunnel = null;
        MakeRoom(isStartedHere);
        if (_directory.IsFull || !_directory.TryChooseId(out ushort id))
        {
            Counters.Add(L2tpCounter.TunnelLimit);
            return false;
        }

        tunnel = new(this, id, path, settings, isStartedHere, now);
        _directory.Add(tunnel);
        return true;
    }

    // The oldest half-open tunnel gives way to a new one; ended ones give way before anybody is refused.
    private void MakeRoom(bool isStartedHere)
    {
        if (!isStartedHere && _directory.HalfOpenCount >= Limits.MaxHalfOpenTunnels && _directory.OldestHalfOpen is { } oldest)
        {
            Counters.Add(L2tpCounter.HalfOpenDropped);
            oldest.Abandon(PushedOut);
        }

        if (_directory.IsFull && _directory.OldestLingering is { } lingering)
        {
            Forget(lingering);
        }
    }

    internal void MovePath(Tunnel tunnel, in UdpPath path) => _directory.Move(tunnel, path);

    internal void NoteEnded(Tunnel tunnel)
    {
        Counters.Add(L2tpCounter.TunnelsClosed);
        _directory.NoteEnded(tunnel);
    }

    internal void NoteEstablished(Tunnel tunnel, Timestamp now)
    {
        Counters.Add(L2tpCounter.TunnelsEstablished);
        _directory.RemoveHalfOpen(tunnel);
        _directory.NotePeerId(tunnel);
        Tell(new(L2tpEventKind.TunnelEstablished, tunnel));
        if (!tunnel.IsStartedHere)
        {
            LookForRestart(tunnel, now);
        }
    }

    /// <summary>
    /// A peer that has now proved itself may have lost its memory of older tunnels. One with the same ID at the same peer is certainly
    /// lost; others are asked, for several tunnels with one address and port are legal.
    /// </summary>
    private void LookForRestart(Tunnel tunnel, Timestamp now)
    {
        Tunnel? older = tunnel.OlderOnPath;
        for (int i = 0; i < OlderTunnelsLookedAt && older is not null; i++)
        {
            Tunnel? next = older.OlderOnPath;
            if (older.State == TunnelState.Established && !older.IsStartedHere)
            {
                HandleOlder(tunnel, older, now);
            }

            older = next;
        }
    }

    private void HandleOlder(Tunnel tunnel, Tunnel older, Timestamp now)
    {
        bool isSameName = string.Equals(older.PeerHostName, tunnel.PeerHostName, StringComparison.Ordinal);
        Disconnect why = Disconnect.OfTunnel(StopCcnResult.GeneralRequest, "the peer has restarted: it opened another tunnel");
        if (older.PeerTunnelId == tunnel.PeerTunnelId)
        {
            tunnel.Notice(L2tpNotice.PeerRestarted);
            older.Abandon(why);
        }
        else if (isSameName && tunnel.Settings.OnRestart == RestartDetection.CloseOlder)
        {
            tunnel.Notice(L2tpNotice.PeerRestarted);
            older.Close(why, now);
        }
        else if (isSameName && tunnel.Settings.OnRestart == RestartDetection.Probe)
        {
            older.Channel.ProbeAfter(ProbePatience, now);
            Touch(older, now);
        }
    }

    internal void Forget(Tunnel tunnel)
    {
        if (!tunnel.IsForgotten)
        {
            tunnel.IsForgotten = true;
            _deadlines.Remove(tunnel.LocalTunnelId);
            _directory.Remove(tunnel);
        }
    }

    // Nobody is answered who has not said to which ID: header and AVP would be 0, which is nobody's.
    private void ReplyOnce(in UdpPath path, in L2tpHeader header, ushort peerTunnelId, Disconnect why)
    {
        if (peerTunnelId == 0)
        {
            return;
        }

        // It goes on from the numbers of the message that it answers. An SCCRQ knows no ID of ours, so it is told one that nobody has.
        ushort assigned = header.TunnelId;
        if ((assigned == 0 && !_directory.TryChooseId(out assigned)) ||
            !_replies.TryEnqueue(new(path, peerTunnelId, assigned, header.Nr, (ushort)(header.Ns + 1), why)))
        {
            Counters.Add(L2tpCounter.ReplyDropped);
        }
    }

    private bool TryTransmitReply(Span<byte> buffer, out int length, out UdpPath path)
    {
        if (!_replies.TryDequeue(out Reply reply))
        {
            length = 0;
            path = default;
            return false;
        }

        length = ControlMessages.WriteStopCcn(buffer, reply.AssignedTunnelId, reply.Why);
        L2tpHeader.Patch(buffer, reply.PeerTunnelId, reply.Ns, reply.Nr);
        path = reply.Path;
        Counters.Add(L2tpCounter.MessagesSent);
        return true;
    }
}
