using Culvert.Core;

namespace Culvert.Dataplane;

public sealed partial class Forwarder
{
    /// <summary>Sends a packet read from the TUN to the session that its destination leads to.</summary>
    /// <param name="buffer">Holds the packet, with at least <see cref="Headroom"/> octets in front of it that may be overwritten.</param>
    /// <param name="packetOffset">Start of the packet in <paramref name="buffer"/>.</param>
    /// <param name="packetLength">Octets of the packet.</param>
    /// <param name="reply">At least <see cref="ReplyCapacity"/> octets for an ICMP answer; apart from <paramref name="buffer"/>.</param>
    /// <param name="now">For the rate limit of answers.</param>
    /// <param name="sink">Takes the frames.</param>
    public Encapsulation Encapsulate<TSink>(
        Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        SessionKey session = FindSession(buffer.Slice(packetOffset, packetLength), out int length);
        return length == 0 ? Refuse(default(SessionKey), DropReason.NotIp)
            : session.IsNone ? Refuse(session, DropReason.NoRoute)
            : Send(session, buffer, packetOffset, length, reply, now, ref sink);
    }

    /// <summary>Sends a packet to a given session whatever its destination: a TUN that belongs to one dialled connection.</summary>
    /// <inheritdoc cref="Encapsulate{TSink}"/>
    public Encapsulation EncapsulateTo<TSink>(
        SessionKey session, Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        ReadOnlySpan<byte> packet = buffer.Slice(packetOffset, packetLength);
        return IpPacket.TryMeasureIPv4(packet, out int length) || IpPacket.TryMeasureIPv6(packet, out length)
            ? Send(session, buffer, packetOffset, length, reply, now, ref sink)
            : Refuse(session, DropReason.NotIp);
    }

    /// <summary>
    /// Sends a PPP frame of a session that is installed. The frame goes as its link wrote it, whatever framing IP packets have;
    /// it is not counted as traffic.
    /// </summary>
    /// <param name="session">Pending or forwarding.</param>
    /// <param name="frame">Address and control (if any), protocol, information.</param>
    /// <param name="priority">Sets the P bit: wise for LCP echoes (RFC 2661 section 3.1).</param>
    /// <param name="sink">Takes the frame.</param>
    public Encapsulation EncapsulatePpp<TSink>(SessionKey session, ReadOnlySpan<byte> frame, bool priority, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        if (!_sessions.TryRead(session.Value, out SessionEntry entry, out UdpPath path, out DropReason reason))
        {
            return Refuse(session, reason);
        }

        if (entry.State is not (SessionState.Pending or SessionState.Forwarding))
        {
            return Refuse(session, DropReason.UnknownSession);
        }

        int header = TunnelMtu.L2tpHeaderLength(entry.Framing);
        if (header + frame.Length > TunnelMtu.LargestDatagram)
        {
            return Refuse(entry, DropReason.TooBig);
        }

        if (!sink.TryTake(header + frame.Length, path, out Span<byte> room))
        {
            return Refuse(entry, DropReason.SinkFull);
        }

        (ushort peerTunnel, ushort peerSession) = FrameHeader.PeerIds(entry);
        ushort ns = NextNs(entry);
        _ = FrameHeader.WriteL2tp(room, peerTunnel, peerSession, entry.Framing, priority, frame.Length, ns);
        frame.CopyTo(room[header..]);
        sink.Commit(header + frame.Length, header + frame.Length, path, entry.Marking.PppTrafficClass, session);
        return new Encapsulation { Kind = EncapsulationKind.Sent, Frames = 1, Session = session };
    }

    /// <summary>Where a packet's destination leads, and its own length: 0 when it is no sound IP packet.</summary>
    private SessionKey FindSession(ReadOnlySpan<byte> packet, out int length)
    {
        if (IpPacket.TryMeasureIPv4(packet, out length))
        {
            return _routes?.FindIPv4(IpPacket.DestinationIPv4(packet)) ?? default;
        }

        if (IpPacket.TryMeasureIPv6(packet, out length))
        {
            (ulong high, ulong low) = IpPacket.DestinationIPv6(packet);
            return _routes?.FindIPv6(high, low) ?? default;
        }

        length = 0;
        return default;
    }

    private Encapsulation Send<TSink>(
        SessionKey session, Span<byte> buffer, int offset, int length, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        if (!_sessions.TryRead(session.Value, out SessionEntry entry, out UdpPath path, out DropReason reason))
        {
            return Refuse(session, reason);
        }

        if (entry.State != SessionState.Forwarding)
        {
            return Refuse(entry, DropReason.NotForwarding);
        }

        if (!_options.IsPrimary && (entry.Framing & TransmitFraming.Sequence) != 0)
        {
            return new Encapsulation { Kind = EncapsulationKind.HandOver, Session = session };
        }

        Span<byte> packet = buffer.Slice(offset, length);
        bool isIPv6 = IpPacket.Version(packet) == 6;
        _ = isIPv6 ? MssClamp.ClampIPv6(packet, entry.MssIPv6) : MssClamp.ClampIPv4(packet, entry.MssIPv4);

        // A link narrower than IPv6's minimum must fragment below IP (RFC 8200 section 5): the outer packet is what gets cut.
        int mtu = isIPv6 ? Math.Max(entry.Mtu, (ushort)IpPacket.IPv6MinimumMtu) : entry.Mtu;
        if (length > mtu)
        {
            return isIPv6 || IpPacket.DontFragment(packet)
                ? AnswerTooBig(packet, entry, mtu, isIPv6, reply, now)
                : SendFragments(packet, entry, mtu, path, ref sink);
        }

        int start = FrameHeader.Prepend(buffer, offset, length, entry, isIPv6, NextNs(entry));
        byte trafficClass = entry.Marking.OuterFor(packet);
        if (!sink.TryAddInPlace(start, offset + length - start, path, trafficClass, session))
        {
            return Refuse(entry, DropReason.SinkFull);
        }

        Counters.CountSent(entry.Row, 1, length);
        return new Encapsulation { Kind = EncapsulationKind.Sent, Frames = 1, Session = session };
    }

    private Encapsulation SendFragments<TSink>(
        ReadOnlySpan<byte> packet, in SessionEntry entry, int mtu, in UdpPath path, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        if (!IPv4Fragmenter.TryCreate(packet, mtu, out IPv4Fragmenter fragmenter))
        {
            return Refuse(entry, DropReason.CannotFragment);
        }

        // RFC 9601 section 5: all fragments are marked as the whole would have been.
        byte trafficClass = entry.Marking.OuterFor(packet);
        int octets = 0;
        for (int i = 0; i < fragmenter.Count; i++)
        {
            if (!sink.TryTake(Headroom + fragmenter.LargestFragment, path, out Span<byte> room))
            {
                Counters.CountSent(entry.Row, i, octets);
                return Refuse(entry, DropReason.SinkFull);
            }

            int length = fragmenter.Write(i, room[entry.HeaderLength..]);
            FrameHeader.Write(room, length, entry, isIPv6: false, NextNs(entry));
            sink.Commit(entry.HeaderLength + length, entry.HeaderLength + length, path, trafficClass, new SessionKey(entry.Key));
            octets += length;
        }

        Counters.CountSent(entry.Row, fragmenter.Count, octets);
        return new Encapsulation { Kind = EncapsulationKind.Sent, Frames = fragmenter.Count, Session = new SessionKey(entry.Key) };
    }

    private Encapsulation AnswerTooBig(
        ReadOnlySpan<byte> packet, in SessionEntry entry, int mtu, bool isIPv6, Span<byte> reply, Timestamp now, int packets = 1)
    {
        Encapsulation refusal = Refuse(entry, DropReason.TooBig, packets);
        IpAddress source = isIPv6 ? _options.IcmpSourceIPv6 : _options.IcmpSourceIPv4;
        bool may = !source.IsNone && (isIPv6 ? IcmpTooBig.MayAnswerIPv6(packet) : IcmpTooBig.MayAnswerIPv4(packet));
        int length = 0;
        if (may && _icmp.TryTake(_options.IcmpRate, now))
        {
            length = isIPv6
                ? IcmpTooBig.BuildIPv6(packet, (uint)mtu, source, reply)
                : IcmpTooBig.BuildIPv4(packet, (ushort)mtu, source, reply);
        }

        Counters.CountIcmp(length != 0);
        return length == 0 ? refusal : new Encapsulation
        {
            Kind = EncapsulationKind.Reply,
            Reason = DropReason.TooBig,
            ReplyLength = length,
            Session = new SessionKey(entry.Key),
        };
    }

    private ushort NextNs(in SessionEntry entry) =>
        (entry.Framing & TransmitFraming.Sequence) != 0 ? _sessions.NextNs(entry.Row) : (ushort)0;
}
