using System.Buffers.Binary;
using System.Net;
using Culvert.Interop.Harness;
using Culvert.Testing;

namespace Culvert.Interop.Checker;

/// <summary>
/// Compares what arrives with what was sent. Octet by octet the same, in the order of its flow, nothing twice; only the time to live
/// is lower by the hops, the header's checksum follows it, and the identification of an atomic datagram means nothing (RFC 6864).
/// </summary>
internal sealed class PacketJudge(string source, string destination, int hops)
{
    /// <summary>Protocol of packets that the sender had cut: they must arrive as they are.</summary>
    public const int CutBefore = 254;

    private readonly byte[] _addresses = [.. IPAddress.Parse(source).GetAddressBytes(), .. IPAddress.Parse(destination).GetAddressBytes()];
    private readonly Dictionary<Flow, Queue<byte[]>> _expected = [];
    private readonly Dictionary<int, SortedList<int, byte[]>> _pieces = [];

    /// <summary>Packets still to come.</summary>
    public int Outstanding { get; private set; }

    /// <summary>Fragments put together.</summary>
    public int Reassembled { get; private set; }

    public void Expect(byte[] sent)
    {
        byte[] expected = [.. sent];
        expected[8] -= (byte)hops;
        KnownPacket.Seal(expected);
        var flow = Flow.Of(expected);
        if (!_expected.TryGetValue(flow, out Queue<byte[]>? queue))
        {
            _expected[flow] = queue = new Queue<byte[]>();
        }

        queue.Enqueue(expected);
        Outstanding++;
    }

    /// <summary>Throws when the packet is not the next one of its flow. Those between other addresses are passed over.</summary>
    public void Judge(ReadOnlySpan<byte> arrived)
    {
        if (!arrived[12..20].SequenceEqual(_addresses))
        {
            return;
        }

        byte[]? packet = IsPiece(arrived) ? Assemble(arrived.ToArray()) : arrived.ToArray();
        if (packet is null)
        {
            return;
        }

        if (!_expected.TryGetValue(Flow.Of(packet), out Queue<byte[]>? queue) || !queue.TryDequeue(out byte[]? expected))
        {
            throw new InteropException($"a packet arrived that was not sent, or twice: {Convert.ToHexString(packet.AsSpan(0, Math.Min(packet.Length, 80)))}");
        }

        Compare(expected, packet);
        Outstanding--;
    }

    /// <summary>What has not come, for a message.</summary>
    public string Missing() => string.Join("; ", _expected.Where(e => e.Value.Count > 0)
        .Select(e => $"{e.Value.Count} of {e.Key}, first {Convert.ToHexString(e.Value.Peek().AsSpan(0, Math.Min(e.Value.Peek().Length, 60)))} of {e.Value.Peek().Length} octets").Take(5));

    private static void Compare(byte[] expected, byte[] arrived)
    {
        const byte DontFragment = 0x40;
        if ((expected[6] & DontFragment) != 0 && arrived.Length > 10)
        {
            // The checksum must still be that of what arrived.
            arrived.AsSpan(4, 2).CopyTo(expected.AsSpan(4));
            KnownPacket.Seal(expected);
        }

        if (!expected.AsSpan().SequenceEqual(arrived))
        {
            int at = expected.AsSpan().CommonPrefixLength(arrived);
            throw new InteropException(
                $"{Flow.Of(expected)}: {expected.Length} octets sent, {arrived.Length} arrived, different from octet {at} on:\n"
                + $"  sent    {Around(expected, at)}\n  arrived {Around(arrived, at)}");
        }
    }

    private static string Around(byte[] packet, int at) =>
        $"{Convert.ToHexString(packet.AsSpan(0, Math.Min(packet.Length, 44)))} .. {Convert.ToHexString(packet.AsSpan(Math.Min(at, packet.Length), Math.Min(16, packet.Length - Math.Min(at, packet.Length))))}";

    private static bool IsPiece(ReadOnlySpan<byte> packet) => packet[9] != CutBefore && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3FFF) != 0;

    private byte[]? Assemble(byte[] piece)
    {
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(6));
        int key = (BinaryPrimitives.ReadUInt16BigEndian(piece.AsSpan(4)) << 8) | piece[9];
        if (!_pieces.TryGetValue(key, out SortedList<int, byte[]>? pieces))
        {
            _pieces[key] = pieces = [];
        }

        if (!pieces.TryAdd((fragment & 0x1FFF) * 8, piece))
        {
            throw new InteropException($"a fragment arrived twice: {Convert.ToHexString(piece.AsSpan(0, 28))}");
        }

        var payload = new ByteBuilder();
        int next = 0;
        foreach ((int offset, byte[] part) in pieces)
        {
            int header = (part[0] & 15) * 4;
            if (offset != next)
            {
                return null;
            }

            payload.Bytes(part[header..]);
            next += part.Length - header;
        }

        if ((pieces.Values[^1][6] & 0x20) != 0)
        {
            return null;
        }

        byte[] first = pieces.Values[0];
        byte[] whole = [.. first[..((first[0] & 15) * 4)], .. payload.ToArray()];
        BinaryPrimitives.WriteUInt16BigEndian(whole.AsSpan(2), (ushort)whole.Length);
        whole[6] &= 0xC0;
        whole[7] = 0;
        KnownPacket.Seal(whole);
        _pieces.Remove(key);
        Reassembled++;
        return whole;
    }

    private readonly record struct Flow(byte Protocol, int Source, int Destination)
    {
        public static Flow Of(ReadOnlySpan<byte> packet)
        {
            int header = (packet[0] & 15) * 4;
            return packet[9] is IpBuilder.Tcp or IpBuilder.Udp
                ? new Flow(packet[9], BinaryPrimitives.ReadUInt16BigEndian(packet[header..]), BinaryPrimitives.ReadUInt16BigEndian(packet[(header + 2)..]))
                : new Flow(packet[9], 0, 0);
        }

        public override string ToString() => $"protocol {Protocol} port {Source}";
    }
}
