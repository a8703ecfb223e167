using System.Buffers.Binary;
using Culvert.Capture;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Fuzz.Coverage;
using Culvert.L2tp.Wire;
using Culvert.Testing;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>A packet path with sessions of every kind: what they may do differs by their ID.</summary>
internal sealed class PlaneBench
{
    public static readonly UdpPath Path = new(IpAddress.Parse("192.0.2.1"), new(IpAddress.Parse("198.51.100.1"), 1701));

    public static readonly IpAddress Gateway = IpAddress.Parse("192.0.2.1");

    public PlaneBench()
    {
        var routes = new RouteTable();
        Sessions = new SessionTable(new SeededRandom(1), routes);
        for (ushort id = 1; id <= 8; id++)
        {
            var session = new SessionForwarding
            {
                LocalTunnelId = 7,
                LocalSessionId = id,
                PeerTunnelId = 9,
                PeerSessionId = id,
                Path = Path,
                State = id == 1 ? SessionState.Pending : SessionState.Forwarding,
                Framing = (TransmitFraming)(id * 3 & 0x0F),
                Policies = (SessionPolicies)(id & 7),
                Mtu = id switch { 2 => 68, 3 => 1300, _ => 1460 },
                ReceiveLimit = (ushort)(id == 4 ? 1500 : 0),
                MssIPv4 = (ushort)(id == 5 ? 0 : 1200),
                MssIPv6 = (ushort)(id == 5 ? 0 : 1180),
                SourceIPv4 = IpAddress.Parse($"100.64.0.{id}"),
            };
            Must(Sessions.TryInstall(session), "a session cannot be installed");
            Must(routes.TryAdd(IpPrefix.Parse($"100.64.0.{id}/32"), session.Key), "a route cannot be added");
            Must(routes.TryAdd(IpPrefix.Parse($"2001:db8:{id}::/48"), session.Key), "a route cannot be added");
        }

        Must(Sessions.TryReserve(7, out _), "no ID is free");
        Forwarder = new Forwarder(Sessions, routes, new ForwarderOptions
        {
            IcmpSourceIPv4 = Gateway,
            IcmpSourceIPv6 = IpAddress.Parse("2001:db8::1"),
            IcmpRate = RateLimit.None,
        });
    }

    public SessionTable Sessions { get; }

    public Forwarder Forwarder { get; }
}

/// <summary>A UDP datagram on its way to the TUN.</summary>
internal sealed class DecapsulateTarget : FuzzTarget
{
    private static readonly UdpPath Elsewhere = new(IpAddress.Parse("192.0.2.1"), new(IpAddress.Parse("203.0.113.9"), 4000));

    private readonly PlaneBench _bench = new();
    private readonly byte[] _datagram = new byte[4096];

    public override string Name => "decapsulate";

    public override string Description => "a UDP datagram through the data plane, to sessions with all policies";

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() =>
    [
        .. Transcripts.Datagrams.Select(d => (byte[])[0, .. d]),
        .. Transcripts.IpPackets.SelectMany((p, i) => new byte[][]
        {
            [0, .. L2tpBuilder.Data(7, 1 + (i % 8), [0xFF, 3, 0, (byte)(p[0] >> 4 == 4 ? 0x21 : 0x57), .. p])],
            [1, .. L2tpBuilder.Data(7, 1 + (i % 8), [(byte)(p[0] >> 4 == 4 ? 0x21 : 0x57), .. p], length: true, sequence: (i, 0), offset: i)],
        }),
    ];

    public override IEnumerable<byte[]> Import(ReadOnlyMemory<byte> datagram) => [[0, .. datagram.Span]];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.IsEmpty)
        {
            return 1;
        }

        Span<byte> datagram = _datagram.AsSpan(0, Math.Min(input.Length - 1, _datagram.Length));
        input.Slice(1, datagram.Length).CopyTo(datagram);
        Verdict verdict = _bench.Forwarder.Decapsulate(datagram, (input[0] & 3) == 3 ? Elsewhere : PlaneBench.Path);
        EdgeMap.Note(3, ((int)verdict.Kind << 8) | (int)verdict.Reason);
        story?.Tell($"{L2tpPrinter.ToLine(datagram)}\n{verdict}");
        if (verdict.Kind is VerdictKind.Deliver or VerdictKind.LinkScope)
        {
            Must(verdict.Offset >= 0 && verdict.Offset + verdict.Length <= datagram.Length, "the packet is not in the datagram");
            Span<byte> packet = datagram.Slice(verdict.Offset, verdict.Length);
            bool isWhole = IpPacket.TryMeasureIPv4(packet, out int length) || IpPacket.TryMeasureIPv6(packet, out length);
            Must(isWhole && length == packet.Length, "what is delivered is no IP packet");
        }
        else if (verdict.Kind is VerdictKind.PppControl or VerdictKind.Early)
        {
            Must(verdict.Offset >= 0 && verdict.Length >= 0 && verdict.Offset + verdict.Length <= datagram.Length, "the frame is not in the datagram");
        }

        return 1;
    }
}

/// <summary>A packet from the TUN on its way to a session: fragments, answers, headers.</summary>
internal sealed class EncapsulateTarget : FuzzTarget
{
    private readonly PlaneBench _bench = new();
    private readonly byte[] _buffer = new byte[4096];
    private readonly byte[] _frames = new byte[1 << 17];
    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];
    private long _now = 1;

    public override string Name => "encapsulate";

    public override string Description => "an IP packet from the TUN to sessions with all framings and small MTUs; every frame read again";

    public override int MaximumLength => 3000;

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.IpPackets.SelectMany((p, i) => new byte[][] { [0, .. p], [(byte)(i % 9), .. p] });

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.IsEmpty)
        {
            return 1;
        }

        int length = input.Length - 1;
        input[1..].CopyTo(_buffer.AsSpan(Forwarder.Headroom));
        var sink = new CheckingSink(_buffer, _frames);
        int session = input[0] % 10;
        Timestamp now = Timestamp.FromMilliseconds(_now++);
        Encapsulation result = session == 0
            ? _bench.Forwarder.Encapsulate(_buffer, Forwarder.Headroom, length, _reply, now, ref sink)
            : _bench.Forwarder.EncapsulateTo(new SessionKey(7, (ushort)session), _buffer, Forwarder.Headroom, length, _reply, now, ref sink);
        EdgeMap.Note(4, ((int)result.Kind << 8) | (int)result.Reason);
        story?.Tell($"{result.Kind} {result.Reason}, {result.Frames} frames, reply of {result.ReplyLength}");
        Must((result.Kind == EncapsulationKind.Sent) == (sink.Frames > 0) && result.Frames == sink.Frames, "other frames were sent than were told");
        if (result.Kind == EncapsulationKind.Reply)
        {
            Span<byte> reply = _reply.AsSpan(0, result.ReplyLength);
            bool isWhole = IpPacket.TryMeasureIPv4(reply, out int measured) || IpPacket.TryMeasureIPv6(reply, out measured);
            Must(isWhole && measured == reply.Length, "the answer is no IP packet");
        }

        return 1;
    }

    /// <summary>Reads every frame as a peer would.</summary>
    private ref struct CheckingSink(Span<byte> buffer, Span<byte> room) : IFrameSink
    {
        private readonly Span<byte> _buffer = buffer;
        private readonly Span<byte> _room = room;

        public int Frames { get; private set; }

        public bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session)
        {
            Must(offset >= 0 && offset + length <= _buffer.Length, "a frame is not in the buffer");
            Check(_buffer.Slice(offset, length));
            return true;
        }

        public readonly bool TryTake(int length, in UdpPath path, out Span<byte> room)
        {
            room = _room[..length];
            return true;
        }

        public void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session)
        {
            for (int start = 0; start < length; start += frameLength)
            {
                Check(_room.Slice(start, Math.Min(frameLength, length - start)));
            }
        }

        private void Check(ReadOnlySpan<byte> frame)
        {
            Frames++;
            Must(L2tpHeader.TryRead(frame, out L2tpHeader header) && !header.IsControl, "a frame is no data message");
            ReadOnlySpan<byte> ppp = frame[header.PayloadStart..header.PayloadEnd];
            Must(PppFrame.TryReadProtocol(ppp, out PppProtocol protocol, out int start), "a frame holds no PPP");
            ReadOnlySpan<byte> packet = ppp[start..];
            bool isWhole = protocol == PppProtocol.IPv4 ? IpPacket.TryMeasureIPv4(packet, out int length) : IpPacket.TryMeasureIPv6(packet, out length);
            Must(isWhole && length == packet.Length, "a frame holds no whole IP packet");
        }
    }
}

/// <summary>What is done to IP packets one by one.</summary>
internal sealed class IpPacketTarget : FuzzTarget
{
    private readonly byte[] _packet = new byte[4096];
    private readonly byte[] _fragment = new byte[4096];
    private readonly byte[] _reply = new byte[Forwarder.ReplyCapacity];

    public override string Name => "ip-packet";

    public override string Description => "an IP packet measured, its MSS clamped, cut into fragments, answered with ICMP";

    public override int MaximumLength => 3000;

    public override long AllocationLimit => 0;

    public override IEnumerable<byte[]> Seeds() => Transcripts.IpPackets.SelectMany(p => new byte[][] { [5, 0, .. p], [2, 88, .. p] });

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.Length < 2)
        {
            return 1;
        }

        ushort size = BinaryPrimitives.ReadUInt16BigEndian(input);
        input[2..].CopyTo(_packet);
        Span<byte> packet = _packet.AsSpan(0, input.Length - 2);
        if (story is not null)
        {
            var text = new System.Text.StringBuilder();
            IpPrinter.Print(text, packet);
            story.Tell($"{text} with {size}");
        }

        if (IpPacket.TryMeasureIPv4(packet, out int length))
        {
            RunIPv4(packet[..length], size);
        }
        else if (IpPacket.TryMeasureIPv6(packet, out length))
        {
            RunIPv6(packet[..length], size);
        }

        return 1;
    }

    private void RunIPv4(Span<byte> packet, ushort size)
    {
        int header = IpPacket.HeaderLength(packet);
        ushort before = TcpSum(packet, header, PseudoIPv4(packet, header));
        bool isClamped = MssClamp.ClampIPv4(packet, size);
        Must(!isClamped || TcpSum(packet, header, PseudoIPv4(packet, header)) == before, "the checksum does not hold any more");
        int carried = 0;
        if (IPv4Fragmenter.TryCreate(packet, size, out IPv4Fragmenter fragmenter))
        {
            Must(fragmenter.Count is > 0 and <= IPv4Fragmenter.MaxFragments, "there are too many fragments");
            int next = IpPacket.FragmentOffset(packet);
            for (int i = 0; i < fragmenter.Count; i++)
            {
                int written = fragmenter.Write(i, _fragment);
                Span<byte> fragment = _fragment.AsSpan(0, written);
                Must(written <= size && written <= fragmenter.LargestFragment, "a fragment is larger than it may be");
                Must(IpPacket.TryMeasureIPv4(fragment, out int measured) && measured == written, "a fragment is no IP packet");
                Must(InternetChecksum.Sum(fragment[..IpPacket.HeaderLength(fragment)]) == ushort.MaxValue, "a fragment's checksum is wrong");
                Must(IpPacket.FragmentOffset(fragment) == next, "a fragment lies elsewhere");
                carried += written - IpPacket.HeaderLength(fragment);
                next = IpPacket.FragmentOffset(packet) + (carried / 8);
                Must(i == fragmenter.Count - 1 || (IpPacket.MoreFragments(fragment) && carried % 8 == 0), "a fragment in the middle is the last");
            }

            Must(carried == packet.Length - header, "the fragments carry more or less than the packet");
        }

        if (IcmpTooBig.MayAnswerIPv4(packet))
        {
            int written = IcmpTooBig.BuildIPv4(packet, size, PlaneBench.Gateway, _reply);
            Must(written is > 0 and <= 576 && IpPacket.TryMeasureIPv4(_reply.AsSpan(0, written), out int measured) && measured == written, "the answer is no IP packet");
            Must(InternetChecksum.Sum(_reply.AsSpan(20, written - 20)) == ushort.MaxValue, "the answer's checksum is wrong");
            Must(!IcmpTooBig.MayAnswerIPv4(_reply.AsSpan(0, written)), "an error may be answered with an error");
        }
    }

    private void RunIPv6(Span<byte> packet, ushort size)
    {
        bool isFound = IpPacket.TryFindUpperLayer(packet, out byte protocol, out int offset);
        Must(!isFound || offset < packet.Length, "the upper layer lies behind the packet");
        bool isTcp = isFound && protocol == 6;
        ushort pseudo = isTcp ? (ushort)0 : default;
        ushort before = isTcp ? TcpSum(packet, offset, pseudo) : default;
        bool isClamped = MssClamp.ClampIPv6(packet, size);
        Must(!isClamped || (isTcp && TcpSum(packet, offset, pseudo) == before), "the checksum does not hold any more");
        if (IcmpTooBig.MayAnswerIPv6(packet))
        {
            int written = IcmpTooBig.BuildIPv6(packet, size, IpAddress.FromIPv6(0x20010DB800000000, 1), _reply);
            Must(written is > 0 and <= 1280 && IpPacket.TryMeasureIPv6(_reply.AsSpan(0, written), out int measured) && measured == written, "the answer is no IP packet");
            Must(!IcmpTooBig.MayAnswerIPv6(_reply.AsSpan(0, written)), "an error may be answered with an error");
        }
    }

    // The sum over the segment with its checksum: what it is does not matter here, only that it stays.
    private static ushort TcpSum(ReadOnlySpan<byte> packet, int offset, ushort pseudo)
    {
        ushort sum = InternetChecksum.Compute(packet[Math.Min(offset, packet.Length)..], pseudo);
        return sum == ushort.MaxValue ? (ushort)0 : sum;
    }

    private static ushort PseudoIPv4(ReadOnlySpan<byte> packet, int header) => InternetChecksum.PseudoHeader(
        IpAddress.FromUInt32(IpPacket.SourceIPv4(packet)), IpAddress.FromUInt32(IpPacket.DestinationIPv4(packet)), 6, packet.Length - header);
}
