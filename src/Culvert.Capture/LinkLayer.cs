using System.Buffers.Binary;

namespace Culvert.Capture;

internal enum LinkPayload : byte
{
    /// <summary>Something else than IP or PPP, or cut within the link header.</summary>
    Other = 0,
    Ip,
    Ppp,
}

/// <summary>Finds IP, or PPP, behind the headers of the link types of <see cref="LinkType"/>.</summary>
internal static class LinkLayer
{
    private const ushort EtherTypeIPv4 = 0x0800;
    private const ushort EtherTypeIPv6 = 0x86DD;

    // Tags stand in one another (IEEE 802.1ad); more than four are nobody's network.
    private const int MaximumTags = 4;

    public static bool IsKnown(LinkType type) => Enum.IsDefined(type);

    public static LinkPayload Find(LinkType type, ReadOnlySpan<byte> frame, scoped ref FrameDirection direction, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        switch (type)
        {
            case LinkType.Ethernet:
                return ByEtherType(frame, 12, 14, out payload);
            case LinkType.LinuxCooked:
                return ByEtherType(frame, 14, 16, out payload);
            case LinkType.LinuxCookedV2:
                return ByEtherType(frame, 0, 20, out payload);
            case LinkType.Null or LinkType.Loop:
                return ByVersion(frame.Length > 4 ? frame[4..] : default, out payload);
            case LinkType.Raw or LinkType.RawBsd or LinkType.RawOpenBsd or LinkType.IPv4 or LinkType.IPv6:
                return ByVersion(frame, out payload);
            case LinkType.Ppp or LinkType.PppSerial:
                payload = frame;
                return LinkPayload.Ppp;
            case LinkType.PppWithDirection when !frame.IsEmpty:
                direction = frame[0] == 0 ? FrameDirection.Received : FrameDirection.Sent;
                payload = frame[1..];
                return LinkPayload.Ppp;
            default:
                return LinkPayload.Other;
        }
    }

    private static LinkPayload ByEtherType(ReadOnlySpan<byte> frame, int typeAt, int start, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        for (int tags = 0; tags <= MaximumTags && frame.Length > start; tags++)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[typeAt..]);
            if (type is EtherTypeIPv4 or EtherTypeIPv6)
            {
                return ByVersion(frame[start..], out payload);
            }

            if (type is not (0x8100 or 0x88A8 or 0x9100))
            {
                return LinkPayload.Other;
            }

            // Behind the tag control information stands the real type.
            typeAt = start + 2;
            start += 4;
        }

        return LinkPayload.Other;
    }

    private static LinkPayload ByVersion(ReadOnlySpan<byte> packet, out ReadOnlySpan<byte> payload)
    {
        payload = packet;
        return !packet.IsEmpty && (packet[0] >> 4) is 4 or 6 ? LinkPayload.Ip : LinkPayload.Other;
    }
}
