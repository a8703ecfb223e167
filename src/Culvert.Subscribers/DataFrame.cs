using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Subscribers;

/// <summary>A PPP frame that the control plane sends, in its data message: the shortest header (RFC 2661 section 3.1).</summary>
internal static class DataFrame
{
    public const int HeaderSize = L2tpHeader.MinimumSize;

    /// <summary>Writes the header in front of a frame that already lies behind it.</summary>
    public static bool TryWriteHeader(Session session, Span<byte> buffer, int frameLength, out int length)
    {
        length = HeaderSize + frameLength;
        return L2tpHeader.ForData(session.Tunnel.PeerTunnelId, session.PeerSessionId, frameLength).TryWrite(buffer, out _);
    }

    public static bool TryWrite(Session session, ReadOnlySpan<byte> frame, Span<byte> buffer, out int length)
    {
        length = 0;
        return frame.TryCopyTo(buffer[HeaderSize..]) && TryWriteHeader(session, buffer, frame.Length, out length);
    }
}
