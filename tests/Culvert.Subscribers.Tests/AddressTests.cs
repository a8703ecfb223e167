using Culvert.Core;
using Culvert.Ppp;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers.Tests;

public sealed class AddressTests
{
    private static readonly IpAddress Fixed = IpAddress.Parse("100.64.0.77");

    [Fact]
    public void A_newer_session_takes_over_a_fixed_address()
    {
        var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", "100.64.0.77", "203.0.113.0/24")));
        Dial first = pair.Connect();
        Subscriber earlier = pair.AtLns(first)!;
        Dial second = pair.Connect(from: pair.AddClient("second", "198.51.100.8"));

        Subscriber newer = pair.AtLns(second)!;
        Assert.Equal(Fixed, newer.PeerAddress);
        Assert.Equal(newer.Key, pair.Lns.Routes.Find(Fixed));
        Assert.Equal(newer.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));
        NodeEvent down = Assert.Single(pair.Lns.Told(NodeEventKind.SessionDown));
        Assert.Same(earlier, down.Subscriber);
        Assert.Contains("replaced by a newer session", down.Text, StringComparison.Ordinal);
        Assert.Equal(1, pair.Lns.Access.Pools.Single().InUse);
        Assert.Contains("replaced by a newer session", NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown), StringComparison.Ordinal);
    }

    [Fact]
    public void A_session_that_loses_its_fixed_address_ends_with_the_frame_that_caused_it()
    {
        // Found by reading: the earlier session stayed, with somebody else's address, until the next control message or deadline.
        var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", "100.64.0.77")));
        Subscriber earlier = pair.AtLns(pair.Connect())!;
        Dial second = pair.Dial(from: pair.AddClient("second", "198.51.100.8"));
        Assert.True(pair.World.RunUntil(() => pair.Lns.Subscribers.Any(s => s != earlier && s.PeerAddress == Fixed), 60));
        Assert.DoesNotContain(earlier, pair.Lns.Subscribers);
        Assert.Equal(DialState.Connecting, second.State);
    }

    [Fact]
    public void Routes_follow_a_user_to_its_newest_session()
    {
        // Found by reading: the newer session of a user with routes had none while the dead one lasted, and none after it.
        var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", null, "203.0.113.0/24", "2001:db8:1::/48")));
        Dial first = pair.Connect();
        Assert.Equal(pair.AtLns(first)!.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));
        Assert.Equal(3, pair.Lns.Routes.Count);

        Dial second = pair.Connect(from: pair.AddClient("second", "198.51.100.8"));
        Assert.Equal(pair.AtLns(second)!.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));
        Assert.Equal(pair.AtLns(second)!.Key, pair.Lns.Routes.Find(IpAddress.Parse("2001:db8:1::9")));

        pair.Stop(pair.Client, first, "the older one ends");
        pair.World.Pass(5);
        Assert.Equal(pair.AtLns(second)!.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));
        Assert.Equal(3, pair.Lns.Routes.Count);
    }

    [Fact]
    public void Networks_go_back_to_the_older_session_when_the_newest_ends()
    {
        var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", null, "203.0.113.0/24", "2001:db8:1::/48")));
        Dial first = pair.Connect();
        Subscriber older = pair.AtLns(first)!;
        AccessEnd second = pair.AddClient("second", "198.51.100.8");
        Dial newer = pair.Connect(from: second);
        Assert.Equal(pair.AtLns(newer)!.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));

        pair.Stop(second, newer, "the newest ends");
        pair.World.Pass(5);
        Assert.Equal(older.Key, pair.Lns.Routes.Find(IpAddress.Parse("203.0.113.9")));
        Assert.Equal(older.Key, pair.Lns.Routes.Find(IpAddress.Parse("2001:db8:1::9")));
        NodeEvent returned = Assert.Single(pair.Lns.Told(NodeEventKind.RoutesReturned));
        Assert.Same(older, returned.Subscriber);
        Assert.Contains("203.0.113.0/24", returned.Text, StringComparison.Ordinal);

        // The interface's routes are taken away with SessionDown, so they must come back after it.
        int down = pair.Lns.Events.ToList().FindIndex(e => e.Kind == NodeEventKind.SessionDown);
        int back = pair.Lns.Events.ToList().FindIndex(e => e.Kind == NodeEventKind.RoutesReturned);
        Assert.True(down < back);
    }

    [Fact]
    public void An_address_that_is_nobodys_own_after_a_reload_is_handed_out_again()
    {
        NodeSettings settings = NodePair.LnsSettings(NodePair.UserOf("alice", "100.64.0.2"), NodePair.UserOf("bob")) with
        {
            Pools = [NodePair.PoolOf("pool", "100.64.0.0/30", "100.64.0.1")],
        };
        var pair = new NodePair(settings);
        Assert.Equal(0, pair.Lns.Access.Pools.Single().Capacity);
        pair.Lns.Access.Apply(settings with { Users = [NodePair.UserOf("alice"), NodePair.UserOf("bob")] });
        Assert.Equal(1, pair.Lns.Access.Pools.Single().Capacity);
        Assert.Equal(IpAddress.Parse("100.64.0.2"), pair.Connect(NodePair.DialOf("bob")).Subscriber!.LocalAddress);
    }

    [Fact]
    public void An_address_that_is_held_when_it_stops_being_fixed_goes_to_the_pool_when_it_is_given_back()
    {
        NodeSettings settings = NodePair.LnsSettings(NodePair.UserOf("alice", "100.64.0.2"), NodePair.UserOf("bob")) with
        {
            Pools = [NodePair.PoolOf("pool", "100.64.0.0/30", "100.64.0.1")],
        };
        var pair = new NodePair(settings);
        Dial alice = pair.Connect();
        pair.Lns.Access.Apply(settings with { Users = [NodePair.UserOf("alice"), NodePair.UserOf("bob")] });
        pair.Stop(pair.Client, alice, "makes room");
        pair.World.Pass(5);
        Assert.Equal(IpAddress.Parse("100.64.0.2"), pair.Connect(NodePair.DialOf("bob")).Subscriber!.LocalAddress);
    }

    [Fact]
    public void When_the_pool_is_exhausted_both_ends_say_so()
    {
        NodeSettings settings = NodePair.LnsSettings();
        var pair = new NodePair(settings with { Pools = [NodePair.PoolOf("pool", "100.64.0.0/30", "100.64.0.1")] });
        Dial first = pair.Connect();
        Dial second = pair.Dial(NodePair.DialOf("bob"), pair.AddClient("second", "198.51.100.8"));
        Assert.True(pair.World.RunUntil(() => second.State == DialState.Ended, 60));

        Assert.Contains("exhausted", NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown), StringComparison.Ordinal);
        Assert.True(pair.IsUp(first));
        Assert.Equal(1, pair.Lns.Access.Pools.Single().Exhausted);

        pair.Stop(pair.Client, first, "makes room");
        Dial third = pair.Connect(NodePair.DialOf("carol"));
        Assert.Equal(IpAddress.Parse("100.64.0.2"), third.Subscriber!.LocalAddress);
    }

    [Fact]
    public void A_user_gets_the_same_address_again()
    {
        var pair = new NodePair();
        Dial first = pair.Connect();
        IpAddress address = first.Subscriber!.LocalAddress;
        pair.Stop(pair.Client, first, "once");
        pair.World.Pass(1);
        pair.Connect(NodePair.DialOf("bob"), from: pair.AddClient("second", "198.51.100.8"));
        Dial again = pair.Connect();
        Assert.Equal(address, again.Subscriber!.LocalAddress);
    }

    [Fact]
    public void Pools_may_change_while_sessions_are_up()
    {
        NodeSettings settings = NodePair.LnsSettings(NodePair.UserOf("alice"), NodePair.UserOf("bob"), NodePair.UserOf("carol"), NodePair.UserOf("dora", "198.18.5.5"));
        var pair = new NodePair(settings);
        Dial alice = pair.Connect();
        Dial dora = pair.Connect(NodePair.DialOf("dora"), from: pair.AddClient("dora", "198.51.100.9"));
        IpAddress address = alice.Subscriber!.LocalAddress;

        // The pool becomes smaller and gets the network that dora's address lies in, which is no longer hers by right.
        pair.Lns.Access.Apply(settings with
        {
            Users = [.. settings.Users.Where(u => u.Name != "dora"), NodePair.UserOf("dora")],
            Pools = [NodePair.PoolOf("pool", "100.64.0.0/29", "100.64.0.1"), NodePair.PoolOf("other", "198.18.5.4/30", "198.18.5.6")],
            Profiles = [settings.Profiles[0], settings.Profiles[0] with { Name = "other", Pool = "other" }],
        });
        Assert.Equal([1, 1], pair.Lns.Access.Pools.Select(p => p.InUse));

        // Everything that the pools still have: nobody gets what is out.
        foreach (AddressPool pool in pair.Lns.Access.Pools)
        {
            for (int i = 0; pool.TryTake($"user{i}", out IpAddress taken); i++)
            {
                Assert.NotEqual(address, taken);
                Assert.NotEqual(dora.Subscriber!.LocalAddress, taken);
            }
        }

        Assert.True(pair.IsUp(alice) && pair.IsUp(dora));
    }

    [Fact]
    public void An_address_that_becomes_a_users_own_is_taken_from_who_has_it()
    {
        // Found by reading: a reload could make an address fixed that was out, and both had it.
        var pair = new NodePair();
        Dial alice = pair.Connect();
        IpAddress address = alice.Subscriber!.LocalAddress;
        pair.Lns.Access.Apply(NodePair.LnsSettings(NodePair.UserOf("alice"), NodePair.UserOf("bob", address.ToString())));
        Dial bob = pair.Connect(NodePair.DialOf("bob"), from: pair.AddClient("bob", "198.51.100.8"));

        Assert.Equal(address, bob.Subscriber!.LocalAddress);
        Assert.Contains("belongs to user 'bob'", NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown), StringComparison.Ordinal);
        Assert.Equal(1, pair.Lns.Access.Pools.Single().InUse);
    }

    [Fact]
    public void A_link_that_begins_anew_with_another_user_gives_the_first_ones_address_back()
    {
        // Found by reading: LCP may be negotiated again, and the second user would have had the first one's fixed address and networks.
        var lines = new LacWorld(NodePair.LnsSettings(NodePair.UserOf("alice", "100.64.0.77", "203.0.113.0/24"), NodePair.UserOf("bob")));
        lines.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(lines.World.RunUntil(() => lines.Lac.UpCount == 1, 30));
        Subscriber session = Assert.Single(lines.Lns.Subscribers);
        Assert.Equal(Fixed, session.PeerAddress);

        lines.Lac.RenewLink(0, "bob", NodePair.Password, lines.World.Now);
        lines.World.Settle(lines.Lac);
        Assert.True(lines.World.RunUntil(() => session is { IsUp: true, UserName: "bob" } && lines.Lac.UpCount == 1, 30), lines.World.Trace.ToString());
        Assert.NotEqual(Fixed, session.PeerAddress);
        Assert.Equal(session.PeerAddress, lines.Lac.Lines[0].Link!.LocalAddress);
        Assert.Equal(1, lines.Lns.Routes.Count);
        Assert.Equal(1, lines.Lns.Access.Pools.Single().InUse);
        Assert.Equal(PppPhase.Network, session.Link.Phase);
    }
}
