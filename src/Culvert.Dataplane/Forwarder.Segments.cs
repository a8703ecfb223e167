using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane.Offload;

namespace Culvert.Dataplane;

public sealed partial class Forwarder
{
    /// <summary>Most that one UDP send takes when the kernel cuts it into datagrams (UDP_SEGMENT): what IPv4 holds.</summary>
    public const int LargestRun = 65_507;

    /// <summary>Most datagrams that it cuts one send into, on every kernel that can.</summary>
    public const int SegmentsPerRun = 64;

    /// <summary>Sends what came from a TUN interface that hands over unfinished checksums and runs of segments.</summary>
    /// <param name="offload">What the kernel said about the packet.</param>
    /// <inheritdoc cref="Encapsulate{TSink}"/>
    public Encapsulation EncapsulateOffloaded<TSink>(
        in OffloadHeader offload, Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        Span<byte> packet = buffer.Slice(packetOffset, packetLength);
        if (offload.Kind == SegmentKind.None)
        {
            return FinishChecksum(packet, offload)
                ? Encapsulate(buffer, packetOffset, packetLength, reply, now, ref sink)
                : Refuse(default(SessionKey), DropReason.NotIp);
        }

        SessionKey session = FindSession(packet, out int length);
        return length == 0 ? Refuse(default(SessionKey), DropReason.NotIp)
            : session.IsNone ? Refuse(session, DropReason.NoRoute, PacketsIn(packet[..length], offload))
            : SendSegments(session, packet[..length], offload, reply, now, ref sink);
    }

    /// <summary>The same for a TUN interface that belongs to one dialled connection.</summary>
    /// <inheritdoc cref="EncapsulateOffloaded{TSink}"/>
    public Encapsulation EncapsulateOffloadedTo<TSink>(
        SessionKey session, in OffloadHeader offload, Span<byte> buffer, int packetOffset, int packetLength, Span<byte> reply, Timestamp now,
        ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        Span<byte> packet = buffer.Slice(packetOffset, packetLength);
        if (offload.Kind == SegmentKind.None)
        {
            return FinishChecksum(packet, offload)
                ? EncapsulateTo(session, buffer, packetOffset, packetLength, reply, now, ref sink)
                : Refuse(session, DropReason.NotIp);
        }

        return IpPacket.TryMeasureIPv4(packet, out int length) || IpPacket.TryMeasureIPv6(packet, out length)
            ? SendSegments(session, packet[..length], offload, reply, now, ref sink)
            : Refuse(session, DropReason.NotIp);
    }

    /// <summary>The transport's checksum field holds the pseudo-header's sum: adds the rest. False when there is no such field.</summary>
    private static bool FinishChecksum(Span<byte> packet, in OffloadHeader offload)
    {
        if (!offload.NeedsChecksum)
        {
            return true;
        }

        int field = offload.ChecksumStart + offload.ChecksumOffset;
        if (offload.ChecksumStart >= packet.Length || field + sizeof(ushort) > packet.Length)
        {
            return false;
        }

        // Summed over the field too, which is how the pseudo-header gets in. Where it lies tells UDP from the others, in which all ones are a
        // sum that nobody computes (RFC 1624 section 3).
        ushort sum = InternetChecksum.Compute(packet[offload.ChecksumStart..]);
        bool isUdp = offload.ChecksumOffset == UdpPacket.ChecksumOffset;
        BinaryPrimitives.WriteUInt16BigEndian(packet[field..], isUdp ? UdpPacket.ChecksumField(sum) : sum);
        return true;
    }

    /// <summary>What a run would have been on a wire: counters count packets.</summary>
    private static int PacketsIn(ReadOnlySpan<byte> packet, in OffloadHeader offload) =>
        PacketSegmenter.TryCreate(packet, offload, out PacketSegmenter segments) ? segments.Count : 1;

    private Encapsulation SendSegments<TSink>(
        SessionKey session, Span<byte> packet, in OffloadHeader offload, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        if (!_sessions.TryRead(session.Value, out SessionEntry entry, out UdpPath path, out DropReason reason))
        {
            return Refuse(session, reason, PacketsIn(packet, offload));
        }

        if (entry.State != SessionState.Forwarding)
        {
            return Refuse(entry, DropReason.NotForwarding, PacketsIn(packet, offload));
        }

        if (!_options.IsPrimary && (entry.Framing & TransmitFraming.Sequence) != 0)
        {
            return new Encapsulation { Kind = EncapsulationKind.HandOver, Session = session };
        }

        if (!PacketSegmenter.TryCreate(packet, offload, out PacketSegmenter segments))
        {
            return Refuse(entry, DropReason.MalformedIp);
        }

        bool isIPv6 = IpPacket.Version(packet) == 6;
        int mtu = isIPv6 ? Math.Max(entry.Mtu, (ushort)IpPacket.IPv6MinimumMtu) : entry.Mtu;
        return segments.PacketLength > mtu
            ? SendLargeSegments(segments, entry, mtu, isIPv6, path, reply, now, ref sink)
            : SendRuns(segments, entry, isIPv6, path, entry.Marking.OuterFor(packet), ref sink);
    }

    // All frames but the last have one size, and are laid out one after another: the kernel is entered once for many.
    private Encapsulation SendRuns<TSink>(
        scoped PacketSegmenter segments, in SessionEntry entry, bool isIPv6, in UdpPath path, byte trafficClass, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        int frameLength = entry.HeaderLength + segments.PacketLength;
        int perRun = Math.Min(SegmentsPerRun, LargestRun / frameLength);
        int octets = 0;
        int next = 0;
        while (next < segments.Count)
        {
            int end = Math.Min(segments.Count, next + perRun);
            if (!sink.TryTake((end - next) * frameLength, path, out Span<byte> room))
            {
                Counters.CountSent(entry.Row, next, octets);
                return Refuse(entry, DropReason.SinkFull, segments.Count - next);
            }

            int written = 0;
            for (; next < end; next++)
            {
                int length = segments.Write(next, room[(written + entry.HeaderLength)..]);
                FrameHeader.Write(room[written..], length, entry, isIPv6, NextNs(entry));
                written += entry.HeaderLength + length;
                octets += length;
            }

            sink.Commit(written, frameLength, path, trafficClass, new SessionKey(entry.Key));
        }

        Counters.CountSent(entry.Row, segments.Count, octets);
        return new Encapsulation { Kind = EncapsulationKind.Sent, Frames = segments.Count, Session = new SessionKey(entry.Key) };
    }

    // The sender has not heard of the tunnel's MTU yet. Rare, so each packet goes the way that a single one goes.
    private Encapsulation SendLargeSegments<TSink>(
        scoped PacketSegmenter segments, in SessionEntry entry, int mtu, bool isIPv6, in UdpPath path, Span<byte> reply, Timestamp now, ref TSink sink)
        where TSink : struct, IFrameSink, allows ref struct
    {
        Span<byte> one = _segment.AsSpan();
        int frames = 0;
        for (int i = 0; i < segments.Count; i++)
        {
            Span<byte> packet = one[..segments.Write(i, one)];
            if (isIPv6 || IpPacket.DontFragment(packet))
            {
                // One answer for all: what follows in the run has the same flag and the same way.
                return AnswerTooBig(packet, entry, mtu, isIPv6, reply, now, segments.Count - i);
            }

            Encapsulation sent = SendFragments(packet, entry, mtu, path, ref sink);
            if (sent.Kind != EncapsulationKind.Sent)
            {
                Counters.CountDrop(entry.Row, sent.Reason, segments.Count - i - 1);
                return sent;
            }

            frames += sent.Frames;
        }

        return new Encapsulation { Kind = EncapsulationKind.Sent, Frames = frames, Session = new SessionKey(entry.Key) };
    }
}
