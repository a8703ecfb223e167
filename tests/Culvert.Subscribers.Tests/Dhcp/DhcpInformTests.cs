using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Subscribers.Dhcp;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests.Dhcp;

/// <summary>PEERS.md "Windows": DHCPINFORM over IPCP is answered inside the session, and nothing else of DHCP is.</summary>
public sealed class DhcpInformTests
{
    private static readonly IpAddress Gateway = IpAddress.Parse("100.64.0.1");
    private static readonly IpAddress Elsewhere = IpAddress.Parse("192.0.2.99");

    private readonly NodePair _pair = new(NodePair.WithProfile(Told));
    private readonly Subscriber _client;

    public DhcpInformTests() => _client = _pair.Connect().Subscriber!;

    private static Profile Told(Profile profile) => profile with
    {
        DnsSuffix = ["corp.example.com", "example.com"],
        ClientRoutes = [IpPrefix.Parse("198.18.0.0/15")],
    };

    [Fact]
    public void Windows_asks_and_is_answered()
    {
        byte[] reply = Assert.Single(Ask(DhcpBuilder.WindowsInform(_client.LocalAddress)));
        Assert.True(UdpPacket.TryRead(reply, out IpAddress source, out ReadOnlySpan<byte> message));
        Assert.Equal(Gateway, source);
        Assert.Equal(IpBuilder.Octets(_client.LocalAddress), reply[16..20]);
        Assert.Equal([0, 67, 0, 68], reply[20..24]);
        Assert.Equal(2, message[0]);
        Assert.Equal([53, 54, 61, 1, 15, 6, 121, 249], DhcpBuilder.OptionsOf(message.ToArray()).Select(o => o.Code));
        Assert.Equal(1, Count(DhcpOutcome.Answered));
    }

    [Fact]
    public void A_session_that_sequences_its_data_is_answered_in_order()
    {
        var pair = new NodePair(NodePair.WithProfile(Told) with { Peers = [new PeerRule { Name = "any", Profile = "default", Sequencing = Culvert.L2tp.SequencingPolicy.Required }] });
        Subscriber client = pair.Connect().Subscriber!;
        pair.Client.SendIp(pair.World, DhcpBuilder.ToAnyServer(client.LocalAddress, DhcpBuilder.WindowsInform(client.LocalAddress)), client.Key);
        pair.World.Pass(1);
        Assert.Single(pair.Client.Delivered);
        Assert.Equal(0, pair.Client.Forwarder.Counters.Drops(DropReason.Late) + pair.Client.Forwarder.Counters.Drops(DropReason.Duplicate));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(0)]
    public void Whatever_asks_for_an_address_is_counted_and_ignored(int type)
    {
        Assert.Empty(Ask(DhcpBuilder.Message(type, _client.LocalAddress)));
        Assert.Equal(1, Count(DhcpOutcome.OtherMessage));
    }

    [Fact]
    public void Another_address_than_the_sessions_is_dropped_and_counted()
    {
        Assert.Empty(Ask(DhcpBuilder.WindowsInform(Elsewhere)));
        Assert.Equal(1, Count(DhcpOutcome.WrongAddress));
        Assert.Empty(Ask(DhcpBuilder.WindowsInform(IpAddress.Parse("0.0.0.0"))));
        Assert.Equal(2, Count(DhcpOutcome.WrongAddress));
    }

    [Fact]
    public void What_came_through_a_relay_is_dropped_and_counted()
    {
        Assert.Empty(Ask(DhcpBuilder.Message(DhcpBuilder.Inform, _client.LocalAddress, Elsewhere)));
        Assert.Equal(1, Count(DhcpOutcome.Relayed));
    }

    [Fact]
    public void What_is_malformed_is_dropped_and_counted()
    {
        Assert.Empty(Ask(DhcpBuilder.WindowsInform(_client.LocalAddress)[..^5]));
        byte[] damaged = DhcpBuilder.ToAnyServer(_client.LocalAddress, DhcpBuilder.WindowsInform(_client.LocalAddress));
        damaged[^3] ^= 1;
        Assert.Empty(Send(damaged));
        Assert.Equal(2, Count(DhcpOutcome.Malformed));
    }

    /// <summary>Other ports, protocols and destinations of the link never reach the parser.</summary>
    [Fact]
    public void Everything_else_of_the_link_is_forgotten()
    {
        byte[] message = DhcpBuilder.WindowsInform(_client.LocalAddress);
        Assert.Empty(Send(IpBuilder.UdpPacket(_client.LocalAddress, 137, DhcpBuilder.Broadcast, 137, message)));
        Assert.Empty(Send(IpBuilder.UdpPacket(_client.LocalAddress, 68, IpAddress.Parse("224.0.0.251"), 67, message)));
        Assert.Empty(Send(IpBuilder.Packet(_client.LocalAddress, DhcpBuilder.Broadcast, IpBuilder.Udp, [0, 68, 0, 67], fragment: 0x2000)));
        Assert.Empty(Send(IpBuilder.Packet(_client.LocalAddress, DhcpBuilder.Broadcast, IpBuilder.Udp, [0, 68])));
        Assert.All(Enum.GetValues<DhcpOutcome>(), outcome => Assert.Equal(0, Count(outcome)));
        Assert.Empty(_pair.Lns.Delivered);
    }

    [Fact]
    public void A_session_is_answered_so_many_times_at_once_and_then_once_a_second()
    {
        byte[] ask = DhcpBuilder.ToAnyServer(_client.LocalAddress, DhcpBuilder.WindowsInform(_client.LocalAddress));
        for (int i = 0; i < 20; i++)
        {
            _pair.Client.SendIp(_pair.World, ask, _client.Key);
        }

        _pair.World.Pass(0.5);
        Assert.Equal(DhcpResponder.Pace.Burst, Count(DhcpOutcome.Answered));
        Assert.Equal(20 - DhcpResponder.Pace.Burst, Count(DhcpOutcome.RateExceeded));
        _pair.World.Pass(2);
        Assert.Equal(DhcpResponder.Pace.Burst + 1, Send(ask).Count);
    }

    [Fact]
    public void A_reload_changes_what_is_told()
    {
        _ = Ask(DhcpBuilder.WindowsInform(_client.LocalAddress));
        _pair.Lns.Access.Apply(NodePair.WithProfile(p => Told(p) with { DnsSuffix = ["new.example"] }));
        byte[] reply = Ask(DhcpBuilder.WindowsInform(_client.LocalAddress))[^1];
        Assert.Contains(DhcpBuilder.OptionsOf(reply[28..]), o => o.Code == 15 && o.Value.AsSpan().SequenceEqual("new.example"u8));
    }

    [Fact]
    public void A_session_too_narrow_for_an_answer_gets_none()
    {
        _pair.Lns.PathMtu.Octets = 360;
        _pair.Lns.Access.OnPathMtuChanged(NodePair.ClientAt.Address);
        Assert.Empty(Ask(DhcpBuilder.WindowsInform(_client.LocalAddress)));
        Assert.Equal(1, Count(DhcpOutcome.Unanswered));
    }

    private List<byte[]> Ask(byte[] message) => Send(DhcpBuilder.ToAnyServer(_client.LocalAddress, message));

    /// <summary>Everything that the client's interface got so far, after it sent a packet.</summary>
    private List<byte[]> Send(byte[] packet)
    {
        Assert.Equal(EncapsulationKind.Sent, _pair.Client.SendIp(_pair.World, packet, _client.Key).Kind);
        _pair.World.Pass(0.5);
        return [.. _pair.Client.Delivered.Select(d => d.Packet)];
    }

    private long Count(DhcpOutcome outcome) => _pair.Lns.Access.DhcpCounters[outcome];
}
