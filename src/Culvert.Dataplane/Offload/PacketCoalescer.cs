using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Offload;

/// <summary>
/// Joins packets of one flow that arrived together into runs that the kernel takes in one call and handles as one packet (generic
/// receive offload). What comes out of a run when it is cut again is what came in, octet by octet. Packets of different flows may
/// overtake each other, those of one flow never.
/// </summary>
/// <remarks>
/// Nothing is copied: a run is a list of pieces of the receive buffer. Add the packets of one batch, hand on each run, start again.
/// </remarks>
public sealed class PacketCoalescer
{
    /// <summary>The longest packet: IP's length fields have 16 bits.</summary>
    private const int LargestPacket = 65_535;

    /// <summary>Packets in one run: more makes nothing cheaper, and one call writes 1,024 pieces at most.</summary>
    public const int LongestRun = 256;

    /// <summary>Datagrams in a run of UDP, as the kernel limits its own.</summary>
    private const int LongestUdpRun = 64;

    /// <summary>Flows of one batch that are told apart; others find their place taken, which only means shorter runs.</summary>
    private const int FlowSlots = 256;

    private const int None = -1;

    private readonly Run[] _runs;
    private readonly Piece[] _pieces;
    private readonly int[] _openBySlot = new int[FlowSlots];
    private readonly ushort[] _slotEpoch = new ushort[FlowSlots];
    private ushort _epoch = 1;
    private int _pieceCount;

    /// <param name="capacity">Packets per batch.</param>
    /// <param name="withUdp">See <see cref="WithUdp"/>.</param>
    /// <param name="withTcp">See <see cref="WithTcp"/>.</param>
    public PacketCoalescer(int capacity, bool withUdp = false, bool withTcp = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        WithUdp = withUdp;
        WithTcp = withTcp;
        _runs = new Run[capacity];
        _pieces = new Piece[capacity];
    }

    /// <summary>Whether runs of UDP datagrams are taken (Linux 6.2); may change while there are no packets.</summary>
    public bool WithUdp { get; set; }

    /// <summary>Whether runs of TCP segments are taken; may change while there are no packets.</summary>
    public bool WithTcp { get; set; }

    /// <summary>Runs so far, single packets included.</summary>
    public int Count { get; private set; }

    /// <summary>No more packets fit: hand on what is there.</summary>
    public bool IsFull => _pieceCount == _pieces.Length;

    /// <summary>Packets in a run.</summary>
    public int PacketsIn(int run) => _runs[run].Packets;

    /// <summary>Takes one more packet of the batch.</summary>
    /// <param name="memory">Where all packets of the batch lie; nothing in it may move until <see cref="Clear"/>.</param>
    /// <param name="packet">A whole IP packet whose lengths have been checked.</param>
    public void Add(ReadOnlySpan<byte> memory, BufferRange packet)
    {
        ReadOnlySpan<byte> octets = memory.Slice(packet.Offset, packet.Length);
        if (!FlowHeader.TryRead(octets, WithUdp, out FlowHeader header) || (header.IsTcp && !WithTcp))
        {
            AddAlone(octets, packet);
            return;
        }

        uint slot = FlowHeader.HashOf(octets) % FlowSlots;
        int open = _slotEpoch[slot] == _epoch ? _openBySlot[slot] : None;
        if (open != None && TryJoin(memory, ref _runs[open], header, packet))
        {
            return;
        }

        _openBySlot[slot] = Start(packet, header.Payload, isOpen: !header.HasPush);
        _slotEpoch[slot] = _epoch;
    }

    /// <summary>Makes a run ready to be handed on: its first packet's headers are changed to describe all of it.</summary>
    /// <param name="memory">As given to <see cref="Add"/>.</param>
    /// <param name="run">From 0 to <see cref="Count"/>, each once.</param>
    /// <param name="pieces">Filled with what to write one after another, at most <see cref="LongestRun"/>: the first packet, then payloads.</param>
    /// <param name="offload">What to tell the kernel about it.</param>
    /// <returns>How many pieces there are.</returns>
    public int Finish(Span<byte> memory, int run, Span<BufferRange> pieces, out OffloadHeader offload)
    {
        ref Run taken = ref _runs[run];
        int count = 0;
        for (int piece = taken.First; piece != None; piece = _pieces[piece].Next)
        {
            pieces[count++] = _pieces[piece].Range;
        }

        offload = taken.Packets == 1 ? default : Describe(memory.Slice(pieces[0].Offset, pieces[0].Length), taken);
        return count;
    }

    /// <summary>Forgets all runs: they have been handed on.</summary>
    public void Clear()
    {
        Count = 0;
        _pieceCount = 0;
        ForgetFlows();
    }

    private void AddAlone(ReadOnlySpan<byte> octets, BufferRange packet)
    {
        if (FlowHeader.HasPorts(octets))
        {
            _openBySlot[FlowHeader.HashOf(octets) % FlowSlots] = None;
        }
        else
        {
            // A fragment, for example: its flow is unknown, so nothing that comes later may overtake it.
            ForgetFlows();
        }

        _ = Start(packet, 0, isOpen: false);
    }

    private void ForgetFlows()
    {
        if (++_epoch == 0)
        {
            _slotEpoch.AsSpan().Clear();
            _epoch = 1;
        }
    }

    private int Start(BufferRange packet, int payload, bool isOpen)
    {
        int piece = _pieceCount++;
        _pieces[piece] = new Piece { Range = packet, Next = None };
        _runs[Count] = new Run
        {
            First = piece,
            Last = piece,
            Packets = 1,
            Length = packet.Length,
            SegmentSize = (ushort)payload,
            IsOpen = isOpen,
        };
        return Count++;
    }

    private bool TryJoin(ReadOnlySpan<byte> memory, ref Run run, in FlowHeader header, BufferRange packet)
    {
        int longest = header.IsTcp ? LongestRun : LongestUdpRun;
        if (!run.IsOpen || header.Payload > run.SegmentSize || run.Length + header.Payload > LargestPacket || run.Packets == longest)
        {
            return false;
        }

        BufferRange range = _pieces[run.First].Range;
        _ = FlowHeader.TryRead(memory.Slice(range.Offset, range.Length), WithUdp, out FlowHeader first);
        bool follows = header.Continues(first, run.Packets)
            && (!header.IsTcp || header.Sequence == first.Sequence + (uint)(run.Length - first.Length));
        if (!follows || (run.Packets == 1 && !first.IsIntact()) || !header.IsIntact())
        {
            return false;
        }

        int piece = _pieceCount++;
        _pieces[piece] = new Piece { Range = new BufferRange(packet.Offset + header.Length, header.Payload), Next = None };
        _pieces[run.Last].Next = piece;
        run.Last = piece;
        run.Packets++;
        run.Length += header.Payload;
        run.HasPush = header.HasPush;
        run.IsOpen = header.Payload == run.SegmentSize && !header.HasPush;
        return true;
    }

    private OffloadHeader Describe(Span<byte> first, in Run run)
    {
        _ = FlowHeader.TryRead(first, WithUdp, out FlowHeader header);
        int transport = header.Transport;
        if (header.IsIPv6)
        {
            BinaryPrimitives.WriteUInt16BigEndian(first[4..], (ushort)(run.Length - IpPacket.IPv6Header));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(first[2..], (ushort)run.Length);
            BinaryPrimitives.WriteUInt16BigEndian(first[10..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(first[10..], InternetChecksum.Compute(first[..transport]));
        }

        if (header.IsTcp)
        {
            const byte Psh = 0x08;
            first[transport + 13] |= run.HasPush ? Psh : (byte)0;
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(first[(transport + 4)..], (ushort)(run.Length - transport));
        }

        // Not inverted: the kernel, or the card, adds the rest.
        BinaryPrimitives.WriteUInt16BigEndian(first[(transport + header.ChecksumOffset)..], header.PseudoHeader(run.Length - transport));
        return new OffloadHeader
        {
            NeedsChecksum = true,
            Kind = !header.IsTcp ? SegmentKind.Udp : header.IsIPv6 ? SegmentKind.TcpIPv6 : SegmentKind.TcpIPv4,
            HeaderLength = (ushort)header.Length,
            SegmentSize = run.SegmentSize,
            ChecksumStart = (ushort)transport,
            ChecksumOffset = (ushort)header.ChecksumOffset,
        };
    }

    private struct Piece
    {
        public BufferRange Range;
        public int Next;
    }

    private struct Run
    {
        public int First;
        public int Last;
        public int Packets;
        public int Length;
        public ushort SegmentSize;
        public bool HasPush;
        public bool IsOpen;
    }
}
