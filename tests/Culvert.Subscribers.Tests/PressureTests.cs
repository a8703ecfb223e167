using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Authentication;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>What happens when there is too much of something: refusals that peers hear, and tallies that operators see.</summary>
public sealed class PressureTests
{
    [Fact]
    public void New_calls_are_refused_while_authentication_is_behind_and_served_after()
    {
        NodeSettings settings = NodePair.LnsSettings() with { Limits = new NodeLimits { AuthenticationsInFlight = 2 } };
        var world = new LacWorld(settings);
        var held = new List<(Subscriber Subscriber, AuthenticationRequest Request)>();
        world.Lns.Access.HoldAuthentication = (subscriber, request) =>
        {
            held.Add((subscriber, request));
            return true;
        };
        LacLine alice = world.Lac.PlaceCall("alice", NodePair.Password);
        LacLine bob = world.Lac.PlaceCall("bob", NodePair.Password);
        Assert.True(world.World.RunUntil(() => world.Lns.Access.AuthenticationsInFlight == 2, 10));

        LacLine carol = world.Lac.PlaceCall("carol", NodePair.Password);
        world.World.Pass(2);
        Assert.True(world.Lac.FailedCalls > 0);
        Assert.Equal(2, world.Lns.Access.SessionCount);
        Assert.True(world.Lns.Access.L2tpCounters[L2tpCounter.CallsDeferred] > 0);
        Assert.True(world.Lns.Access.PeerTallies[world.Lac.At.Address].RateLimited > 0);

        world.Lns.Access.HoldAuthentication = null;
        foreach ((Subscriber subscriber, AuthenticationRequest request) in held)
        {
            world.Lns.Access.Judge(subscriber, request, world.World.Now);
        }

        world.World.Settle(world.Lns);
        Assert.Equal(0, world.Lns.Access.AuthenticationsInFlight);
        Assert.True(world.World.RunUntil(() => alice.IsUp && bob.IsUp && carol.IsUp, 60), world.World.Trace.ToString());
    }

    [Fact]
    public void Sessions_that_come_up_together_send_a_frame_each_in_turn()
    {
        var world = new LacWorld(NodePair.LnsSettings());
        var held = new List<(Subscriber Subscriber, AuthenticationRequest Request)>();
        world.Lns.Access.HoldAuthentication = (subscriber, request) =>
        {
            held.Add((subscriber, request));
            return true;
        };
        string[] users = ["alice", "bob", "carol"];
        LacLine[] lines = [.. users.Select(u => world.Lac.PlaceCall(u, NodePair.Password))];
        Assert.True(world.World.RunUntil(() => held.Count == users.Length, 10));
        foreach ((Subscriber subscriber, AuthenticationRequest request) in held)
        {
            world.Lns.Access.Judge(subscriber, request, world.World.Now);
        }

        // "Success" and IPCP's first request of each: equal frames one after another are one piece to the kernel.
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        var sent = new List<(ushort Session, int Length)>();
        while (world.Lns.Access.TryTransmit(buffer, world.World.Now, out int length, out UdpPath path))
        {
            Assert.True(L2tpHeader.TryRead(buffer.AsSpan(0, length), out L2tpHeader header));
            sent.Add((header.SessionId, length));
            world.World.Send(world.Lns.At, path.Peer, buffer.AsSpan(0, length));
        }

        ushort[] sessions = [.. held.Select(h => h.Subscriber.Session.PeerSessionId)];
        Assert.Equal([.. sessions, .. sessions], sent.Select(s => s.Session));
        Assert.Equal(2, sent.Select(s => s.Length).Distinct().Count());
        Assert.Single(sent.Take(users.Length).Select(s => s.Length).Distinct());
        Assert.True(world.World.RunUntil(() => lines.All(l => l.IsUp), 10), world.World.Trace.ToString());
    }

    [Fact]
    public void A_user_that_leaves_while_being_judged_is_no_longer_in_flight()
    {
        NodeSettings settings = NodePair.LnsSettings() with { Limits = new NodeLimits { AuthenticationsInFlight = 1 } };
        var world = new LacWorld(settings);
        AuthenticationRequest? late = null;
        Subscriber? gone = null;
        world.Lns.Access.HoldAuthentication = (subscriber, request) =>
        {
            (gone, late) = (subscriber, request);
            return true;
        };
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(world.World.RunUntil(() => world.Lns.Access.AuthenticationsInFlight == 1, 10));
        world.Lac.HangUp(line, isOrderly: false, isForGood: true, world.World.Now);
        world.World.Settle(world.Lac);
        world.World.Pass(1);
        Assert.Equal(0, world.Lns.Access.AuthenticationsInFlight);

        world.Lns.Access.Judge(gone!, late!, world.World.Now);
        Assert.Equal(0, world.Lns.Access.SessionCount);
        world.Lns.Access.HoldAuthentication = null;
        LacLine bob = world.Lac.PlaceCall("bob", NodePair.Password);
        Assert.True(world.World.RunUntil(() => bob.IsUp, 30));
    }

    [Fact]
    public void Refusals_are_tallied_by_address()
    {
        NodeSettings settings = NodePair.LnsSettings();
        var pair = new NodePair(settings with { Peers = [settings.Peers[0] with { Address = IpPrefix.Parse("203.0.113.0/24") }] });
        Dial dial = pair.Dial();
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 30));
        PeerTally tally = Assert.Single(pair.Lns.Access.PeerTallies).Value;
        Assert.Equal((1, 0, 0), (tally.Refused, tally.SecretsWrong, tally.UsersRejected));
        Assert.Equal(NodePair.ClientAt.Address, pair.Lns.Access.PeerTallies.Keys.Single());
    }

    [Fact]
    public void A_wrong_tunnel_secret_is_tallied()
    {
        NodeSettings settings = NodePair.LnsSettings();
        var pair = new NodePair(settings with { Peers = [settings.Peers[0] with { Secret = new Secret("right") }] });
        Dial dial = pair.Dial(NodePair.DialOf() with { Secret = new Secret("wrong") });
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 30));
        PeerTally atLns = pair.Lns.Access.PeerTallies.GetValueOrDefault(NodePair.ClientAt.Address) ?? new PeerTally();
        PeerTally atClient = pair.Client.Access.PeerTallies.GetValueOrDefault(NodePair.LnsAt.Address) ?? new PeerTally();
        Assert.Equal(1, atLns.SecretsWrong + atClient.SecretsWrong);
    }

    [Fact]
    public void Forged_addresses_do_not_make_the_tallies_grow_without_end()
    {
        var pair = new NodePair(NodePair.LnsSettings() with { Peers = [] });
        byte[]? sccrq = null;
        pair.World.Filter = d =>
        {
            sccrq ??= d.Source == NodePair.ClientAt ? d.Payload.ToArray() : null;
            return true;
        };
        pair.Dial();
        pair.World.Pass(1);
        pair.World.Filter = null;
        for (uint i = 0; i < PeerTallies.MostPeers + 500; i++)
        {
            var forged = new PeerEndpoint(IpAddress.FromUInt32(0x64400000 + i), 1701);
            pair.Lns.Access.ReceiveControl(new UdpPath(NodePair.LnsAt.Address, forged), sccrq!, pair.Now);
            pair.Lns.Access.Advance(pair.Now); // a turn of the loop: in one, strangers have a share only
        }

        Assert.Equal(PeerTallies.MostPeers, pair.Lns.Access.PeerTallies.Count);
        Assert.DoesNotContain(NodePair.ClientAt.Address, pair.Lns.Access.PeerTallies.Keys);
    }
}
