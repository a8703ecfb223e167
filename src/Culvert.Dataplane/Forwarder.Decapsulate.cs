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
    /// <param name="trafficClass">DSCP and ECN of the packet that it came in.</param>
    /// <param name="now">From when on a frame waits that came before an earlier one.</param>
    /// <param name="before">
    /// The datagram handled just before, as it lies there now, if it came joined with this one: from the same peer, at the same time, with
    /// the same traffic class. Otherwise empty.
    /// </param>
    public Verdict Decapsulate(
        Span<byte> datagram, in UdpPath path, byte trafficClass = 0, Timestamp now = default, ReadOnlySpan<byte> before = default)
    {
        if (!before.IsEmpty && IsLikeLast(datagram, before))
        {
            Counters.CountReceived(_lastRow, _last.Length);
            return _last;
        }

        _isRepeatable = false;
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
            SessionState.Pending or SessionState.Forwarding =>
                Admit(datagram, header, session, path, trafficClass, now),
            SessionState.Reserved => Report(VerdictKind.Early, header, default, false, header.PayloadStart, header.PayloadEnd - header.PayloadStart),
            _ => Drop(DropReason.UnknownSession),
        };
    }

    /// <summary>
    /// The next frame that waited and may go on. To be called after each datagram for which <see cref="HasHeldToTake"/>, and at
    /// <see cref="NextDeadline"/>, until it says false.
    /// </summary>
    /// <param name="now">The time.</param>
    /// <param name="datagram">As it was received; the verdict points into it. It lies there until the next call.</param>
    /// <param name="verdict">What to do with it.</param>
    public bool TryTakeHeld(Timestamp now, out Span<byte> datagram, out Verdict verdict)
    {
        verdict = default;
        if (!_reorderer.TryTake(now, out datagram, out byte trafficClass))
        {
            return false;
        }

        // The session may have ended or changed while the frame waited.
        _ = L2tpDataHeader.TryRead(datagram, out L2tpDataHeader header, out _);
        bool isKnown = _sessions.TryRead(header.Key, out SessionEntry session, out DropReason reason);
        verdict = !isKnown ? Drop(reason)
            : session.State is SessionState.Pending or SessionState.Forwarding
                ? Judge(datagram, header, session, moved: false, trafficClass)
                : Drop(DropReason.UnknownSession);
        return true;
    }

    private Verdict Admit(
        Span<byte> datagram, in L2tpDataHeader header, in SessionEntry session, in UdpPath path, byte trafficClass, Timestamp now)
    {
        bool moved = !session.IsFrom(path);
        if (moved && (session.Policies & SessionPolicies.FollowPeer) == 0)
        {
            return Drop(session, DropReason.WrongPath);
        }

        if (!_options.IsPrimary && NeedsPrimary(session.Policies, header.HasSequence))
        {
            return new Verdict { Kind = VerdictKind.HandOver, Session = new SessionKey(header.Key) };
        }

        // The flag alone decides: a session that does not put frames into order pays no more than this test.
        if (header.HasSequence && (session.Policies & SessionPolicies.OrderSequenced) != 0
            && TryHold(datagram, header, session, trafficClass, now, out Verdict held))
        {
            return held;
        }

        return Judge(datagram, header, session, moved, trafficClass);
    }

    private static bool NeedsPrimary(SessionPolicies policies, bool isSequenced)
    {
        const SessionPolicies Sequencing = SessionPolicies.OrderSequenced | SessionPolicies.FollowSequencing;
        return (policies & SessionPolicies.AnySource) != 0
            || (isSequenced ? (policies & Sequencing) != 0 : (policies & Sequencing) == Sequencing);
    }

    private bool TryHold(
        Span<byte> datagram, in L2tpDataHeader header, in SessionEntry session, byte trafficClass, Timestamp now, out Verdict verdict)
    {
        verdict = default;
        SequenceWindow? window = _sessions.Sequence(session.Row, new SessionKey(session.Key));
        if (window is null)
        {
            return false;
        }

        switch (_reorderer.Receive(window, header.Ns, datagram, trafficClass, now))
        {
            case SequenceVerdict.Deliver:
                return false;
            case SequenceVerdict.Held:
                verdict = new Verdict { Kind = VerdictKind.Held, Session = window.Key, HasSequence = true, Ns = header.Ns };
                return true;
            case SequenceVerdict.Late:
                verdict = Drop(session, DropReason.Late);
                return true;
            default:
                verdict = Drop(session, DropReason.Duplicate);
                return true;
        }
    }

    private Verdict Judge(Span<byte> datagram, in L2tpDataHeader header, in SessionEntry session, bool moved, byte trafficClass)
    {
        Span<byte> frame = datagram[header.PayloadStart..header.PayloadEnd];
        if (!PppFrame.TryReadProtocol(frame, out PppProtocol protocol, out int pppHeader))
        {
            return Drop(session, DropReason.MalformedPpp);
        }

        if (protocol is not (PppProtocol.IPv4 or PppProtocol.IPv6))
        {
            return Report(VerdictKind.PppControl, header, session.Policies, moved, header.PayloadStart, frame.Length);
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

        if (kind == VerdictKind.LinkScope && !_options.IsPrimary && UdpPacket.IsForDhcpServer(packet))
        {
            return new Verdict { Kind = VerdictKind.HandOver, Session = new SessionKey(header.Key) };
        }

        if (session.Marking.PropagateEcn && (trafficClass & Ecn.Mask) != 0 && !Ecn.TryDecapsulate(packet, trafficClass))
        {
            return Drop(session, DropReason.CongestionMarked);
        }

        _ = protocol == PppProtocol.IPv4
            ? MssClamp.ClampIPv4(packet, session.MssIPv4)
            : MssClamp.ClampIPv6(packet, session.MssIPv6);
        Counters.CountReceived(session.Row, length);
        Verdict verdict = Report(kind, header, session.Policies, moved, header.PayloadStart + pppHeader, length);
        Remember(verdict, session);
        return verdict;
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

    private static Verdict Report(
        VerdictKind kind, in L2tpDataHeader header, SessionPolicies policies, bool moved, int offset, int length) => new()
        {
            Kind = kind,
            Session = new SessionKey(header.Key),
            PathChanged = moved,
            SequencingChanged = (policies & SessionPolicies.FollowSequencing) != 0
            && header.HasSequence != ((policies & SessionPolicies.OrderSequenced) != 0),
            HasSequence = header.HasSequence,
            Ns = header.Ns,
            Offset = offset,
            Length = length,
        };
}
