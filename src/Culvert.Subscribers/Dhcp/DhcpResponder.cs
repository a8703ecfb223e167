using Culvert.Core;
using Culvert.Dataplane;

namespace Culvert.Subscribers.Dhcp;

/// <summary>
/// Answers DHCPINFORM inside PPP sessions. IPCP gives a client its address and DNS servers, but has no words for routes and domains:
/// Windows and macOS ask for those in this way once IPCP is up.
/// </summary>
internal sealed class DhcpResponder
{
    /// <summary>Every client takes an IP datagram of so many octets (RFC 2131 section 2); more only when it says so.</summary>
    public const int LeastAccepted = 576;

    /// <summary>Largest answer; what a control message may have at most leaves room for it.</summary>
    public const int LargestPacket = 1400;

    /// <summary>How many messages of one session are read: a client asks once for each connection and repeats that three or four times.</summary>
    public static readonly RateLimit Pace = new(PerSecond: 1, Burst: 8);

    /// <summary>Answers that wait to be sent, of at most 1400 octets each: they leave in the same turn of the loop as a rule.</summary>
    private const int MostWaiting = 256;

    private readonly BoundedQueue<(Subscriber Subscriber, byte[] Packet)> _answers = new(MostWaiting);
    private readonly byte[] _packet = new byte[LargestPacket];

    public DhcpCounters Counters { get; } = new();

    /// <summary>An IP packet for a DHCP server, from a session that is up.</summary>
    /// <param name="subscriber">Whose it is.</param>
    /// <param name="packet">As <see cref="UdpPacket.IsForDhcpServer"/> found it.</param>
    /// <param name="parametersOf">What its session's clients are told; null when nobody is told anything.</param>
    /// <param name="now">The time.</param>
    public void Receive(Subscriber subscriber, ReadOnlySpan<byte> packet, Func<Subscriber, ClientParameters?> parametersOf, Timestamp now) =>
        Counters.Count(Answer(subscriber, packet, parametersOf, now));

    /// <summary>The next answer, a whole IP packet.</summary>
    public bool TryTakeAnswer(out Subscriber subscriber, out byte[] packet)
    {
        bool found = _answers.TryDequeue(out (Subscriber Subscriber, byte[] Packet) answer);
        (subscriber, packet) = (answer.Subscriber, answer.Packet);
        return found;
    }

    private DhcpOutcome Answer(Subscriber subscriber, ReadOnlySpan<byte> packet, Func<Subscriber, ClientParameters?> parametersOf, Timestamp now)
    {
        if (!subscriber.DhcpRequests.TryTake(Pace, now))
        {
            return DhcpOutcome.RateExceeded;
        }

        if (!UdpPacket.TryRead(packet, out IpAddress source, out ReadOnlySpan<byte> octets) || !DhcpMessage.TryRead(octets, out DhcpMessage request))
        {
            return DhcpOutcome.Malformed;
        }

        DhcpOutcome judged = Judge(request, source, subscriber.PeerAddress);
        if (judged != DhcpOutcome.Answered)
        {
            return judged;
        }

        if (parametersOf(subscriber) is not { } parameters || _answers.IsFull)
        {
            return DhcpOutcome.Unanswered;
        }

        int room = Room(request.MaximumSize, subscriber.Mtu);
        int length = WriteAnswer(request, subscriber.LocalAddress, parameters, _packet.AsSpan(0, room), out bool isComplete);
        if (length == 0)
        {
            return DhcpOutcome.Unanswered;
        }

        _ = _answers.TryEnqueue((subscriber, _packet.AsSpan(0, length).ToArray()));
        return isComplete ? DhcpOutcome.Answered : DhcpOutcome.AnsweredInPart;
    }

    /// <summary>Whether a request is one to answer (<see cref="DhcpOutcome.Answered"/>), or why not.</summary>
    public static DhcpOutcome Judge(in DhcpMessage request, IpAddress source, IpAddress session) =>
        request.Type != DhcpMessageType.Inform ? DhcpOutcome.OtherMessage
        : !request.RelayAddress.IsUnspecified ? DhcpOutcome.Relayed
        : request.ClientAddress != session || source != session ? DhcpOutcome.WrongAddress
        : DhcpOutcome.Answered;

    /// <summary>Octets that an answer may have as an IP packet.</summary>
    /// <param name="maximumSize">What the client says; 0 when it says nothing, and less than 576 is no legal value (RFC 2132 section 9.10).</param>
    /// <param name="mtu">Of the session.</param>
    public static int Room(int maximumSize, int mtu) => Math.Min(Math.Min(Math.Max(maximumSize, LeastAccepted), mtu), LargestPacket);

    /// <summary>
    /// The answer as an IP packet: RFC 2131 section 4.3.5, unicast to 'ciaddr'. Returns its length; 0 when <paramref name="server"/> is not
    /// an IPv4 address or there is no room.
    /// </summary>
    public static int WriteAnswer(in DhcpMessage request, IpAddress server, ClientParameters parameters, Span<byte> packet, out bool isComplete)
    {
        isComplete = false;
        if (!server.IsIPv4 || packet.Length < UdpPacket.HeadersLength)
        {
            return 0;
        }

        int length = DhcpReply.Write(request, server, parameters, packet[UdpPacket.HeadersLength..], out isComplete);
        if (length == 0)
        {
            return 0;
        }

        packet = packet[..(UdpPacket.HeadersLength + length)];
        UdpPacket.WriteHeaders(packet, server, request.ClientAddress);
        return packet.Length;
    }
}
