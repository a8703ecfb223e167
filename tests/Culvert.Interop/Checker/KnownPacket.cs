using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Interop.Checker;

/// <summary>An IPv4 packet of which every octet is chosen. Headers and checksums are right unless told otherwise.</summary>
internal sealed record KnownPacket
{
    public const byte Psh = 8, Ack = 16, Urg = 32, Ece = 64, Cwr = 128, Fin = 1, Syn = 2, Rst = 4;

    public const int WithoutChecksum = 1, WrongChecksum = 2;

    public required string Source { get; init; }

    public required string Destination { get; init; }

    public int Protocol { get; init; } = IpBuilder.Udp;

    /// <summary>Tells flows apart: source port of TCP and UDP.</summary>
    public int Port { get; init; } = 5000;

    public byte Tos { get; init; }

    public byte Ttl { get; init; } = 64;

    public int Identification { get; init; }

    public bool DontFragment { get; init; }

    /// <summary>More fragments, and the offset in units of eight octets.</summary>
    public int Fragment { get; init; }

    /// <summary>Of IP, a multiple of four octets.</summary>
    public byte[] Options { get; init; } = [];

    public byte[] TcpOptions { get; init; } = [];

    public byte Flags { get; init; } = Ack;

    public uint Sequence { get; init; }

    public uint Acknowledgement { get; init; } = 77;

    public ushort Window { get; init; } = 1000;

    public byte[] Payload { get; init; } = [];

    /// <summary>0: right; <see cref="WithoutChecksum"/> (UDP) or <see cref="WrongChecksum"/>.</summary>
    public int Checksum { get; init; }

    public byte[] ToArray()
    {
        IpAddress source = IpAddress.Parse(Source);
        IpAddress destination = IpAddress.Parse(Destination);
        byte[] transport = Protocol switch
        {
            IpBuilder.Tcp => new ByteBuilder().U16(Port).U16(443).U32(Sequence).U32(Acknowledgement)
                .U8((20 + TcpOptions.Length) / 4 << 4).U8(Flags).U16(Window).U16(0).U16((Flags & Urg) != 0 ? 1 : 0).Bytes(TcpOptions).Bytes(Payload).ToArray(),
            IpBuilder.Udp => new ByteBuilder().U16(Port).U16(443).U16(8 + Payload.Length).U16(0).Bytes(Payload).ToArray(),
            IpBuilder.Icmp => new ByteBuilder().U8(8).U8(0).U16(0).U16(Port).U16(Identification).Bytes(Payload).ToArray(),
            _ => Payload,
        };
        int field = Protocol switch { IpBuilder.Tcp => 16, IpBuilder.Udp => 6, IpBuilder.Icmp => 2, _ => -1 };
        if (field > 0)
        {
            int sum = Protocol == IpBuilder.Icmp ? IpBuilder.Checksum(transport) : IpBuilder.PseudoChecksum(source, destination, Protocol, transport);
            sum = sum == 0 && Protocol == IpBuilder.Udp ? 0xFFFF : sum;
            sum = Checksum switch { WithoutChecksum => 0, WrongChecksum => sum == 0x1234 ? 0x4321 : 0x1234, _ => sum };
            BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(field), (ushort)sum);
        }

        byte[] packet = new ByteBuilder().U8(0x40 | (5 + (Options.Length / 4))).U8(Tos).U16(20 + Options.Length + transport.Length)
            .U16(Identification & 0xFFFF).U16((DontFragment ? 0x4000 : 0) | Fragment).U8(Ttl).U8(Protocol).U16(0)
            .Bytes(IpBuilder.Octets(source)).Bytes(IpBuilder.Octets(destination)).Bytes(Options).Bytes(transport).ToArray();
        Seal(packet);
        return packet;
    }

    /// <summary>Writes the header's checksum.</summary>
    public static void Seal(Span<byte> packet)
    {
        int header = (packet[0] & 15) * 4;
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], (ushort)IpBuilder.Checksum(packet[..header].ToArray()));
    }
}
