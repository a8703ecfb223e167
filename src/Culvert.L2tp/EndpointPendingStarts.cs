using System.Diagnostics.CodeAnalysis;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// Starts while many are half-open. An SCCRQ is then answered from a small record (<see cref="PendingStarts"/>), and only an SCCCN that
/// fits it makes a tunnel. The peer repeats its SCCRQ when the answer is lost, and gets the same one.
/// </summary>
public sealed partial class L2tpEndpoint
{
    private readonly PendingStarts _pending;

    /// <summary>Starts that were answered without making a tunnel, and are not completed.</summary>
    public int PendingStartCount => _pending.Count;

    private bool IsCrowded =>
        _pending.IsEnabled && _directory.HalfOpenCount >= Math.Min(Limits.PendingStartsAbove, Limits.MaxHalfOpenTunnels);

    /// <summary>True when the SCCRQ was dealt with here: answered, or refused.</summary>
    private bool TryAnswerFromRecord(
        TunnelSettings settings, in UdpPath path, in L2tpHeader header, in ControlMessage sccrq, ReadOnlySpan<byte> body, ushort assigned,
        Timestamp now)
    {
        if (_pending.TryFind(path.Peer, assigned, out ushort known))
        {
            if (_pending.TryGet(known, out PendingStart start) && start.Body.SequenceEqual(body) && !IsTooOld(start, now))
            {
                QueuePendingReply(path, assigned, known);
                return true;
            }

            // Another start under the same ID, or the same one long after: the peer has begun anew. An SCCCN that answers a record beyond
            // its time is refused, so answering from it would keep the peer out until others overwrite it.
            _pending.Remove(known);
        }

        if (!IsCrowded || body.Length > PendingStarts.BodyLimit)
        {
            return false;
        }

        if (Tunnel.JudgeStart(sccrq, settings) is { } refusal)
        {
            RefuseStart(path, header, assigned, refusal);
            return true;
        }

        long overwritten = _pending.Overwritten;
        if (!_pending.TryAdd(path, settings, assigned, body, _directory, now, out ushort localTunnelId))
        {
            return false;
        }

        Counters.Add(L2tpCounter.StartsPending);
        Counters.Add(L2tpCounter.PendingStartsOverwritten, _pending.Overwritten - overwritten);
        QueuePendingReply(path, assigned, localTunnelId);
        return true;
    }

    private static bool IsTooOld(in PendingStart start, Timestamp now) => start.At + start.Settings.EstablishTimeout < now;

    private void RefuseStart(in UdpPath path, in L2tpHeader header, ushort assigned, Disconnect refusal)
    {
        Counters.Add(refusal.Result == (ushort)StopCcnResult.UnsupportedProtocolVersion
            ? L2tpCounter.RefusedVersion : L2tpCounter.MalformedStart);
        ReplyOnce(path, header, assigned, refusal);
    }

    private void QueuePendingReply(in UdpPath path, ushort peerTunnelId, ushort localTunnelId)
    {
        if (!_replies.TryEnqueue(new(path, peerTunnelId, localTunnelId, 0, 1, null)))
        {
            Counters.Add(L2tpCounter.ReplyDropped); // the peer asks again
        }
    }

    /// <summary>The SCCRP of a record; 0 when it was overwritten meanwhile.</summary>
    private int WritePendingReply(Span<byte> buffer, in Reply reply)
    {
        if (!_pending.TryGet(reply.AssignedTunnelId, out PendingStart start) || start.PeerTunnelId != reply.PeerTunnelId ||
            start.Path.Peer != reply.Path.Peer)
        {
            return 0;
        }

        _ = ControlMessage.TryRead(start.Body, start.Settings.Secret, _scratch, out ControlMessage sccrq);
        _ = sccrq.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> peerChallenge);
        var companions = new StartCompanions(
            sccrq.Contains(AvpType.ControlConnectionDs) ? start.Settings.ControlPhb : null,
            start.Settings.EcnCapable && sccrq.Contains(AvpType.EcnCapability));
        return ControlMessages.WriteSccrp(
            buffer, start.Settings, reply.AssignedTunnelId, companions, start.Settings.SendsChallenge ? start.Challenge : default, peerChallenge,
            Random);
    }

    /// <summary>A message for an ID that was given away with such an answer.</summary>
    private void ReceiveForPending(
        in PendingStart start, in UdpPath path, in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        if (path.Peer != start.Path.Peer)
        {
            Counters.Add(L2tpCounter.WrongPath);
            return;
        }

        // Our SCCRP was number 0 and the SCCRQ too. A ZLB acknowledges it, and says nothing that must be kept; what has overtaken the SCCCN
        // is repeated by the peer.
        if (header.IsZeroLengthBody || header.Ns != 1 || header.Nr != 1)
        {
            return;
        }

        bool isReadable = ControlMessage.TryRead(message[header.PayloadStart..], start.Settings.Secret, _scratch, out ControlMessage body);
        Disconnect? refusal = JudgePending(start, body, isReadable, now);
        if (refusal is not null)
        {
            ReplyOnce(path, header, start.PeerTunnelId, refusal); // and the record stays, so that a forger cannot end what it stands for
        }
        else if (TryPromote(start, path, header.TunnelId, now, out Tunnel? tunnel))
        {
            tunnel.Receive(path, header, message, now);
            Touch(tunnel, now);
        }
        else
        {
            ReplyOnce(path, header, start.PeerTunnelId, TooManyTunnels);
        }
    }

    // A StopCCN makes a tunnel too, which then ends at once: it is acknowledged, and the operator is told the peer's reason.
    private Disconnect? JudgePending(in PendingStart start, in ControlMessage message, bool isReadable, Timestamp now)
    {
        if (message.Type == MessageType.StopCcn)
        {
            return null;
        }

        if (message.Type != MessageType.Scccn || IsTooOld(start, now))
        {
            Counters.Add(L2tpCounter.UnexpectedMessage);
            return Disconnect.OfTunnel(StopCcnResult.FiniteStateMachineError, "no tunnel is being set up");
        }

        if (Tunnel.TryFindFault(message, isReadable, out ErrorCode error, out string what))
        {
            Counters.Add(L2tpCounter.MalformedMessage);
            return Disconnect.OfTunnel(StopCcnResult.GeneralError, error, what);
        }

        _ = message.TryGetBytes(AvpType.ChallengeResponse, out ReadOnlySpan<byte> response);
        if (!start.Settings.SendsChallenge ||
            TunnelAuthentication.Verify(MessageType.Scccn, start.Settings.Secret, start.Challenge, response))
        {
            return null;
        }

        Counters.Add(L2tpCounter.AuthenticationFailed);
        return Tunnel.WrongResponse(response);
    }

    private bool TryPromote(in PendingStart start, in UdpPath path, ushort localTunnelId, Timestamp now, [NotNullWhen(true)] out Tunnel? tunnel)
    {
        tunnel = null;
        if (_directory.TryFind(path.Peer, start.PeerTunnelId, out Tunnel? existing) && existing.Ended is not null)
        {
            Forget(existing); // what it still says to this peer would be taken for the new tunnel's
        }

        MakeRoom(isHalfOpen: false);
        if (_directory.IsFull)
        {
            Counters.Add(L2tpCounter.TunnelLimit);
            return false;
        }

        tunnel = new(this, localTunnelId, path, start.Settings, isStartedHere: false, now);
        _ = ControlMessage.TryRead(start.Body, start.Settings.Secret, _scratch, out ControlMessage sccrq);
        tunnel.Resume(sccrq, start.Challenge);
        _pending.Remove(localTunnelId);
        _directory.Add(tunnel);
        _directory.NotePeerId(tunnel);
        _directory.AddHalfOpen(tunnel);
        Counters.Add(L2tpCounter.TunnelsOffered);
        Counters.Add(L2tpCounter.PendingStartsCompleted);
        return true;
    }
}
