using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Blast;

/// <summary>
/// The packet that measures: IPv4 and UDP (without checksum, which RFC 768 allows), then whose it is, the how manieth and when it was sent.
/// <code>
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |             the run (random, to know our own by)              |
/// |                      session that sent it                     |
/// |                    sequence number, from 0                    |
/// |            time of sending, nanoseconds                       |
/// |                                                               |
/// |    zeros ...
/// </code>
/// </summary>
public readonly record struct StampedPacket(int Session, uint Sequence, Timestamp SentAt)
{
    /// <summary>Headers and stamp.</summary>
    public const int MinimumSize = HeaderSize + StampSize;

    /// <summary>The largest inner packet that is sent: a whole Ethernet frame's.</summary>
    public const int MaximumSize = 1500;

    internal const int DestinationAt = 16;

    private const int IpHeaderSize = 20;
    private const int HeaderSize = IpHeaderSize + 8;
    private const int StampSize = 20;
    private const byte Udp = 17;
    private const byte TimeToLive = 64;
    private const ushort VersionAndLength = 0x4500;
    private const ushort DoNotFragment = 0x4000;

    /// <summary>Writes a packet of <paramref name="size"/> octets, <see cref="MinimumSize"/> at least, from and to the same port.</summary>
    public void Write(Span<byte> packet, int size, uint source, uint destination, ushort port, uint run)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet, VersionAndLength);
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)size);
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)Sequence);
        BinaryPrimitives.WriteUInt16BigEndian(packet[6..], DoNotFragment);
        BinaryPrimitives.WriteUInt16BigEndian(packet[8..], (TimeToLive << 8) | Udp);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(packet[12..], source);
        BinaryPrimitives.WriteUInt32BigEndian(packet[DestinationAt..], destination);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], HeaderChecksum(packet[..IpHeaderSize]));
        BinaryPrimitives.WriteUInt16BigEndian(packet[20..], port);
        BinaryPrimitives.WriteUInt16BigEndian(packet[22..], port);
        BinaryPrimitives.WriteUInt32BigEndian(packet[24..], (uint)(size - IpHeaderSize) << 16);
        Span<byte> stamp = packet[HeaderSize..];
        BinaryPrimitives.WriteUInt32BigEndian(stamp, run);
        BinaryPrimitives.WriteInt32BigEndian(stamp[4..], Session);
        BinaryPrimitives.WriteUInt32BigEndian(stamp[8..], Sequence);
        BinaryPrimitives.WriteInt64BigEndian(stamp[12..], SentAt.Nanoseconds);
        packet[MinimumSize..size].Clear();
    }

    /// <summary>Reads a packet that <see cref="Write"/> made, also when it was sent back; false for everything else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> packet, uint run, out StampedPacket stamped)
    {
        stamped = default;
        if (packet.Length < MinimumSize || packet[0] != VersionAndLength >> 8 || packet[9] != Udp)
        {
            return false;
        }

        ReadOnlySpan<byte> stamp = packet[HeaderSize..];
        if (BinaryPrimitives.ReadUInt32BigEndian(stamp) != run)
        {
            return false;
        }

        stamped = new StampedPacket(
            BinaryPrimitives.ReadInt32BigEndian(stamp[4..]),
            BinaryPrimitives.ReadUInt32BigEndian(stamp[8..]),
            new Timestamp(BinaryPrimitives.ReadInt64BigEndian(stamp[12..])));
        return true;
    }

    private static ushort HeaderChecksum(ReadOnlySpan<byte> header)
    {
        uint sum = 0;
        for (int i = 0; i < IpHeaderSize; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        }

        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~((sum & 0xFFFF) + (sum >> 16));
    }
}
