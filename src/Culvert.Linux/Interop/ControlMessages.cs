using Culvert.Core;

namespace Culvert.Linux.Interop;

/// <summary>Walks the control messages that the kernel put beside a datagram (cmsg(3)), never past their end.</summary>
internal unsafe ref struct ControlReader
{
    internal static readonly int HeaderSize = sizeof(ControlHeader);

    private byte* _next;
    private nuint _left;

    internal ControlReader(void* control, nuint length)
    {
        _next = (byte*)control;
        _left = length;
    }

    internal int Level { get; private set; }

    internal int Type { get; private set; }

    internal byte* Data { get; private set; }

    internal int Length { get; private set; }

    internal bool MoveNext()
    {
        if (_left < (nuint)HeaderSize)
        {
            return false;
        }

        var header = (ControlHeader*)_next;
        if (header->Length < (nuint)HeaderSize || header->Length > _left)
        {
            return false;
        }

        Level = header->Level;
        Type = header->Type;
        Data = _next + HeaderSize;
        Length = (int)header->Length - HeaderSize;
        nuint step = Math.Min(_left, (header->Length + 7) & ~(nuint)7);
        _next += step;
        _left -= step;
        return true;
    }
}

/// <summary>Puts control messages beside a datagram that is to be sent.</summary>
internal unsafe ref struct ControlWriter
{
    /// <summary>Room for a local address (40 octets), a mark, a segment size and a traffic class (24 each).</summary>
    internal const int Capacity = 128;

    private readonly byte* _start;
    private nuint _length;

    internal ControlWriter(void* control)
    {
        _start = (byte*)control;
    }

    internal readonly nuint Length => _length;

    /// <summary>The source address of the answer (struct in_pktinfo, in6_pktinfo); the route chooses the interface, except for link-local addresses.</summary>
    internal void AddLocalAddress(in IpAddress local)
    {
        if (local.IsIPv6)
        {
            Span<byte> info = Add(Constants.LevelIPv6, Constants.IPv6PacketInfo, 20);
            local.WriteTo(info);
            BitConverter.TryWriteBytes(info[16..], local.Scope);
        }
        else
        {
            // ipi_ifindex, ipi_spec_dst (the source to use), ipi_addr.
            local.WriteTo(Add(Constants.LevelIPv4, Constants.IPv4PacketInfo, 12)[4..]);
        }
    }

    internal void AddMark(uint mark) => BitConverter.TryWriteBytes(Add(Constants.LevelSocket, Constants.Mark, sizeof(uint)), mark);

    internal void AddSegmentSize(ushort size) =>
        BitConverter.TryWriteBytes(Add(Constants.LevelUdp, Constants.UdpSegment, sizeof(ushort)), size);

    /// <summary>The kernel wants an int for both families, though one octet goes out.</summary>
    internal void AddTrafficClass(byte trafficClass, IpFamily family)
    {
        bool isIPv6 = family == IpFamily.IPv6;
        Span<byte> data = Add(
            isIPv6 ? Constants.LevelIPv6 : Constants.LevelIPv4, isIPv6 ? Constants.IPv6TrafficClass : Constants.IPv4Tos, sizeof(int));
        BitConverter.TryWriteBytes(data, (int)trafficClass);
    }

    private Span<byte> Add(int level, int type, int size)
    {
        var header = (ControlHeader*)(_start + _length);
        header->Length = (nuint)(ControlReader.HeaderSize + size);
        header->Level = level;
        header->Type = type;
        var data = new Span<byte>(header + 1, (size + 7) & ~7);
        data.Clear();
        _length += header->Length + 7 & ~(nuint)7;
        return data;
    }
}
