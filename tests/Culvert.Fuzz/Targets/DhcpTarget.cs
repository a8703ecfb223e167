using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Subscribers.Dhcp;
using Culvert.Testing;
using static Culvert.Fuzz.Claim;

namespace Culvert.Fuzz.Targets;

/// <summary>What a subscriber sends to a DHCP server: the packet around it, the message, and the answer to it.</summary>
internal sealed class DhcpTarget : FuzzTarget
{
    private static readonly IpAddress Client = IpAddress.Parse("100.64.0.2");
    private static readonly IpAddress Server = IpAddress.Parse("100.64.0.1");
    private static readonly IpAddress[] Dns = [IpAddress.Parse("192.0.2.53"), IpAddress.Parse("192.0.2.54")];

    private static readonly ClientParameters[] Parameters =
    [
        new([], [], []),
        new(Dns, ["corp.example.com"], [IpPrefix.Parse("198.18.0.0/15")]),
        new(Dns, ["corp.example.com", "example.com"], [.. Enumerable.Range(0, ClientParameters.MostRoutes).Select(i => new IpPrefix(IpAddress.FromUInt32(0xC0000200 + (uint)i), 32))]),
    ];

    private readonly byte[] _answer = new byte[DhcpResponder.LargestPacket];

    public override string Name => "dhcp";

    public override string Description => "a DHCP client's packet and message, and the answer to it: within its room, whole options, no address given";

    public override long AllocationLimit => 0;

    public override IReadOnlyList<byte[]> Words =>
    [
        [0x63, 0x82, 0x53, 0x63], [53, 1, 8], [53, 1, 3], [52, 1, 3], [55, 2, 121, 249], [57, 2, 2, 64], [60, 8, .. "MSFT 5.0"u8], [61, 1, 0], [255],
        DhcpBuilder.Option(55, 1, 15, 3, 6, 119, 121, 249),
    ];

    // The first two octets choose what is configured and how wide the session is.
    public override IEnumerable<byte[]> Seeds() =>
    [
        [1, 255, .. DhcpBuilder.WindowsInform(Client)],
        [2, 200, .. DhcpBuilder.WindowsInform(Client)],
        [2, 140, .. DhcpBuilder.Message(DhcpBuilder.Inform, Client, null, DhcpBuilder.Option(55, 121, 119, 249), DhcpBuilder.Option(57, 5, 220))],
        [0, 255, .. DhcpBuilder.Message(DhcpBuilder.Discover, Client)],
        [1, 255, .. DhcpBuilder.Message(DhcpBuilder.Inform, Client, Server, DhcpBuilder.Option(52, 3))],
        [1, 255, .. DhcpBuilder.ToAnyServer(Client, DhcpBuilder.WindowsInform(Client))],
    ];

    public override int Run(ReadOnlySpan<byte> input, Story? story)
    {
        if (input.Length < 2)
        {
            return 1;
        }

        ReadOnlySpan<byte> message = input[2..];
        if (IpPacketOf(message, out ReadOnlySpan<byte> payload))
        {
            message = payload;
        }

        if (!DhcpMessage.TryRead(message, out DhcpMessage request))
        {
            story?.Tell("no DHCP message");
            return 1;
        }

        DhcpOutcome outcome = DhcpResponder.Judge(request, Client, Client);
        story?.Tell($"{request.Type} from {request.ClientAddress}: {outcome}");
        Must(request.Type == DhcpMessageType.Inform || outcome == DhcpOutcome.OtherMessage, "something else than DHCPINFORM is answered");
        Must(outcome != DhcpOutcome.Answered || request.ClientAddress == Client, "another address is answered");

        int room = DhcpResponder.Room(request.MaximumSize, 4 * input[1]);
        int length = DhcpResponder.WriteAnswer(request, Server, Parameters[input[0] % Parameters.Length], _answer.AsSpan(0, room), out bool isComplete);
        story?.Tell($"an answer of {length} octets, room for {room}, {(isComplete ? "complete" : "in part")}");
        Must((length == 0) == (room < UdpPacket.HeadersLength + DhcpReply.LeastLength), "there is room, and no answer, or an answer without room");
        if (length > 0)
        {
            Must(length <= room, "the answer is larger than its room");
            CheckAnswer(request, _answer.AsSpan(0, length));
        }

        return 1;
    }

    private static bool IpPacketOf(ReadOnlySpan<byte> octets, out ReadOnlySpan<byte> payload)
    {
        bool isSound = UdpPacket.TryRead(octets, out IpAddress source, out payload);
        Must(!isSound || source.IsIPv4, "a packet from nowhere");
        return isSound && UdpPacket.IsForDhcpServer(octets);
    }

    private static void CheckAnswer(in DhcpMessage request, ReadOnlySpan<byte> packet)
    {
        Must(UdpPacket.TryRead(packet, out IpAddress source, out ReadOnlySpan<byte> answer), "the answer's own headers are wrong");
        Must(source == Server, "the answer is not from us");
        Must(answer[0] == 2 && answer[4..8].SequenceEqual(request.Header[4..8]) && answer[28..44].SequenceEqual(request.Header[28..44]), "the client cannot know its answer");
        Must(BinaryPrimitives.ReadUInt32BigEndian(answer[16..]) == 0, "an address is given (RFC 2131 section 4.3.5)");
        Must(BinaryPrimitives.ReadUInt32BigEndian(answer[236..]) == DhcpMessage.MagicCookie, "the cookie is missing");
        int at = 240;
        UInt128 low = 0;
        UInt128 high = 0;
        while (answer[at] != 255)
        {
            int code = answer[at];
            ref UInt128 seen = ref code < 128 ? ref low : ref high;
            Must((seen & (UInt128.One << (code & 127))) == 0, "an option is told twice");
            seen |= UInt128.One << (code & 127);
            Must(code is 1 or 6 or 15 or 53 or 54 or 61 or 119 or 121 or 249, "an option that nobody configured");
            Must(answer[at + 1] > 0, "an empty option");
            at += 2 + answer[at + 1];
        }

        Must(answer[(at + 1)..].IndexOfAnyExcept((byte)0) < 0, "something follows the end");
        Must(answer[240..243] is [53, 1, 5], "the answer is no DHCPACK");
    }
}
