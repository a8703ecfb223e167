using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

/// <summary>Why PPP ended, in the CDN (RFC 3145): the codes of section 3, what the other end makes of them, and their words.</summary>
public sealed class PppCauseTests
{
    private const ushort Lcp = 0xC021;
    private const ushort Chap = 0xC223;
    private const ushort Ipcp = 0x8021;

    [Fact]
    public void The_operator_ends_it_1()
    {
        (LacWorld world, _) = Up();
        PppDisconnectCause cause = EndOf(world, () =>
            world.Lns.Access.CloseSession(Assert.Single(world.Lns.Subscribers).Key, "account closed", world.World.Now));
        Assert.Equal(new PppDisconnectCause(1, 0, PppDisconnectDirection.Global), cause);
    }

    [Fact]
    public void The_user_hangs_up_3_at_peer()
    {
        (LacWorld world, _) = Up();
        PppDisconnectCause cause = EndOf(world, () =>
            world.Lns.Access.ReceivePpp(Assert.Single(world.Lns.Subscribers).Key, [0xC0, 0x21, 5, 1, 0, 4], world.World.Now));
        Assert.Equal(new PppDisconnectCause(3, 0, PppDisconnectDirection.AtPeer), cause);
    }

    [Fact]
    public void The_link_falls_silent_8()
    {
        (LacWorld world, _) = Up();
        world.World.Filter = packet => packet.Source == NodePair.LnsAt || IsControl(packet);
        Assert.Equal(new PppDisconnectCause(8, Lcp, PppDisconnectDirection.Global), EndOf(world, () => { }, 400));
    }

    [Fact]
    public void A_user_that_hangs_up_and_its_LAC_with_it_is_the_reason_in_the_log()
    {
        (LacWorld world, LacLine line) = Up();
        world.Lac.HangUp(line, isOrderly: true, isForGood: true, world.World.Now);
        world.World.Settle(world.Lac);
        Assert.True(world.World.RunUntil(() => world.Lns.Told(NodeEventKind.SessionDown).Any(), 20));
        Assert.StartsWith("the peer terminated the link", NodePair.ReasonOf(world.Lns, NodeEventKind.SessionDown), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_answers_LCP_6()
    {
        var world = new LacWorld(NodePair.LnsSettings());
        world.World.Filter = IsControl;
        var waiting = new ProxiedCall(AuthenticationMethod.ChapMd5, world.World.Now); // for a verdict, while the LNS begins LCP
        world.Lac.PlaceCall("alice", NodePair.Password, null, waiting.User);
        Assert.Equal(new PppDisconnectCause(6, Lcp, PppDisconnectDirection.Global), EndOf(world, () => { }, 200));
    }

    [Fact]
    public void The_challenge_is_not_answered_13()
    {
        LacWorld world = Mute(0xC2, 0x23);
        Assert.Equal(new PppDisconnectCause(13, Chap, PppDisconnectDirection.Global), EndOf(world, () => { }, 200));
    }

    [Fact]
    public void A_wrong_password_16_at_peer()
    {
        var world = new LacWorld(NodePair.LnsSettings());
        world.Lac.PlaceCall("alice", "wrong");
        Assert.Equal(new PppDisconnectCause(16, Chap, PppDisconnectDirection.AtPeer), EndOf(world, () => { }));
    }

    [Fact]
    public void IPCP_does_not_come_up_17()
    {
        LacWorld world = Mute(0x80, 0x21);
        Assert.Equal(new PppDisconnectCause(17, Ipcp, PppDisconnectDirection.Global), EndOf(world, () => { }, 200));
    }

    [Fact]
    public void The_pool_is_exhausted_20_at_local_and_the_LAC_hears_it()
    {
        NodeSettings settings = NodePair.LnsSettings() with { Pools = [NodePair.PoolOf("pool", "100.64.0.0/30", "100.64.0.1")] };
        var world = new LacWorld(settings);
        world.Lac.PlaceCall("bob", NodePair.Password);
        Assert.True(world.World.RunUntil(() => world.Lac.UpCount == 1, 20));
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password);
        var expected = new PppDisconnectCause(20, Ipcp, PppDisconnectDirection.AtLocal);
        Session? session = null;
        Assert.True(world.World.RunUntil(() => (session ??= line.Session)?.Ended is not null, 20), world.World.Trace.ToString());
        Assert.Equal((DisconnectOrigin.Peer, expected), (session!.Ended!.Origin, session.Ended.PppCause));
        Assert.Equal(expected, EndOf(world, () => { }));
    }

    // What needs a peer that misbehaves in a way of its own, by the event alone.
    [Theory]
    [InlineData("no method", 15, Chap, 1)]
    [InlineData("loop", 7, Lcp, 0)]
    [InlineData("LCP rounds", 5, Lcp, 0)]
    [InlineData("IPCP rejected", 18, Ipcp, 0)]
    [InlineData("IPCP without address", 19, Ipcp, 1)]
    [InlineData("IPCP insists", 19, Ipcp, 2)]
    public void Ends_of_a_link_have_the_codes_of_section_3(string way, int code, ushort protocol, byte direction)
    {
        PppLinkEvent closed = LinkEnds.Of(way);
        Assert.Equal(new PppDisconnectCause((ushort)code, protocol, (PppDisconnectDirection)direction), PppCauses.Of(closed));
    }

    [Fact]
    public void A_session_that_ended_below_PPP_has_no_PPP_cause()
    {
        var link = new PppLink(PppLinkSettings.Default, new Core.SeededRandom(1));
        link.Open(Core.Timestamp.Zero);
        link.LowerLayerDown("CDN", Core.Timestamp.Zero);
        Assert.True(link.TryNextEvent(out PppLinkEvent closed));
        Assert.Null(PppCauses.Of(closed));
    }

    [Fact]
    public void A_dialling_client_says_why_its_PPP_ended_and_the_LNS_tells_it_in_words()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        Subscriber atLns = pair.AtLns(dial)!;
        Dataplane.SessionKey key = atLns.Key;
        pair.World.Filter = packet => packet.Source != NodePair.LnsAt || IsControl(packet);
        Assert.True(pair.World.RunUntil(() => pair.Lns.Told(NodeEventKind.SessionDown).Any(), 400), pair.World.Trace.ToString());
        string why = NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown);
        Assert.Contains("PPP cause 8 echo requests not answered, protocol 0xc021", why, StringComparison.Ordinal);
        LifeStory story = pair.Lns.Access.ExplainSession(key, pair.Now)[0];
        Assert.Contains("PPP cause 8 echo requests not answered", story.Ended, StringComparison.Ordinal);
    }

    [Fact]
    public void A_LAC_that_says_why_is_heard_in_log_and_history()
    {
        (LacWorld world, LacLine line) = Up();
        Dataplane.SessionKey key = Assert.Single(world.Lns.Subscribers).Key;
        Disconnect why = Disconnect.OfSession(CdnResult.LostCarrier) with { PppCause = new(12, Lcp, PppDisconnectDirection.AtPeer, "call me") };
        line.Session!.Close(why, world.World.Now);
        world.World.Settle(world.Lac);
        Assert.True(world.World.RunUntil(() => world.Lns.Told(NodeEventKind.SessionDown).Any(), 20));
        const string Words = "PPP cause 12 call-back refused, protocol 0xc021, at peer: call me";
        Assert.Contains(Words, world.Lns.Told(NodeEventKind.SessionDown).First().Text, StringComparison.Ordinal);
        Assert.Contains(Words, world.Lns.Access.ExplainSession(key, world.World.Now)[0].Ended, StringComparison.Ordinal);
    }

    private static bool IsControl(Delivery packet) => (packet.Payload.Span[0] & 0x80) != 0;

    private static (LacWorld World, LacLine Line) Up()
    {
        var world = new LacWorld(NodePair.LnsSettings());
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(world.World.RunUntil(() => line.IsUp && world.Lns.Subscribers.Any(s => s.IsUp), 20), world.World.Trace.ToString());
        return (world, line);
    }

    /// <summary>A user whose frames of one protocol do not arrive.</summary>
    private static LacWorld Mute(byte high, byte low)
    {
        var world = new LacWorld(NodePair.LnsSettings());
        world.Lac.PlaceCall("alice", NodePair.Password);
        world.World.Filter = packet => packet.Source == NodePair.LnsAt || IsControl(packet)
            || !packet.Payload.Span[6..].StartsWith((ReadOnlySpan<byte>)[0xFF, 0x03, high, low]);
        return world;
    }

    /// <summary>The cause in the first CDN that the LNS sent.</summary>
    private static PppDisconnectCause EndOf(LacWorld world, Action end, double seconds = 60)
    {
        end();
        world.World.Settle(world.Lns);
        world.World.Settle(world.Lac);
        Assert.True(world.World.RunUntil(() => world.Lns.Told(NodeEventKind.SessionDown).Any(), seconds), world.World.Trace.ToString());
        Disconnect why = world.Lns.Told(NodeEventKind.SessionDown).First().Subscriber!.Session.Ended!;
        Assert.Equal(DisconnectOrigin.Local, why.Origin);
        return why.PppCause ?? throw new InvalidOperationException($"no PPP cause: {why}");
    }
}
