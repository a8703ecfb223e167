using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
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
        if (!TryFind(key, out Subscriber? subscriber) || subscriber.PeerSequences == hasSequence)
        {
            return;
        }

        if (hasSequence && !subscriber.HasSequenced)
        {
            subscriber.HasSequenced = true;
            Plane.ExpectNs(subscriber, (ushort)(ns + 1));
            string what = subscriber.Session.IsLac ? "the LNS sends sequence numbers: so do we" : "the LAC sends sequence numbers: they are heeded";
            Tell(NodeEventKind.Detail, what, subscriber);
        }

        subscriber.PeerSequences = hasSequence;
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

    /// <summary>How the data of a tunnel's sessions is to be written.</summary>
    internal DataPolicy DataPolicyOf(Tunnel tunnel) =>
        PolicyOf(tunnel)?.Data ?? DataPolicy.Default;

    private bool TryTransmitControl(Span<byte> buffer, out int length, out UdpPath path, out byte trafficClass)
    {
        bool isSent = _l2tp.TryTransmit(buffer, out length, out path, out Tunnel? tunnel);
        trafficClass = isSent ? PlaneMarking.OfControl(tunnel, tunnel is null ? DataPolicy.Default : DataPolicyOf(tunnel)) : (byte)0;
        return isSent;
    }

    private bool TryTransmitPpp(Subscriber subscriber, Span<byte> buffer, out int length, out byte trafficClass)
    {
        Session session = subscriber.Session;
        length = 0;
        trafficClass = 0;
        if (session.State != SessionState.Established
            || !subscriber.Link.TryTransmit(buffer[TunnelMtu.LongestL2tpHeader..], out int frameLength))
        {
            return false;
        }

        return TryWriteHeader(session, subscriber.Key, buffer, frameLength, out length, out trafficClass);
    }

    /// <summary>Puts the header in front of a frame that lies where the longest one would leave it.</summary>
    private bool TryWriteHeader(Session session, SessionKey key, Span<byte> buffer, int frameLength, out int length, out byte trafficClass)
    {
        DataPolicy policy = DataPolicyOf(session.Tunnel);
        L2tpHeaderFlags flags = policy.LengthField ? L2tpHeaderFlags.Length : L2tpHeaderFlags.None;
        flags |= IsEcho(buffer.Slice(TunnelMtu.LongestL2tpHeader, frameLength)) ? L2tpHeaderFlags.Priority : L2tpHeaderFlags.None;
        flags |= Plane.TryTakeNs(key, out ushort ns) ? L2tpHeaderFlags.Sequence : L2tpHeaderFlags.None;
        L2tpHeader header = L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, frameLength, flags, ns);
        buffer.Slice(TunnelMtu.LongestL2tpHeader, frameLength).CopyTo(buffer[header.PayloadStart..]);
        length = header.PayloadStart + frameLength;
        trafficClass = PlaneMarking.OfSession(session, policy).PppTrafficClass;
        return header.TryWrite(buffer, out _);
    }

    // RFC 2661 section 3.1: LCP echoes should not wait behind data, which is what the P bit says. LCP is never compressed.
    private static bool IsEcho(ReadOnlySpan<byte> frame)
    {
        const byte EchoRequest = 9;
        const byte EchoReply = 10;
        return frame is [0xFF, 0x03, 0xC0, 0x21, EchoRequest or EchoReply, ..];
    }
}
