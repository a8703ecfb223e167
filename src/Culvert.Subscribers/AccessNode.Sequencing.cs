using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Subscribers.Policy;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers;

/// <summary>Data messages: their sequence numbers (RFC 2661 section 5.4), their header and their marking.</summary>
public sealed partial class AccessNode
{
    /// <summary>
    /// The peer has begun to send sequence numbers, or has ceased to. A LAC then does the same; an LNS that did not ask for them puts into
    /// order what comes.
    /// </summary>
    /// <param name="key">The session.</param>
    /// <param name="hasSequence">Whether the message that told it had a number.</param>
    /// <param name="ns">That number.</param>
    public void OnSequencingChanged(SessionKey key, bool hasSequence, ushort ns)
    {
        if (!_l2tp.TryFind(key.LocalTunnelId, out Tunnel? tunnel) || !tunnel.TryFindSession(key.LocalSessionId, out Session? session)
            || session.Owner is not ISequencedSession owner || owner.PeerSequences == hasSequence)
        {
            return;
        }

        owner.PeerSequences = hasSequence;
        if (!owner.HasSequenced)
        {
            owner.HasSequenced = true;
            Plane.ExpectNs(session, (ushort)(ns + 1));
            string what = session.IsLac ? "the LNS sends sequence numbers: so do we" : "the LAC sends sequence numbers: they are heeded";
            Tell(NodeEventKind.Detail, what, session.Owner as Subscriber, tunnel: tunnel);
        }

        if (session.Owner is Subscriber subscriber)
        {
            UpdateMtu(subscriber);
        }
        else
        {
            Plane.UpdateLine(session);
        }
    }

    /// <summary>The peer's data of this session carry sequence numbers, agreed on or not.</summary>
    public static bool PeerSequences(Session session) => session.Owner is ISequencedSession { PeerSequences: true };

    // Four octets more or less in front of every packet.
    private void UpdateMtu(Subscriber subscriber)
    {
        int mtu = subscriber.Mtu;
        Plane.Update(subscriber);
        if (subscriber.IsUp && subscriber.Mtu != mtu && subscriber.Tunnel.Owner is Dial dial)
        {
            Tell(NodeEventKind.DialMtuChanged, $"MTU {subscriber.Mtu}", subscriber, dial);
        }
    }

    /// <summary>What became of a session's sequenced data; null for a session that never sequenced.</summary>
    public SequenceCounters? SequencingOf(Subscriber subscriber) => Plane.ReadSequencing(subscriber);

    /// <inheritdoc cref="TryTransmit(Span{byte}, Timestamp, out int, out UdpPath, out byte)"/>
    public bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path) =>
        TryTransmit(buffer, now, out length, out path, out _);

    private DataPolicy DataPolicyOf(Tunnel tunnel) => PolicyOf(tunnel)?.Data ?? DataPolicy.Default;

    private bool TryTransmitControl(Span<byte> buffer, out int length, out UdpPath path, out byte trafficClass)
    {
        bool isSent = _l2tp.TryTransmit(buffer, out length, out path, out Tunnel? tunnel);
        trafficClass = isSent ? PlaneMarking.OfControl(tunnel, tunnel is null ? DataPolicy.Default : DataPolicyOf(tunnel)) : (byte)0;
        return isSent;
    }

    private bool TryTransmitPpp(Subscriber subscriber, Span<byte> buffer, out int length, out byte trafficClass)
    {
        length = 0;
        trafficClass = 0;
        return subscriber.Session.State == SessionState.Established
            && subscriber.Link.TryTransmit(buffer[DataFrame.HeaderRoom..], out int frameLength)
            && DataFrame.TryFinish(Plane, subscriber.Session, buffer, frameLength, out length, out trafficClass);
    }
}
