using System.Buffers.Binary;

namespace Culvert.Dataplane;

/// <summary>
/// Cuts an IPv4 packet into fragments (RFC 791 section 3.2). All fragments but the last carry the same number of octets. A packet
/// that is a fragment itself is cut further.
/// </summary>
public readonly ref struct IPv4Fragmenter
{
    /// <summary>Most fragments made of one packet: 65,535 octets over an MTU of 576 need 119.</summary>
    public const int MaxFragments = 128;

    private const ushort MoreFragmentsBit = 0x2000;
    private const int OffsetUnit = 8;

    private readonly ReadOnlySpan<byte> _packet;
    private readonly int _header;
    private readonly int _chunk;

    private IPv4Fragmenter(ReadOnlySpan<byte> packet, int header, int chunk, int count)
    {
        _packet = packet;
        _header = header;
        _chunk = chunk;
        Count = count;
    }

    /// <summary>Fragments to write.</summary>
    public int Count { get; }

    /// <summary>Octets of the largest fragment.</summary>
    public int LargestFragment => _header + _chunk;

    /// <param name="packet">A packet that was measured, and may be fragmented.</param>
    /// <param name="mtu">Octets of the largest fragment allowed.</param>
    /// <param name="fragmenter">What writes the fragments.</param>
    /// <returns>
    /// False when a fragment would carry nothing, more than <see cref="MaxFragments"/> were needed, or the packet is a fragment that ends
    /// beyond the 65,535 octets of any packet.
    /// </returns>
    public static bool TryCreate(ReadOnlySpan<byte> packet, int mtu, out IPv4Fragmenter fragmenter)
    {
        int header = IpPacket.HeaderLength(packet);
        int chunk = (mtu - header) & ~(OffsetUnit - 1);
        int payload = packet.Length - header;
        // A fragment that reaches beyond the longest packet can be none of one; cut further, its offsets would begin again at 0.
        bool isBeyond = (IpPacket.FragmentOffset(packet) * OffsetUnit) + packet.Length > ushort.MaxValue;
        if (mtu - header < OffsetUnit || payload == 0 || (payload + chunk - 1) / chunk > MaxFragments || isBeyond)
        {
            fragmenter = default;
            return false;
        }

        fragmenter = new IPv4Fragmenter(packet, header, chunk, (payload + chunk - 1) / chunk);
        return true;
    }

    /// <summary>Writes fragment <paramref name="index"/> (from 0) and returns its length, at most <see cref="LargestFragment"/>.</summary>
    public int Write(int index, Span<byte> destination)
    {
        int start = index * _chunk;
        int take = Math.Min(_chunk, _packet.Length - _header - start);
        bool last = index == Count - 1;

        int header = _header;
        _packet[..IpPacket.IPv4MinimumHeader].CopyTo(destination);
        if (index == 0)
        {
            _packet[IpPacket.IPv4MinimumHeader.._header].CopyTo(destination[IpPacket.IPv4MinimumHeader..]);
        }
        else
        {
            header = IpPacket.IPv4MinimumHeader
                + CopyOptions(_packet[IpPacket.IPv4MinimumHeader.._header], destination[IpPacket.IPv4MinimumHeader..]);
            destination[0] = (byte)(0x40 | (header / 4));
        }

        int offset = IpPacket.FragmentOffset(_packet) + (start / OffsetUnit);
        bool more = !last || IpPacket.MoreFragments(_packet);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)(header + take));
        BinaryPrimitives.WriteUInt16BigEndian(destination[6..], (ushort)((offset & 0x1FFF) | (more ? MoreFragmentsBit : 0)));
        BinaryPrimitives.WriteUInt16BigEndian(destination[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(destination[10..], InternetChecksum.Compute(destination[..header]));
        _packet.Slice(_header + start, take).CopyTo(destination[header..]);
        return header + take;
    }

    // Options whose first bit is set go into every fragment, the others into the first only (RFC 791 section 3.1).
    private static int CopyOptions(ReadOnlySpan<byte> options, Span<byte> destination)
    {
        int written = 0;
        while (!options.IsEmpty && options[0] != 0)
        {
            int size = 1;
            if (options[0] != 1)
            {
                if (options.Length < 2 || options[1] < 2 || options[1] > options.Length)
                {
                    break;
                }

                size = options[1];
            }

            if ((options[0] & 0x80) != 0)
            {
                options[..size].CopyTo(destination[written..]);
                written += size;
            }

            options = options[size..];
        }

        while ((written & 3) != 0)
        {
            destination[written++] = 0;
        }

        return written;
    }
}
