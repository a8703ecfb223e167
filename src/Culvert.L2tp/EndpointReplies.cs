using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Answers to those who have no tunnel: StopCCNs, and SCCRPs from records. They are said once, and nothing is kept of them.</summary>
public sealed partial class L2tpEndpoint
{
    private readonly BoundedQueue<Reply> _replies;

    /// <summary>A StopCCN without a tunnel behind it, or, without a reason, the SCCRP of a record. It is not repeated.</summary>
    private readonly record struct Reply(UdpPath Path, ushort PeerTunnelId, ushort AssignedTunnelId, ushort Ns, ushort Nr, Disconnect? Why);

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
        while (_replies.TryDequeue(out Reply reply))
        {
            length = reply.Why is null
                ? WritePendingReply(buffer, reply) : ControlMessages.WriteStopCcn(buffer, reply.AssignedTunnelId, reply.Why);
            if (length > 0)
            {
                L2tpHeader.Patch(buffer, reply.PeerTunnelId, reply.Ns, reply.Nr);
                path = reply.Path;
                Counters.Add(L2tpCounter.MessagesSent);
                return true;
            }
        }

        length = 0;
        path = default;
        return false;
    }
}
