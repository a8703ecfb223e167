using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Dataplane.Offload;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A packet of the kernel's with any description: whatever is cut must be whole packets.</summary>
internal sealed class SegmentTarget : FuzzTarget
{
    private readonly byte[] _room = new byte[1 << 16];

    public override string Name => "segment";

    public override string Description => "an offload header and an IP packet, cut into segments; every segment measured";

    public override int MaximumLength => 3000;

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.IpPackets.SelectMany(p => new byte[][]
    {
        [1, 1, 0, 0, 100, 0, 20, 0, 16, 0, .. p], [1, 4, 0, 0, 90, 0, 40, 0, 16, 0, .. p], [1, 5, 0, 0, 8, 0, 20, 0, 6, 0, .. p],
    });

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (!OffloadHeader.TryRead(input, out OffloadHeader offload))
        {
            return 1;
        }

        ReadOnlySpan<byte> packet = input[OffloadHeader.Size..];
        if ((!IpPacket.TryMeasureIPv4(packet, out int length) && !IpPacket.TryMeasureIPv6(packet, out length))
            || !PacketSegmenter.TryCreate(packet[..length], offload, out PacketSegmenter segments))
        {
            return 1;
        }

        story?.Tell($"{segments.Count} segments of {segments.PacketLength} octets");
        for (int i = 0; i < segments.Count; i++)
        {
            int written = segments.Write(i, _room);
            Span<byte> segment = _room.AsSpan(0, written);
            bool isWhole = IpPacket.TryMeasureIPv4(segment, out int measured) || IpPacket.TryMeasureIPv6(segment, out measured);
            Must(isWhole && measured == written && written == segments.LengthOf(i), "a segment is no whole IP packet");
        }

        return 1;
    }
}

/// <summary>Packets in a row: joined and cut again they must be what they were.</summary>
internal sealed class CoalesceTarget : FuzzTarget
{
    private const int MaximumPackets = 40;

    private readonly PacketCoalescer _coalescer = new(MaximumPackets, withUdp: true);
    private readonly BufferRange[] _pieces = new BufferRange[PacketCoalescer.LongestRun];
    private readonly byte[] _memory = new byte[1 << 16];
    private readonly byte[] _before = new byte[1 << 16];
    private readonly byte[] _run = new byte[1 << 16];
    private readonly byte[] _room = new byte[1 << 16];

    public override string Name => "coalesce";

    public override string Description => "IP packets in a row, each with a length in front, joined and cut again; the octets compared";

    public override int MaximumLength => 3000;

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.IpPackets.Where(p => p.Length < 200).SelectMany(p => new byte[][]
    {
        [(byte)p.Length, .. p, (byte)p.Length, .. p], [(byte)p.Length, .. p, (byte)p.Length, .. Next(p), (byte)p.Length, .. Next(Next(p))],
    });

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        int end = 0;
        int packets = 0;
        _coalescer.Clear();
        while (input.Length > 1 && packets < MaximumPackets)
        {
            int take = Math.Min(input[0], input.Length - 1);
            ReadOnlySpan<byte> packet = input.Slice(1, take);
            input = input[(1 + take)..];
            if ((IpPacket.TryMeasureIPv4(packet, out int length) || IpPacket.TryMeasureIPv6(packet, out length)) && length == packet.Length)
            {
                packet.CopyTo(_memory.AsSpan(end));
                _coalescer.Add(_memory, new BufferRange(end, length));
                end += length;
                packets++;
            }
        }

        _memory.AsSpan(0, end).CopyTo(_before);
        int cut = 0;
        for (int run = 0; run < _coalescer.Count; run++)
        {
            cut += Check(run, story);
        }

        Must(cut == packets, $"{packets} packets went in, {cut} came out");
        return Math.Max(1, packets);
    }

    private int Check(int run, Story? story)
    {
        int pieces = _coalescer.Finish(_memory, run, _pieces, out OffloadHeader offload);
        int length = 0;
        foreach (BufferRange piece in _pieces.AsSpan(0, pieces))
        {
            _memory.AsSpan(piece.Offset, piece.Length).CopyTo(_run.AsSpan(length));
            length += piece.Length;
        }

        story?.Tell($"run {run}: {_coalescer.PacketsIn(run)} packets, {length} octets");
        if (offload.Kind == SegmentKind.None)
        {
            Must(_run.AsSpan(0, length).SequenceEqual(_before.AsSpan(_pieces[0].Offset, length)), "a single packet was changed");
            return 1;
        }

        Must(PacketSegmenter.TryCreate(_run.AsSpan(0, length), offload, out PacketSegmenter segments), "a run cannot be cut");
        Must(segments.Count == _coalescer.PacketsIn(run), "a run has another number of packets when cut");
        for (int i = 0; i < segments.Count; i++)
        {
            // A piece is the payload only; what stood before it in the buffer is the packet's header.
            int written = segments.Write(i, _room);
            int start = _pieces[i].End - written;
            Normalise(_room.AsSpan(0, written));
            Normalise(_before.AsSpan(start, written));
            Must(_room.AsSpan(0, written).SequenceEqual(_before.AsSpan(start, written)), $"packet {i} of the run differs");
        }

        return segments.Count;
    }

    /// <summary>
    /// What may differ without meaning: the identification of an atomic datagram (RFC 6864 section 4.1), and which of the two zeros of one's
    /// complement a checksum is.
    /// </summary>
    private static void Normalise(Span<byte> packet)
    {
        bool isIPv6 = IpPacket.Version(packet) == 6;
        int transport = isIPv6 ? IpPacket.IPv6Header : IpPacket.IPv4MinimumHeader;
        if (!isIPv6 && IpPacket.DontFragment(packet))
        {
            packet[4] = packet[5] = packet[10] = packet[11] = 0;
        }

        int checksum = transport + (packet[isIPv6 ? 6 : 9] == 6 ? 16 : 6);
        foreach (int at in (ReadOnlySpan<int>)[isIPv6 ? checksum : 10, checksum])
        {
            if (packet[at] == 0xFF && packet[at + 1] == 0xFF)
            {
                packet[at] = packet[at + 1] = 0;
            }
        }
    }

    /// <summary>The packet that follows in its flow: TCP sequence numbers go on, and the checksum is repaired.</summary>
    private static byte[] Next(byte[] packet)
    {
        byte[] next = [.. packet];
        bool isIPv6 = packet.Length >= IpPacket.IPv6Header && IpPacket.Version(packet) == 6;
        int transport = isIPv6 ? IpPacket.IPv6Header : IpPacket.IPv4MinimumHeader;
        if (packet.Length < transport + 20 || packet[isIPv6 ? 6 : 9] != 6)
        {
            return next;
        }

        int payload = packet.Length - transport - ((packet[transport + 12] >> 4) * 4);
        ushort before = (ushort)((next[transport + 6] << 8) | next[transport + 7]);
        ushort after = (ushort)(before + payload);
        ushort checksum = (ushort)((next[transport + 16] << 8) | next[transport + 17]);
        ushort repaired = InternetChecksum.Update(checksum, before, after);
        (next[transport + 6], next[transport + 7]) = ((byte)(after >> 8), (byte)after);
        (next[transport + 16], next[transport + 17]) = ((byte)(repaired >> 8), (byte)repaired);
        return next;
    }
}
