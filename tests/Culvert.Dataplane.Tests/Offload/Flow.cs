using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Dataplane.Tests.Offload;

/// <summary>Packets of one TCP or UDP flow, built octet by octet as a sender's network card would send them.</summary>
internal sealed record Flow
{
    public bool IsIPv6 { get; init; }

    public byte Protocol { get; init; } = 6;

    public ushort SourcePort { get; init; } = 40_000;

    /// <summary>"Don't fragment" in IPv4.</summary>
    public bool Atomic { get; init; } = true;

    public byte Tos { get; init; }

    public byte Ttl { get; init; } = 64;

    public byte[] TcpOptions { get; init; } = Bench.Hex("0101080A 00112233 44556677");

    /// <summary>From the server to the subscriber.</summary>
    public bool Reversed { get; init; }

    public IpAddress Source => Reversed ? ServerAddress : SubscriberAddress;

    public IpAddress Destination => Reversed ? SubscriberAddress : ServerAddress;

    private IpAddress SubscriberAddress => IsIPv6 ? Bench.Subscriber6 : Bench.Subscriber;

    private IpAddress ServerAddress => IsIPv6 ? Bench.Server6 : Bench.Server;

    public int HeaderLength => (IsIPv6 ? 40 : 20) + (Protocol == 6 ? 20 + TcpOptions.Length : 8);

    public byte[] Packet(
        ReadOnlySpan<byte> payload, uint sequence = 0, byte flags = 0x10, ushort identification = 0, uint acknowledgement = 7, ushort window = 500)
    {
        byte[] transport = Protocol == 6 ? Tcp(payload, sequence, flags, acknowledgement, window) : Udp(payload);
        ushort sum = Bench.TransportChecksum(Source, Destination, Protocol, transport);
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(Protocol == 6 ? 16 : 6), sum == 0 && Protocol == 17 ? (ushort)0xFFFF : sum);
        byte[] packet = IsIPv6
            ? Bench.IPv6(Source, Destination, Protocol, transport)
            : Bench.IPv4(Source, Destination, Protocol, transport, (ushort)(Atomic ? 0x4000 : 0));
        if (IsIPv6)
        {
            packet[0] = (byte)(0x60 | (Tos >> 4));
            packet[1] = (byte)(Tos << 4);
            packet[7] = Ttl;
            return packet;
        }

        packet[1] = Tos;
        packet[8] = Ttl;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), identification);
        packet[10] = packet[11] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), Bench.SlowChecksum(packet.AsSpan(0, 20)));
        return packet;
    }

    /// <summary>The packets that a stream of octets makes: equal payloads, the rest in the last one, which may have PSH.</summary>
    public List<byte[]> Stream(byte[] octets, int payload, uint sequence = 1000, ushort identification = 0xFFF0, byte lastFlags = 0x18)
    {
        List<byte[]> packets = [];
        for (int start = 0; start < octets.Length; start += payload)
        {
            ReadOnlySpan<byte> part = octets.AsSpan(start, Math.Min(payload, octets.Length - start));
            byte flags = start + payload >= octets.Length ? lastFlags : (byte)0x10;
            packets.Add(Packet(part, sequence + (uint)start, flags, (ushort)(identification + packets.Count)));
        }

        return packets;
    }

    private byte[] Tcp(ReadOnlySpan<byte> payload, uint sequence, byte flags, uint acknowledgement, ushort window)
    {
        byte[] segment = new byte[20 + TcpOptions.Length + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(segment, SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), 443);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), sequence);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), acknowledgement);
        segment[12] = (byte)((20 + TcpOptions.Length) / 4 << 4);
        segment[13] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(14), window);
        TcpOptions.CopyTo(segment, 20);
        payload.CopyTo(segment.AsSpan(20 + TcpOptions.Length));
        return segment;
    }

    private byte[] Udp(ReadOnlySpan<byte> payload)
    {
        byte[] datagram = new byte[8 + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), 443);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        payload.CopyTo(datagram.AsSpan(8));
        return datagram;
    }
}
