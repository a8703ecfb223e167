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
    private static readonly Disconnect Malformed =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.ValueOutOfRange, "malformed SCCRQ");

    private static readonly Disconnect TooManyTunnels =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.InsufficientResources, "no tunnel is free");

    private static readonly Disconnect NoSuchTunnel =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.NoControlConnection, "SCCRP for no tunnel");

    private static readonly Disconnect PushedOut =
        Disconnect.OfTunnel(StopCcnResult.GeneralError, ErrorCode.InsufficientResources, "dropped to make room").AsTimeout();

    private void Route(in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> datagram, Timestamp now)
    {
        ReadOnlySpan<byte> message = datagram[..header.PayloadEnd];
        if (header.TunnelId == 0)
        {
            ReceiveWithoutId(path, header, message, now);
        }
        else if (_directory.TryFind(header.TunnelId, out Tunnel? tunnel))
        {
            if (message.Length < datagram.Length && path.Peer == tunnel.Path.Peer)
            {
                tunnel.Notice(L2tpNotice.TrailingOctets);
            }

            tunnel.Receive(path, header, message, now);
            Touch(tunnel, now);
        }
        else if (_pending.TryGet(header.TunnelId, out PendingStart start))
        {
            ReceiveForPending(start, path, header, message, now);
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
        else if (!_startRates.TryTake(path.Peer.Address, now) || !_starts.TryTake(Limits.StartRate, now))
        {
            Deny(L2tpCounter.StartRateExceeded, path.Peer); // and not a word: the source may be forged, and would be flooded by us
        }
        else if (_directory.HalfOpenWith(path.Peer.Address) >= Limits.MaxHalfOpenTunnelsPerPeer)
        {
            Deny(L2tpCounter.HalfOpenPerPeerLimit, path.Peer);
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

        if (TryBreakTie(path, message, now) && !TryAnswerFromRecord(settings, path, header, message, body, assigned, now))
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
            Forget(tunnel);
            RefuseStart(path, header, assigned, refusal!);
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
        for (LinkedListNode<Tunnel>? node = _directory.NewestWaiting; node is not null; node = node.Previous)
        {
            Tunnel tunnel = node.Value;
            if (tunnel.Path.Peer != path.Peer || (peerTie is null && tunnel.TieBreaker is null))
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
        MakeRoom(isHalfOpen: !isStartedHere);
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
    private void MakeRoom(bool isHalfOpen)
    {
        if (isHalfOpen && _directory.HalfOpenCount >= Limits.MaxHalfOpenTunnels && _directory.OldestHalfOpen is { } oldest)
        {
            Counters.Add(L2tpCounter.HalfOpenDropped);
            oldest.Abandon(PushedOut);
        }

        if (_directory.IsFull && _directory.OldestLingering is { } lingering)
        {
            Forget(lingering);
        }
    }
}
