using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

/// <summary>Sequence numbers on data between two nodes, by the policies of both (RFC 2661 section 5.4), and the marking of packets.</summary>
public sealed class SequencingTests
{
    private static readonly IpAddress Somewhere = IpAddress.Parse("203.0.113.200");

    private static readonly LinkConditions Shuffled = new() { Reordering = 0.2, ReorderDelay = TimeSpan.FromMilliseconds(20) };

    [Theory]
    [InlineData(SequencingPolicy.Required, SequencingPolicy.OnRequest)]
    [InlineData(SequencingPolicy.OnRequest, SequencingPolicy.Required)]
    [InlineData(SequencingPolicy.Required, SequencingPolicy.Required)]
    public void Packets_arrive_in_order_where_one_end_wants_numbers(SequencingPolicy lac, SequencingPolicy lns)
    {
        var pair = new NodePair(Lns(lns));
        Dial dial = pair.Connect(NodePair.DialOf() with { Sequencing = lac });
        int sequenced = 0;
        int bare = 0;
        pair.World.Filter = packet =>
        {
            bool isData = (packet.Payload.Span[0] & 0x80) == 0;
            sequenced += isData && (packet.Payload.Span[0] & 0x08) != 0 ? 1 : 0;
            bare += isData && (packet.Payload.Span[0] & 0x08) == 0 ? 1 : 0;
            return true;
        };
        SendBothWays(pair, dial, 10);
        Assert.Equal((20, 0), (sequenced, bare));
        pair.World.Network.Conditions = Shuffled;
        SendBothWays(pair, dial, 200);
        Assert.Equal(0, bare);
        Assert.Equal(Enumerable.Range(0, 210), pair.Lns.Delivered.Select(d => Number(d.Packet)));
        Assert.Equal(Enumerable.Range(0, 210), pair.Client.Delivered.Select(d => Number(d.Packet)));
        SequenceCounters counters = pair.Lns.Access.SequencingOf(pair.AtLns(dial)!)!.Value;
        Assert.Equal((0, 0), (counters.Lost, counters.Late));
        Assert.True(counters.Reordered > 0);
        pair.World.Network.Conditions = LinkConditions.Perfect;
        pair.Stop(pair.Client, dial, "done");
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void Nothing_is_numbered_or_kept_when_nobody_asks()
    {
        var pair = new NodePair();
        bool numbered = false;
        pair.World.Filter = packet =>
        {
            numbered |= (packet.Payload.Span[0] & 0x88) == 0x08;
            return true;
        };
        Dial dial = pair.Connect();
        SendBothWays(pair, dial, 5);
        Assert.False(numbered);
        Assert.Null(pair.Lns.Access.SequencingOf(pair.AtLns(dial)!));
        Assert.Null(pair.Client.Access.SequencingOf(dial.Subscriber!));
    }

    /// <summary>"If the LAC receives a data message with sequence numbers present, it MUST begin sending", and the reverse.</summary>
    [Fact]
    public void A_LAC_begins_and_ceases_with_its_LNS_and_makes_room_for_the_numbers()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        SessionKey key = dial.Subscriber!.Key;
        int mtu = dial.Subscriber.Mtu;
        pair.Client.Access.OnSequencingChanged(key, hasSequence: true, 6);
        Assert.True(pair.Client.Sessions.TryGet(key, out SessionForwarding session));
        Assert.Equal(SessionPolicies.AnySource | SessionPolicies.OrderSequenced | SessionPolicies.FollowSequencing, session.Policies);
        Assert.True((session.Framing & TransmitFraming.Sequence) != 0);

        // Four octets, unless the peer's MRU was the limit before.
        Assert.InRange(dial.Subscriber.Mtu, mtu - 4, mtu - 1);
        Assert.True(pair.Client.Sessions.TryTakeNs(key, out ushort ns) && ns == 0);
        pair.Client.Access.OnSequencingChanged(key, hasSequence: false, 0);
        Assert.False(pair.Client.Sessions.TryTakeNs(key, out _));
        Assert.Equal(mtu, dial.Subscriber.Mtu);
        Assert.Equal(new SequenceCounters(), pair.Client.Access.SequencingOf(dial.Subscriber));
        pair.Client.Access.OnSequencingChanged(key, hasSequence: true, 7);
        Assert.True(pair.Client.Sessions.TryTakeNs(key, out ns) && ns == 1);
        Assert.Contains(pair.Client.Access.ExplainSession(key, pair.Now), life => life.History.Any(line => line.Contains("sequenced data", StringComparison.Ordinal)));
    }

    /// <summary>An LNS that nobody asked heeds the numbers that a LAC sends, and sends none.</summary>
    [Fact]
    public void An_LNS_heeds_numbers_without_sending_any()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        SessionKey key = pair.AtLns(dial)!.Key;
        pair.Lns.Access.OnSequencingChanged(key, hasSequence: true, 6);
        Assert.True(pair.Lns.Sessions.TryGet(key, out SessionForwarding session));
        Assert.Equal((SessionPolicies.OrderSequenced, TransmitFraming.None), (session.Policies, session.Framing & TransmitFraming.Sequence));
    }

    [Fact]
    public void Packets_are_marked_by_policy_and_ECN_by_agreement()
    {
        NodeSettings lns = Lns(SequencingPolicy.OnRequest);
        lns = lns with { Peers = [lns.Peers[0] with { Data = new DataPolicy { CopyDscp = true, ControlDscp = 46 } }] };
        var pair = new NodePair(lns);
        Dial dial = pair.Connect(NodePair.DialOf() with { Data = new DataPolicy { DataDscp = 10 } });
        Assert.True(pair.Lns.Sessions.TryGet(pair.AtLns(dial)!.Key, out SessionForwarding atLns));
        Assert.True(pair.Client.Sessions.TryGet(dial.Subscriber!.Key, out SessionForwarding atClient));
        Assert.Equal(new TrafficMarking(46, copyDscp: true, propagateEcn: true), atLns.Marking);
        Assert.Equal(new TrafficMarking(10, copyDscp: false, propagateEcn: true), atClient.Marking);

        var other = new NodePair();
        Dial old = other.Connect(NodePair.DialOf() with { Data = new DataPolicy { Ecn = false } });
        Assert.True(other.Lns.Sessions.TryGet(other.AtLns(old)!.Key, out SessionForwarding compatible));
        Assert.Equal(default, compatible.Marking);
    }

    /// <summary>RFC 2661 section 3.1: echoes should not wait behind data.</summary>
    [Fact]
    public void LCP_echoes_and_nothing_else_have_the_P_bit()
    {
        var pair = new NodePair();
        int echoes = 0;
        pair.World.Filter = packet =>
        {
            ReadOnlySpan<byte> frame = packet.Payload.Span;
            bool isEcho = frame is [_, _, _, _, _, _, 0xFF, 0x03, 0xC0, 0x21, 9 or 10, ..];
            Assert.Equal(isEcho, (frame[0] & 0x80) == 0 && (frame[0] & 0x01) != 0);
            echoes += isEcho ? 1 : 0;
            return true;
        };
        _ = pair.Connect();
        pair.World.Pass(70);
        Assert.True(echoes >= 4);
    }

    private static NodeSettings Lns(SequencingPolicy sequencing)
    {
        NodeSettings settings = NodePair.LnsSettings();
        return settings with { Peers = [settings.Peers[0] with { Sequencing = sequencing }] };
    }

    private static void SendBothWays(NodePair pair, Dial dial, int count)
    {
        int first = pair.Lns.Delivered.Count;
        for (int i = 0; i < count; i++)
        {
            IpAddress client = dial.Subscriber!.LocalAddress;
            Assert.Equal(EncapsulationKind.Sent, pair.Client.SendIp(pair.World, IpBuilder.Echo(client, Somewhere, 1, (ushort)(first + i), [1]), dial.Subscriber.Key).Kind);
            Assert.Equal(EncapsulationKind.Sent, pair.Lns.SendIp(pair.World, IpBuilder.Echo(Somewhere, client, 1, (ushort)(first + i), [1], reply: true)).Kind);
            pair.World.Pass(0.002); // no more are overtaken than may wait
        }

        pair.World.Pass(2);
    }

    /// <summary>The sequence number of an ICMP echo.</summary>
    private static int Number(byte[] packet) => (packet[26] << 8) | packet[27];
}
