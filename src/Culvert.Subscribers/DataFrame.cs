using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>A PPP frame that the control plane sends, in its data message (RFC 2661 section 3.1).</summary>
internal static class DataFrame
{
    /// <summary>Where the frame lies before its header is written in front of it: the longest header fits.</summary>
    public const int HeaderRoom = TunnelMtu.LongestL2tpHeader;

    /// <summary>Writes the header, and moves the frame from <see cref="HeaderRoom"/> to its end. Takes the next sequence number.</summary>
    public static bool TryFinish(Plane plane, Session session, Span<byte> buffer, int frameLength, out int length, out byte trafficClass)
    {
        DataPolicy policy = plane.PolicyOf(session.Tunnel);
        Span<byte> frame = buffer.Slice(HeaderRoom, frameLength);
        L2tpHeaderFlags flags = (policy.LengthField ? L2tpHeaderFlags.Length : L2tpHeaderFlags.None)
            | (IsEcho(frame) ? L2tpHeaderFlags.Priority : L2tpHeaderFlags.None)
            | (plane.TryTakeNs(session, out ushort ns) ? L2tpHeaderFlags.Sequence : L2tpHeaderFlags.None);
        L2tpHeader header = L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, frameLength, flags, ns);
        frame.CopyTo(buffer[header.PayloadStart..]);
        length = header.PayloadEnd;
        trafficClass = PlaneMarking.OfSession(session, policy).PppTrafficClass;
        return header.TryWrite(buffer, out _);
    }

    public static bool TryWrite(Plane plane, Session session, ReadOnlySpan<byte> frame, Span<byte> buffer, out int length, out byte trafficClass)
    {
        length = 0;
        trafficClass = 0;
        return frame.TryCopyTo(buffer[HeaderRoom..]) && TryFinish(plane, session, buffer, frame.Length, out length, out trafficClass);
    }

    // RFC 2661 section 3.1: LCP echoes should not wait behind data, which is what the P bit says. LCP is never compressed.
    private static bool IsEcho(ReadOnlySpan<byte> frame)
    {
        const byte EchoRequest = 9;
        const byte EchoReply = 10;
        return frame is [0xFF, 0x03, 0xC0, 0x21, EchoRequest or EchoReply, ..];
    }
}
