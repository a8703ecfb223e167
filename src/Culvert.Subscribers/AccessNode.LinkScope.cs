using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Ppp.Wire;
using Culvert.Subscribers.Dhcp;
using PppProtocol = Culvert.Ppp.Wire.PppProtocol;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers;

/// <summary>IP packets that a subscriber sends to its link and not through it. Those that ask for something are answered here.</summary>
public sealed partial class AccessNode
{
    private readonly DhcpResponder _dhcp = new();
    private Func<Subscriber, ClientParameters?>? _parametersOf;

    /// <summary>What became of what subscribers sent to a DHCP server.</summary>
    public DhcpCounters DhcpCounters => _dhcp.Counters;

    /// <summary>
    /// A packet of verdict <see cref="VerdictKind.LinkScope"/>. Nothing happens unless it is for a DHCP server, from a session that is up
    /// and that a peer brought to us.
    /// </summary>
    public void ReceiveLinkScope(SessionKey key, ReadOnlySpan<byte> packet, Timestamp now)
    {
        if (UdpPacket.IsForDhcpServer(packet) && TryFind(key, out Subscriber? subscriber) && subscriber.IsUp && subscriber.Role == _lns)
        {
            _dhcp.Receive(subscriber, packet, _parametersOf ??= _lns.ParametersOf, now);
        }
    }

    /// <summary>An answer in its data message, with the header that the session's IP packets have.</summary>
    private bool TryTransmitAnswer(Span<byte> buffer, out int length, out UdpPath path, out byte trafficClass)
    {
        while (_dhcp.TryTakeAnswer(out Subscriber subscriber, out byte[] packet))
        {
            path = subscriber.Tunnel.Path;
            var writer = new WireWriter(buffer[DataFrame.HeaderRoom..]);
            PppFrame.WriteHeader(ref writer, PppProtocol.IPv4, subscriber.Link.TransmitFraming);
            writer.WriteBytes(packet);

            // The session may have ended since.
            if (subscriber is { IsUp: true, Session.State: SessionState.Established } && !writer.Overflowed
                && DataFrame.TryFinish(Plane, subscriber.Session, buffer, writer.Length, out length, out trafficClass))
            {
                return true;
            }
        }

        (length, path, trafficClass) = (0, default, 0);
        return false;
    }
}
