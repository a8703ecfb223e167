using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Packets that come together. Datagrams that the kernel joined on receipt (UDP GRO) are up to 64 of one peer: often all of one flow, or
/// each of another session. Both are cheaper together than one by one.
/// </summary>
public sealed partial class Forwarder
{
    private const byte Syn = 0x02;
    private const int TcpFlags = 13;

    // As many as the kernel joins.
    private const int MostPrefetched = 64;

    // What became of the datagram handled last, if the next one like it fares the same, and whose it was.
    private Verdict _last;
    private int _lastRow;
    private bool _isRepeatable;

    /// <summary>
    /// Fetches what <see cref="Decapsulate"/> will need of the sessions that joined datagrams belong to. With tens of thousands of
    /// sessions in use each look-up waits for memory; asked for beforehand, they wait together. Of content nothing is demanded.
    /// </summary>
    /// <param name="joined">Datagrams one after another.</param>
    /// <param name="size">Octets of each, the last may be shorter; at least 1.</param>
    public void Prefetch(ReadOnlySpan<byte> joined, int size)
    {
        Span<uint> keys = stackalloc uint[MostPrefetched];
        int count = 0;
        for (int at = 0; at < joined.Length && count < keys.Length; at += size)
        {
            if (L2tpDataHeader.TryPeekKey(joined[at..], out uint key))
            {
                PrefetchEntry(key, keys, ref count);
            }
        }

        foreach (uint key in keys[..count])
        {
            Counters.Prefetch(_sessions.PeekRow(key));
        }
    }

    /// <summary>The same for packets from a TUN and the sessions that their destinations lead to.</summary>
    /// <param name="memory">Where they lie.</param>
    /// <param name="packets">The packets, offloaded ones among them.</param>
    public void Prefetch(ReadOnlySpan<byte> memory, ReadOnlySpan<BufferRange> packets)
    {
        Span<uint> keys = stackalloc uint[MostPrefetched];
        int count = 0;
        foreach (BufferRange packet in packets[..Math.Min(packets.Length, keys.Length)])
        {
            if (FindSession(memory.Slice(packet.Offset, packet.Length), out _) is { IsNone: false } session)
            {
                PrefetchEntry(session.Value, keys, ref count);
            }
        }

        foreach (uint key in keys[..count])
        {
            int row = _sessions.PeekRow(key);
            Counters.Prefetch(row);
            _sessions.PrefetchPath(row);
        }
    }

    private void PrefetchEntry(uint key, Span<uint> keys, ref int count)
    {
        if (count == 0 || keys[count - 1] != key)
        {
            _sessions.Prefetch(key);
            keys[count++] = key;
        }
    }

    private void Remember(in Verdict verdict, in SessionEntry session)
    {
        _last = verdict;
        _lastRow = session.Row;
        _isRepeatable = verdict is { Kind: VerdictKind.Deliver, PathChanged: false, SequencingChanged: false, HasSequence: false };
    }

    /// <summary>
    /// Whether a datagram differs from the one handled just before in nothing that the verdict depends on: in identification, hop limit
    /// and what is inside of TCP and UDP at most, and is no SYN, whose MSS may have to be clamped. Where an outer ECN mark went inside, the one
    /// before differs by now.
    /// </summary>
    private bool IsLikeLast(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> before)
    {
        int start = _last.Offset;
        if (!_isRepeatable || datagram.Length != before.Length || !datagram[..start].SequenceEqual(before[..start]))
        {
            return false;
        }

        // Measured when the one before was handled: there are a whole header and as many octets as it says.
        ReadOnlySpan<byte> packet = datagram.Slice(start, _last.Length);
        ReadOnlySpan<byte> previous = before.Slice(start, _last.Length);
        bool isIPv6 = IpPacket.Version(previous) == 6;
        bool isSameIp = isIPv6
            ? Word(packet) == Word(previous) && packet[8..IpPacket.IPv6Header].SequenceEqual(previous[8..IpPacket.IPv6Header])
            : Half(packet) == Half(previous) && packet[9] == previous[9] && Word(packet[12..]) == Word(previous[12..]);
        if (!isSameIp)
        {
            return false;
        }

        byte protocol = packet[isIPv6 ? 6 : 9];
        int flags = (isIPv6 ? IpPacket.IPv6Header : IpPacket.HeaderLength(packet)) + TcpFlags;
        return protocol == IpPacket.Udp || (protocol == IpPacket.Tcp && packet.Length > flags && (packet[flags] & Syn) == 0);
    }

    private static ulong Word(ReadOnlySpan<byte> octets) => MemoryMarshal.Read<ulong>(octets);

    private static uint Half(ReadOnlySpan<byte> octets) => BinaryPrimitives.ReadUInt32LittleEndian(octets);
}
