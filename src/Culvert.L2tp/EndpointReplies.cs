using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>StopCCNs to those who have no tunnel. They are said once, and nothing is kept.</summary>
public sealed partial class L2tpEndpoint
{
    private readonly BoundedQueue<Reply> _replies;

    /// <summary>A StopCCN without a tunnel behind it. It is not repeated, and its acknowledgement means nothing.</summary>
    private readonly record struct Reply(UdpPath Path, ushort PeerTunnelId, ushort AssignedTunnelId, ushort Ns, ushort Nr, Disconnect Why);

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
