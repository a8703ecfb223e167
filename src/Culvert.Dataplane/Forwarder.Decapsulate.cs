using Culvert.Core;

namespace Culvert.Dataplane;

public sealed partial class Forwarder
{
    /// <summary>
    /// Takes a UDP datagram apart and says what to do with it. Nothing is copied: the verdict points into the datagram. The MSS of
    /// a TCP SYN is clamped in place.
    /// </summary>
    /// <param name="datagram">One datagram as it was received (one segment of a coalesced buffer).</param>
    /// <param name="path">Where it came from and to.</param>
    public Verdict Decapsulate(Span<byte> datagram, in UdpPath path)
    {
        if (!L2tpDataHeader.TryRead(datagram, out L2tpDataHeader header, out DropReason reason))
        {
            return Drop(reason);
        }

        if (header.IsControl)
        {
            return new Verdict { Kind = VerdictKind.Control, Length = datagram.Length };
        }

        if (!_sessions.TryRead(header.Key, out SessionEntry session, out reason))
        {
            return Drop(reason);
        }

        return session.State switch
        {
            SessionState.Pending or SessionState.Forwarding => Admit(datagram, header, session, path),
            SessionState.Reserved => Report(VerdictKind.Early, header, false, header.PayloadStart, header.PayloadEnd - header.PayloadStart),
            _ => Drop(DropReason.UnknownSession),
        };
    }

    private Verdict Admit(Span<byte> datagram, in L2tpDataHeader header, in SessionEntry session, in UdpPath path)
    {
        bool moved = !session.IsFrom(path);
        if (moved && (session.Policies & SessionPolicies.FollowPeer) == 0)
        {
            return Drop(session, DropReason.WrongPath);
        }

        Span<byte> frame = datagram[header.PayloadStart..header.PayloadEnd];
        if (!PppFrame.TryReadProtocol(frame, out PppProtocol protocol, out int pppHeader))
        {
            return Drop(session, DropReason.MalformedPpp);
        }

        if (protocol is not (PppProtocol.IPv4 or PppProtocol.IPv6))
        {
            return Report(VerdictKind.PppControl, header, moved, header.PayloadStart, frame.Length);
        }

        if (session.State != SessionState.Forwarding)
        {
            return Drop(session, DropReason.NotForwarding);
        }

        Span<byte> packet = frame[pppHeader..];
        bool sound = protocol == PppProtocol.IPv4
            ? IpPacket.TryMeasureIPv4(packet, out int length)
            : IpPacket.TryMeasureIPv6(packet, out length);
        if (!sound)
        {
            return Drop(session, DropReason.MalformedIp);
        }

        packet = packet[..length];
        if (session.ReceiveLimit != 0 && length > session.ReceiveLimit)
        {
            return Drop(session, DropReason.TooLong);
        }

        bool anySource = (session.Policies & SessionPolicies.AnySource) != 0;
        VerdictKind kind = anySource ? VerdictKind.Deliver
            : protocol == PppProtocol.IPv4 ? JudgeIPv4(packet, session)
            : JudgeIPv6(packet, session);
        if (kind == VerdictKind.Dropped)
        {
            return Drop(session, DropReason.SourceNotAllowed);
        }

        _ = protocol == PppProtocol.IPv4
            ? MssClamp.ClampIPv4(packet, session.MssIPv4)
            : MssClamp.ClampIPv6(packet, session.MssIPv6);
        Counters.CountReceived(session.Row, length);
        return Report(kind, header, moved, header.PayloadStart + pppHeader, length);
    }

    private VerdictKind JudgeIPv4(ReadOnlySpan<byte> packet, in SessionEntry session)
    {
        uint source = IpPacket.SourceIPv4(packet);
        bool permitted = (source == session.SourceIPv4 && source != 0)
            || (_routes is not null && _routes.FindIPv4(source).Value == session.Key);
        return !permitted ? VerdictKind.Dropped
            : IpPacket.IsMulticastOrBroadcast(IpPacket.DestinationIPv4(packet)) ? VerdictKind.LinkScope
            : VerdictKind.Deliver;
    }

    private VerdictKind JudgeIPv6(ReadOnlySpan<byte> packet, in SessionEntry session)
    {
        (ulong high, ulong low) = IpPacket.SourceIPv6(packet);

        // Link-local and unspecified sources speak to this link only (RFC 4291 sections 2.5.2 and 2.5.6).
        if (IpPacket.IsLinkLocal(high) || (high | low) == 0)
        {
            return VerdictKind.LinkScope;
        }

        if (_routes is null || _routes.FindIPv6(high, low).Value != session.Key)
        {
            return VerdictKind.Dropped;
        }

        (high, _) = IpPacket.DestinationIPv6(packet);
        return IpPacket.IsLinkLocal(high) || IpPacket.IsMulticast(high) ? VerdictKind.LinkScope : VerdictKind.Deliver;
    }

    private static Verdict Report(VerdictKind kind, in L2tpDataHeader header, bool moved, int offset, int length) => new()
    {
        Kind = kind,
        Session = new SessionKey(header.Key),
        PathChanged = moved,
        HasSequence = header.HasSequence,
        Ns = header.Ns,
        Offset = offset,
        Length = length,
    };
}
