using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Capture;

/// <summary>
/// Finds L2TP in the frames of one capture, front to back. IP fragments are not put together: they are counted and passed over.
/// </summary>
/// <param name="secrets">Tunnel secrets that open hidden AVPs; each is tried.</param>
public sealed class PacketDissector(IReadOnlyList<Secret> secrets)
{
    private const int UdpHeaderLength = 8;

    private readonly ConversationSet _conversations = new();
    private readonly AvpRevealer _revealer = new(secrets);

    /// <summary>IP fragments passed over.</summary>
    public long FragmentCount { get; private set; }

    /// <summary>Frames passed over because they hold neither L2TP nor PPP.</summary>
    public long OtherCount { get; private set; }

    /// <summary>Frames passed over because their link type is not one that we know; the last such type.</summary>
    public long UnknownLinkCount { get; private set; }

    public LinkType UnknownLink { get; private set; }

    /// <summary>False for a frame that holds neither L2TP nor PPP, which is then counted.</summary>
    public bool TryDissect(in CapturedFrame frame, out DissectedPacket packet)
    {
        packet = default;
        if (!LinkLayer.IsKnown(frame.LinkType))
        {
            UnknownLinkCount++;
            UnknownLink = frame.LinkType;
            return false;
        }

        FrameDirection direction = frame.Direction;
        LinkPayload kind = LinkLayer.Find(frame.LinkType, frame.Octets, ref direction, out ReadOnlySpan<byte> payload);
        if (kind == LinkPayload.Ppp && !payload.IsEmpty)
        {
            packet = new DissectedPacket(frame, direction) { PppFrame = payload, IsCut = frame.OriginalLength > frame.Octets.Length };
            return true;
        }

        if (kind != LinkPayload.Ip || !IpHeader.TryRead(payload, out IpHeader ip))
        {
            OtherCount++;
            return false;
        }

        if (ip.IsFragment)
        {
            FragmentCount++;
            return false;
        }

        if (ip.Protocol == IpHeader.Udp && ip.Payload.Length >= UdpHeaderLength && TryDissectUdp(frame, direction, ip, out packet))
        {
            return true;
        }

        OtherCount++;
        return false;
    }

    private bool TryDissectUdp(in CapturedFrame frame, FrameDirection direction, IpHeader ip, out DissectedPacket packet)
    {
        packet = default;
        ReadOnlySpan<byte> udp = ip.Payload;
        int length = BinaryPrimitives.ReadUInt16BigEndian(udp[4..]);
        if (length < UdpHeaderLength)
        {
            return false;
        }

        var source = new PeerEndpoint(ip.Source, BinaryPrimitives.ReadUInt16BigEndian(udp));
        var destination = new PeerEndpoint(ip.Destination, BinaryPrimitives.ReadUInt16BigEndian(udp[2..]));
        ReadOnlySpan<byte> datagram = udp[UdpHeaderLength..Math.Min(length, udp.Length)];
        if (!_conversations.IsL2tp(source, destination, datagram))
        {
            return false;
        }

        bool hasHeader = L2tpHeader.TryRead(datagram, out L2tpHeader header);
        int revealed = 0;
        int unreadable = 0;
        if (hasHeader && header.IsControl && _revealer.TryReveal(datagram, header, out ReadOnlySpan<byte> clear, out revealed, out unreadable))
        {
            datagram = clear;
            _ = L2tpHeader.TryRead(datagram, out header);
        }

        packet = new DissectedPacket(frame, direction)
        {
            Source = source,
            Destination = destination,
            IsCut = length > udp.Length,
            Datagram = datagram,
            Header = header,
            HasHeader = hasHeader,
            RevealedCount = revealed,
            UnreadableCount = unreadable,
            PppFrame = hasHeader && !header.IsControl ? datagram[header.PayloadStart..header.PayloadEnd] : default,
        };
        return true;
    }
}
