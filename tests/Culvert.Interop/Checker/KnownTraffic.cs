using Culvert.Testing;

namespace Culvert.Interop.Checker;

/// <summary>
/// The packets that the checker sends, in their order: every kind that somebody along the way might join, cut, finish or alter.
/// The same seed makes the same octets.
/// </summary>
internal sealed class KnownTraffic
{
    /// <summary>More than the kernel and we join of UDP (64), or lay into one send.</summary>
    private const int LongRun = 70;

    private readonly Random _random = new(1);
    private readonly string _source;
    private readonly string _destination;
    private readonly int _largest;
    private readonly List<byte[]> _packets = [];
    private int _port = 5000;

    /// <param name="source">Address of the sender.</param>
    /// <param name="destination">Address of the receiver.</param>
    /// <param name="largest">Octets of the longest packet that crosses the tunnel whole.</param>
    private KnownTraffic(string source, string destination, int largest)
    {
        (_source, _destination, _largest) = (source, destination, largest);
    }

    /// <summary>Packets that nobody needs to cut.</summary>
    /// <param name="every">All sizes up to the largest instead of all small ones and those around the edges.</param>
    public static List<byte[]> Whole(string source, string destination, int largest, bool every)
    {
        var traffic = new KnownTraffic(source, destination, largest);
        traffic.AddSizes(every);
        traffic.AddUdpRuns();
        traffic.AddTcpRuns();
        traffic.AddTrafficClasses();
        traffic.AddOddities();
        traffic.AddFragments();
        return traffic._packets;
    }

    /// <summary>Packets that may be cut and must be: from one octet too many to <paramref name="longest"/>.</summary>
    public static List<byte[]> TooLarge(string source, string destination, int largest, int longest)
    {
        var traffic = new KnownTraffic(source, destination, largest);
        for (int size = largest + 1; size <= longest; size += Math.Max(1, (longest - largest) / 13))
        {
            KnownPacket packet = traffic.Next() with { Identification = size };
            traffic.Add(packet with { Payload = traffic.Octets(size - 28) });
            traffic.Add(packet with { Protocol = IpBuilder.Icmp, Payload = traffic.Octets(size - 28) });
            traffic.Add(packet with { Protocol = 253, Payload = traffic.Octets(size - 24), Options = [1, 1, 1, 0] });
            traffic.Add(packet with { Payload = traffic.Octets(size - 28), Checksum = KnownPacket.WithoutChecksum, Tos = 1, Identification = size + 10_000 });
        }

        return traffic._packets;
    }

    /// <summary>Sizes of which at least one packet is sent: every small one, then the edges and what lies between in steps.</summary>
    private IEnumerable<int> Sizes(bool every)
    {
        int[] edges = [_largest - 52, _largest - 40, _largest - 1, _largest];
        IEnumerable<int> steps = Enumerable.Range(1, 60).Select(i => 200 + (i * Math.Max(1, (_largest - 200) / 60)));
        IEnumerable<int> binary = Enumerable.Range(8, 8).Select(bits => 1 << bits).SelectMany(size => new[] { size - 1, size, size + 1 });
        return (every ? Enumerable.Range(20, _largest - 19) : Enumerable.Range(20, 180).Concat(steps).Concat(binary).Concat(edges))
            .Where(size => size <= _largest).Distinct().Order();
    }

    private void AddSizes(bool every)
    {
        KnownPacket udp = Next();
        KnownPacket tcp = Next() with { Protocol = IpBuilder.Tcp };
        uint sequence = 1000;
        foreach (int size in Sizes(every))
        {
            bool isAtomic = size % 3 == 0;
            if (size >= 28)
            {
                Add(udp with { Payload = Octets(size - 28), DontFragment = isAtomic, Identification = size });
            }

            if (size >= 40)
            {
                Add(tcp with { Payload = Octets(size - 40), DontFragment = isAtomic, Identification = size, Sequence = sequence });
                sequence += (uint)size - 40;
            }

            Add(Next(other: true) with { Protocol = 253, Payload = Octets(size - 20), DontFragment = isAtomic });
        }
    }

    /// <summary>Datagrams of one size in a row, then a shorter one: what UDP segmentation makes of a large one.</summary>
    private void AddUdpRuns()
    {
        foreach (int payload in (int[])[0, 1, 2, 100, 333, 1172, _largest - 28])
        {
            KnownPacket packet = Next();
            int count = payload > 2000 ? 5 : LongRun;
            for (int i = 0; i < count; i++)
            {
                Add(packet with { Payload = Octets(payload), Identification = i });
            }

            Add(packet with { Payload = Octets(payload / 2), Identification = count });

            // In the middle of a run: no checksum, a wrong one, and one whose right checksum counts as zero.
            packet = Next() with { DontFragment = true };
            for (int i = 0; i < 12; i++)
            {
                Add(packet with { Payload = Octets(payload), Checksum = i switch { 4 => KnownPacket.WithoutChecksum, 7 => KnownPacket.WrongChecksum, _ => 0 } });
            }
        }
    }

    /// <summary>Segments of a stream in a row, and what must part them.</summary>
    private void AddTcpRuns()
    {
        byte[] stamps = [1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7];
        foreach (int payload in (int[])[1, 2, 100, 536, 1000, _largest - 52])
        {
            KnownPacket plain = Next() with { Protocol = IpBuilder.Tcp, TcpOptions = stamps, DontFragment = true };
            AddStream(plain, payload, LongRun, (p, i) => i % 5 == 4 ? p with { Flags = KnownPacket.Ack | KnownPacket.Psh } : p);
            AddStream(plain with { Port = _port++, Flags = KnownPacket.Ack | KnownPacket.Ece, Tos = 2 }, payload, 12, (p, _) => p);
            AddStream(plain with { Port = _port++, DontFragment = false }, payload, 24, Disturb);
        }
    }

    private static KnownPacket Disturb(KnownPacket packet, int index) => index switch
    {
        2 => packet with { Flags = KnownPacket.Ack | KnownPacket.Cwr },
        4 => packet with { Flags = KnownPacket.Ack | KnownPacket.Urg },
        6 => packet with { Tos = 3 },
        8 => packet with { Window = 999 },
        10 => packet with { Acknowledgement = 78 },
        12 => packet with { Checksum = KnownPacket.WrongChecksum },
        14 => packet with { TcpOptions = [1, 1, 8, 10, 0, 1, 2, 4, 4, 5, 6, 7] },
        16 => packet with { Ttl = 33 },
        18 => packet with { Sequence = packet.Sequence + 1 },
        20 => packet with { Identification = 7777 },
        21 => packet with { Flags = KnownPacket.Ack | KnownPacket.Rst },
        22 => packet with { Sequence = packet.Sequence - (uint)packet.Payload.Length },
        23 => packet with { Flags = KnownPacket.Ack | KnownPacket.Fin | KnownPacket.Psh },
        _ => packet,
    };

    private void AddStream(KnownPacket first, int payload, int count, Func<KnownPacket, int, KnownPacket> change)
    {
        count = payload > 2000 ? Math.Min(count, 24) : count;
        for (int i = 0; i < count; i++)
        {
            Add(change(first with { Sequence = 0xFFFF_FF00 + (uint)(i * payload), Identification = 0xFFF8 + i, Payload = Octets(payload) }, i));
        }
    }

    /// <summary>All values of the octet that holds DSCP and ECN, three packets of each, of one size.</summary>
    private void AddTrafficClasses()
    {
        KnownPacket packet = Next();
        for (int i = 0; i < 3 * 256; i++)
        {
            Add(packet with { Tos = (byte)(i / 3), Payload = Octets(64), Identification = i });
        }
    }

    private void AddOddities()
    {
        // No operation; router alert (RFC 2113); an experiment (RFC 4727); a stream identifier; the longest header.
        byte[][] options =
        [
            [1, 1, 1, 0], [0x94, 4, 0, 0], [0x5E, 4, 1, 2], [0x88, 4, 0xAB, 0xCD], [.. Enumerable.Repeat((byte)1, 40)],
        ];
        foreach (byte[] some in options)
        {
            KnownPacket packet = Next() with { Options = some };
            AddStream(packet with { Protocol = IpBuilder.Tcp }, 100, 6, (p, _) => p);
            for (int size = 0; size < 6; size++)
            {
                Add(packet with { Payload = Octets(90 + size), Identification = size });
            }
        }

        KnownPacket echo = Next() with { Protocol = IpBuilder.Icmp };
        for (int size = 0; size < 20; size++)
        {
            Add(echo with { Payload = Octets(size * 7), Identification = size });
        }

        // SYN with an MSS below any clamp, RST alone, a bare ACK, a FIN.
        KnownPacket tcp = Next() with { Protocol = IpBuilder.Tcp };
        Add(tcp with { Flags = KnownPacket.Syn, TcpOptions = [2, 4, 0, 200] });
        Add(tcp with { Flags = KnownPacket.Rst });
        Add(tcp);
        Add(tcp);
        Add(tcp with { Flags = KnownPacket.Ack | KnownPacket.Fin });
    }

    /// <summary>Cut before they came here: a protocol of its own, so that the judge does not put them together.</summary>
    private void AddFragments()
    {
        KnownPacket packet = Next(other: true) with { Protocol = PacketJudge.CutBefore };
        for (int i = 0; i < 10; i++)
        {
            Add(packet with { Payload = Octets(64), Identification = i, Fragment = 0x2000 });
            Add(packet with { Payload = Octets(64), Identification = i, Fragment = 0x2000 | 8 });
            Add(packet with { Payload = Octets(9), Identification = i, Fragment = 16 });
        }
    }

    private KnownPacket Next(bool other = false) => new() { Source = _source, Destination = _destination, Port = other ? 0 : _port++ };

    private byte[] Octets(int count)
    {
        byte[] octets = new byte[Math.Max(0, count)];
        _random.NextBytes(octets);
        return octets;
    }

    private void Add(KnownPacket packet)
    {
        byte[] octets = packet.ToArray();
        if (octets.Length <= _largest || packet.Fragment == 0)
        {
            _packets.Add(octets);
        }
    }
}
