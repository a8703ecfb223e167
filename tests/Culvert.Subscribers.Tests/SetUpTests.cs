using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

public sealed class SetUpTests
{
    public static TheoryData<AuthenticationMethod, bool, bool, double> Combinations()
    {
        var data = new TheoryData<AuthenticationMethod, bool, bool, double>();
        foreach (AuthenticationMethod method in Enum.GetValues<AuthenticationMethod>())
        {
            foreach (double loss in new[] { 0, 0.1, 0.3 })
            {
                data.Add(method, false, false, loss);
                data.Add(method, true, false, loss);
                data.Add(method, true, true, loss);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void A_connection_comes_up_and_ends_clean(AuthenticationMethod method, bool hasSecret, bool hidesAvps, double loss)
    {
        var secret = hasSecret ? new Secret("tunnel-secret") : null;
        NodeSettings settings = NodePair.WithProfile(p => p with { Authentication = [method] });
        settings = settings with { Peers = [settings.Peers[0] with { Secret = secret, HideAvps = hidesAvps }] };
        for (ulong seed = 1; seed <= 5; seed++)
        {
            var pair = new NodePair(settings, seed, new LinkConditions { Loss = loss, Duplication = loss / 3, Jitter = TimeSpan.FromMilliseconds(20) });
            // At 30 % loss a peer may seem dead; a node redials.
            Dial dial = pair.Connect(NodePair.DialOf() with { Secret = secret, HideAvps = hidesAvps, Redial = true }, seconds: 600);

            Subscriber atLns = pair.AtLns(dial)!;
            Subscriber atClient = dial.Subscriber!;
            Assert.Equal("alice", atLns.UserName);
            Assert.Equal(method, atLns.Link.PeerMethod);
            Assert.Equal(atLns.PeerAddress, atClient.LocalAddress);
            Assert.Equal(IpAddress.Parse("100.64.0.1"), atClient.PeerAddress);
            Assert.Equal([IpAddress.Parse("192.0.2.53")], atClient.Dns);
            Assert.Equal(atLns.Mtu, atClient.Mtu);

            pair.World.Network.Conditions = LinkConditions.Perfect;
            pair.Stop(pair.Client, dial, "the test is over");
            pair.ExpectEverythingFreed(seconds: 300);
        }
    }

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void A_wrong_password_is_said_at_both_ends(AuthenticationMethod method)
    {
        var pair = new NodePair(NodePair.WithProfile(p => p with { Authentication = [method] }));
        Dial dial = pair.Dial(NodePair.DialOf(password: "wrong"));
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 30));

        Assert.Contains("wrong password", NodePair.ReasonOf(pair.Lns, NodeEventKind.AuthenticationFailed), StringComparison.Ordinal);
        Assert.Contains("alice", NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown), StringComparison.Ordinal);
        Assert.Contains("refuse", NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown), StringComparison.Ordinal);
        Assert.Contains("refuse", NodePair.ReasonOf(pair.Client, NodeEventKind.DialFailed), StringComparison.Ordinal);
        Assert.Empty(pair.Lns.Told(NodeEventKind.SessionUp));
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void An_unknown_user_is_said_at_the_LNS_and_looks_like_a_wrong_password_from_outside()
    {
        var pair = new NodePair();
        Dial dial = pair.Dial(NodePair.DialOf(user: "mallory"));
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 30));

        Assert.Contains("'mallory' is not known", NodePair.ReasonOf(pair.Lns, NodeEventKind.AuthenticationFailed), StringComparison.Ordinal);
        string told = NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown);
        Assert.DoesNotContain("known", told, StringComparison.Ordinal);
        pair.ExpectEverythingFreed();
    }

    [Theory]
    [InlineData("one", "other", "secrets differ", "secrets differ")]
    [InlineData("one", null, "no secret is configured", "no secret is configured")]
    public void A_wrong_tunnel_secret_is_said_at_both_ends(string? lnsSecret, string? clientSecret, string atClient, string inWords)
    {
        NodeSettings settings = NodePair.LnsSettings();
        settings = settings with { Peers = [settings.Peers[0] with { Secret = lnsSecret is null ? null : new Secret(lnsSecret) }] };
        var pair = new NodePair(settings);
        Dial dial = pair.Dial(NodePair.DialOf() with { Secret = clientSecret is null ? null : new Secret(clientSecret) });
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 60));
        pair.World.Pass(1);

        // The LNS's tunnel never came up, but a peer that knows its ID said why, and that goes into the log.
        Assert.Contains(atClient, NodePair.ReasonOf(pair.Client, NodeEventKind.TunnelDown), StringComparison.Ordinal);
        Assert.Contains(inWords, NodePair.ReasonOf(pair.Client, NodeEventKind.DialFailed), StringComparison.Ordinal);
        Assert.Contains(inWords, NodePair.ReasonOf(pair.Lns, NodeEventKind.TunnelDown), StringComparison.Ordinal);
        Assert.Empty(pair.Lns.Told(NodeEventKind.TunnelUp));
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void A_peer_without_a_rule_is_told_so()
    {
        NodeSettings settings = NodePair.LnsSettings();
        var pair = new NodePair(settings with { Peers = [settings.Peers[0] with { HostName = "branch-*" }] });
        Dial dial = pair.Dial();
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 60));
        Assert.Contains("no rule", NodePair.ReasonOf(pair.Client, NodeEventKind.DialFailed), StringComparison.Ordinal);
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void A_call_without_a_profile_is_refused_and_noted()
    {
        var pair = new NodePair(NodePair.LnsSettings() with { Profiles = [] });
        Dial dial = pair.Dial();
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 60));
        Assert.Contains("no profile", NodePair.ReasonOf(pair.Lns, NodeEventKind.Notice), StringComparison.Ordinal);
        Assert.Contains("no profile", NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown), StringComparison.Ordinal);
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void PPP_frames_that_overtake_the_ICCN_are_kept()
    {
        var pair = new NodePair();
        pair.World.Filter = packet =>
        {
            // The LAC's data takes the fast lane, everything else the slow one.
            bool isData = (packet.Payload.Span[0] & 0x80) == 0;
            pair.World.Network.Conditions = new LinkConditions { Delay = TimeSpan.FromMilliseconds(isData ? 1 : 20) };
            return true;
        };
        pair.Connect(seconds: 2);
        Assert.True(pair.Lns.EarlyFrames > 0, pair.World.Trace.ToString());
    }

    [Fact]
    public void Before_the_ICCN_only_a_few_frames_are_kept_and_none_that_no_control_packet_is_as_long_as()
    {
        const byte Iccn = 12;
        var pair = new NodePair();
        pair.World.Filter = packet => packet.Payload.Span is not { Length: >= 20 } octets || (octets[0] & 0x80) == 0 || octets[19] != Iccn;
        pair.Dial();
        Assert.True(pair.World.RunUntil(() => pair.Lns.Subscribers.Count == 1, 5), pair.World.Trace.ToString());
        Subscriber subscriber = pair.Lns.Subscribers[0];

        pair.Lns.Access.ReceivePpp(subscriber.Key, new byte[1509], pair.Now);
        pair.Lns.Access.ReceivePpp(subscriber.Key, new byte[65_000], pair.Now);
        Assert.Null(subscriber.EarlyFrames);
        for (int i = 0; i < 10; i++)
        {
            pair.Lns.Access.ReceivePpp(subscriber.Key, new byte[1508], pair.Now);
        }

        Assert.Equal(4, subscriber.EarlyFrames!.Count);
    }

    [Fact]
    public void A_path_that_reports_an_absurd_MTU_stops_nothing()
    {
        var pair = new NodePair();
        pair.Lns.PathMtu.Octets = 100;
        pair.Client.PathMtu.Octets = 68;
        pair.Connect(seconds: 5);
    }

    [Fact]
    public void Ten_clients_at_once_get_ten_addresses()
    {
        var pair = new NodePair(NodePair.LnsSettings([.. Enumerable.Range(0, 10).Select(i => NodePair.UserOf($"user{i}"))]), conditions: new LinkConditions { Loss = 0.1 });
        List<Dial> dials = [.. Enumerable.Range(0, 10).Select(i =>
            pair.Dial(NodePair.DialOf($"user{i}") with { Redial = true }, pair.AddClient($"branch{i}", $"198.51.100.{20 + i}")))];
        Assert.True(pair.World.RunUntil(() => dials.TrueForAll(pair.IsUp), 300), pair.World.Trace.ToString());
        Assert.Equal(10, dials.Select(d => d.Subscriber!.LocalAddress).Distinct().Count());
        Assert.Equal(10, pair.Lns.Access.Pools.Single().InUse);
    }

    [Fact]
    public void The_same_seed_gives_the_same_packets()
    {
        ulong[] hashes = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            var pair = new NodePair(seed: 7, conditions: new LinkConditions { Loss = 0.2, Jitter = TimeSpan.FromMilliseconds(5) });
            pair.Connect(NodePair.DialOf() with { Redial = true }, 300);
            return pair.World.Trace.Hash;
        })];
        Assert.Equal(hashes[0], hashes[1]);
    }

    [Fact]
    public void Tunnel_IDs_are_those_of_the_state_machine()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        Tunnel atClient = Assert.Single(pair.Client.Access.Tunnels);
        Tunnel atLns = Assert.Single(pair.Lns.Access.Tunnels);
        Assert.Equal((atClient.LocalTunnelId, atClient.PeerTunnelId), (atLns.PeerTunnelId, atLns.LocalTunnelId));
        Assert.Equal("any", pair.Lns.Access.RuleName(atLns));
        Assert.Equal(dial.Settings.Name, pair.Client.Access.RuleName(atClient));
    }
}
