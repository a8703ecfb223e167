using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>A LAC and an LNS, both this engine, from SCCRQ to the end.</summary>
public sealed class EndpointPairTests
{
    private static readonly byte[] Secret = Encoding.UTF8.GetBytes("one-secret");
    private static readonly Disconnect Bye = Disconnect.OfTunnel(StopCcnResult.ShuttingDown, "maintenance");

    private static readonly IncomingCall Call = new()
    {
        SerialNumber = 4711,
        BearerType = 1,
        FramingType = 1,
        TxConnectSpeed = 100_000_000,
        RxConnectSpeed = 20_000_000,
        PhysicalChannelId = 17,
        CalledNumber = "5551000",
        CallingNumber = "5552000",
        SubAddress = "12",
        PrivateGroupId = "red",
        SequencingRequired = true,
    };

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Tunnel_and_call_come_up_and_every_fact_arrives(bool withSecret, bool hidden)
    {
        var world = new World(1);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, withSecret ? Secret : null, withSecret ? Secret : null, hidden);
        Assert.True(tunnel.TryPlaceIncomingCall(Call, world.Now, out Session? placed));
        Assert.Equal(SessionState.WaitTunnel, placed.State);
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);

        Session answered = lns.Last(L2tpEventKind.SessionEstablished).Session!;
        Tunnel atLns = answered.Tunnel;
        Assert.Equal(Call, answered.Call);
        Assert.Equal((placed.LocalSessionId, placed.PeerSessionId), (answered.PeerSessionId, answered.LocalSessionId));
        Assert.Equal((tunnel.LocalTunnelId, tunnel.PeerTunnelId), (atLns.PeerTunnelId, atLns.LocalTunnelId));
        Assert.Equal(("lac", "Culvert"), (atLns.PeerHostName, atLns.PeerVendorName));
        Assert.Equal("lns", tunnel.PeerHostName);
        Assert.Equal(3u, tunnel.PeerFramingCapabilities);
        Assert.Equal(128, tunnel.PeerReceiveWindow);
        Assert.Equal((withSecret, withSecret), (tunnel.IsPeerAuthenticated, atLns.IsPeerAuthenticated));
        Assert.Equal(lac.At.Address, atLns.Path.Peer.Address);
        Assert.Equal(lns.At.Address, atLns.Path.Local); // answers leave from the address that was asked
        Assert.Equal(0, lns.Endpoint.HalfOpenCount);
        Assert.DoesNotContain(lns.Events.Concat(lac.Events), e => e.Kind == L2tpEventKind.Notice);
    }

    [Theory]
    [InlineData("lac")]
    [InlineData("lns")]
    [InlineData("lns without")]
    [InlineData("lac without")]
    public void Different_secrets_never_make_a_tunnel(string who)
    {
        byte[] other = Encoding.UTF8.GetBytes("another");
        var world = new World(2);
        byte[]? lacSecret = who switch { "lac" => other, "lac without" => null, _ => Secret };
        byte[]? lnsSecret = who switch { "lns" => other, "lns without" => null, _ => Secret };
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, lacSecret, lnsSecret, hidden: false);
        world.RunUntil(() => tunnel.Ended is not null);
        Assert.Equal((int)StopCcnResult.NotAuthorized, tunnel.Ended!.Result);
        world.Pass(120);
        Assert.Equal(0, lac.Count(L2tpEventKind.TunnelEstablished) + lns.Count(L2tpEventKind.TunnelEstablished));
        Assert.Empty(lac.Endpoint.Tunnels);
        Assert.Empty(lns.Endpoint.Tunnels);
    }

    [Fact]
    public void Required_challenge_that_does_not_come_is_refused()
    {
        var world = new World(3);
        Node lac = world.Add("192.0.2.10", Settings("lac", null, false));
        Node lns = world.Add("192.0.2.20", Settings("lns", Secret, false) with { RequireChallenge = true });
        Tunnel tunnel = world.Connect(lac, lns, Settings("lac", Secret, false) with { AuthenticatePeer = false });
        world.RunUntil(() => tunnel.Ended is not null);
        Assert.Equal(DisconnectOrigin.Peer, tunnel.Ended!.Origin);
        Assert.Contains("authentication is required", tunnel.Ended.Message, StringComparison.Ordinal);
        Assert.Empty(lns.Endpoint.Tunnels);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.3)]
    public void Hundred_calls_come_up_and_go_under_loss(double loss) => Repeat.Seeds(3, seed =>
    {
        var conditions = new LinkConditions
        {
            Loss = loss,
            Duplication = 0.1,
            Reordering = 0.1,
            Jitter = TimeSpan.FromMilliseconds(20),
        };
        var world = new World(seed, conditions);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, Secret, Secret, hidden: true, patience: 20);
        var sessions = new List<Session>();
        for (int i = 0; i < 100; i++)
        {
            Assert.True(tunnel.TryPlaceIncomingCall(Call, world.Now, out Session? session));
            sessions.Add(session);
        }

        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 100, 600);
        Assert.Equal(100, lac.Count(L2tpEventKind.SessionEstablished));
        Assert.Equal((0, 0), (lac.Endpoint.SessionsBeingSetUp, lns.Endpoint.SessionsBeingSetUp));
        Assert.Equal(100, sessions.Select(session => session.PeerSessionId).Distinct().Count());

        for (int i = 0; i < 50; i++)
        {
            sessions[i].Close(Disconnect.OfSession(CdnResult.LostCarrier), world.Now);
        }

        world.RunUntil(() => lns.Count(L2tpEventKind.SessionClosed) == 50, 600);
        Assert.All(
            lns.Events.Where(e => e.Kind == L2tpEventKind.SessionClosed), e => Assert.Equal(DisconnectOrigin.Peer, e.Disconnect!.Origin));
        tunnel.Close(Bye, world.Now);
        world.RunUntil(() => lns.Count(L2tpEventKind.TunnelClosed) == 1, 600);
        world.RunUntil(() => lac.Endpoint.Tunnels.Count + lns.Endpoint.Tunnels.Count == 0, 1200);
        foreach (Node node in new[] { lac, lns })
        {
            Assert.Equal(100, node.Count(L2tpEventKind.SessionClosed));
            Assert.Equal(1, node.Count(L2tpEventKind.TunnelClosed));
            Assert.Equal((0, 0, 0), (node.SessionIds.InUse, node.Endpoint.SessionCount, node.Endpoint.LingeringCount));
            Assert.Equal(L2tpEventKind.TunnelClosed, node.Events[^1].Kind); // nothing is told after the end
        }
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Either_side_ends_the_tunnel_and_all_is_freed(bool byLac)
    {
        var world = new World(5);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, null, null, hidden: false);
        Assert.True(tunnel.TryPlaceIncomingCall(Call, world.Now, out _));
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);
        Tunnel closing = byLac ? tunnel : Assert.Single(lns.Endpoint.Tunnels);
        (Node closer, Node other) = byLac ? (lac, lns) : (lns, lac);

        closing.Close(Bye, world.Now);
        closing.Close(Bye, world.Now); // again means nothing
        world.RunUntil(() => other.Count(L2tpEventKind.TunnelClosed) == 1);
        Disconnect told = other.Last(L2tpEventKind.TunnelClosed).Disconnect!;
        Assert.Equal("closed by the peer: requester is being shut down: maintenance (StopCCN 6)", told.ToString());
        Assert.Same(told, other.Last(L2tpEventKind.SessionClosed).Disconnect);
        Assert.Equal((0, 0), (lac.SessionIds.InUse, lns.SessionIds.InUse));
        world.RunUntil(() => closing.IsEverythingAcknowledged);

        Assert.Equal((1, 1), (closer.Endpoint.LingeringCount, other.Endpoint.LingeringCount));
        world.Pass(30);
        Assert.Equal(1, closer.Endpoint.LingeringCount); // section 5.7: a full retransmission cycle of 31 s
        world.Pass(2);
        Assert.Empty(lac.Endpoint.Tunnels);
        Assert.Empty(lns.Endpoint.Tunnels);
        Assert.Equal(Culvert.Core.Timestamp.Never, closer.Endpoint.NextDeadline);
    }

    [Fact]
    public void Lost_acknowledgement_of_StopCCN_is_given_again()
    {
        var world = new World(6);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, null, null, hidden: false);
        world.RunUntil(() => lns.Count(L2tpEventKind.TunnelEstablished) == 1);
        int lost = 0;
        world.Network.Filter = packet => packet.Source != lns.At || ++lost > 3;
        tunnel.Close(Bye, world.Now);
        world.RunUntil(() => tunnel.IsEverythingAcknowledged, 31);
        Assert.Equal(4, lost);
        Assert.Equal(1, lns.Count(L2tpEventKind.TunnelClosed));
        Assert.Equal(1, lac.Count(L2tpEventKind.TunnelClosed));
    }

    [Fact]
    public void Dead_peer_is_found_by_HELLO_and_told_with_facts()
    {
        var world = new World(7);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, null, null, hidden: false);
        Assert.True(tunnel.TryPlaceIncomingCall(Call, world.Now, out _));
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);
        world.Pass(200);
        Assert.Equal(0, lac.Count(L2tpEventKind.TunnelClosed)); // HELLOs are answered
        world.Network.Filter = _ => false;
        world.Pass(92);
        Disconnect why = lns.Last(L2tpEventKind.TunnelClosed).Disconnect!;
        Assert.Equal(DisconnectOrigin.Timeout, why.Origin);
        Assert.Contains("peer 192.0.2.10 acknowledged nothing for 31 s (9 tries); last heard Ns ", why.ToString(), StringComparison.Ordinal);
        Assert.Empty(lac.Endpoint.Tunnels);
        Assert.Empty(lns.Endpoint.Tunnels);
        Assert.Equal(0, lns.SessionIds.InUse);
    }

    [Fact]
    public void Nobody_there_ends_in_a_timeout_and_frees_everything()
    {
        var world = new World(8);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, null, null, hidden: false);
        world.Network.Filter = _ => false;
        Assert.True(tunnel.TryPlaceIncomingCall(Call, world.Now, out _));
        world.Pass(32);
        Assert.Equal(DisconnectOrigin.Timeout, lac.Last(L2tpEventKind.TunnelClosed).Disconnect!.Origin);
        Assert.Equal(1, lac.Count(L2tpEventKind.SessionClosed));
        Assert.Empty(lac.Endpoint.Tunnels);
        Assert.Empty(lns.Events);
    }

    [Fact]
    public void Dial_that_is_given_up_before_any_answer_is_forgotten_and_a_late_SCCRP_is_told_so()
    {
        var world = new World(9);
        (Node lac, Node lns, Tunnel tunnel) = Dial(world, null, null, hidden: false);
        world.Pass(0.005);
        tunnel.Close(Bye, world.Now);
        world.Pass(1);
        Assert.Empty(lac.Endpoint.Tunnels);
        Assert.Equal(2, lac.Endpoint.Counters[L2tpCounter.UnknownTunnel]); // the SCCRP, and the acknowledgement of the StopCCN
        Assert.Equal(1, lns.Endpoint.LingeringCount); // its half-open tunnel was stopped by the answer
        Assert.Equal(0, lns.Endpoint.HalfOpenCount);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Simultaneous_open_leaves_one_tunnel_with_a_tie_breaker_and_two_without(bool left, bool right)
    {
        var world = new World(10);
        TunnelSettings leftSettings = Settings("left", null, false) with { SendTieBreaker = left };
        TunnelSettings rightSettings = Settings("right", null, false) with { SendTieBreaker = right };
        Node one = world.Add("192.0.2.10", leftSettings);
        Node two = world.Add("192.0.2.20", rightSettings);
        world.Connect(one, two, leftSettings);
        world.Connect(two, one, rightSettings);
        world.Pass(10);
        int expected = left || right ? 1 : 2;
        foreach (Node node in new[] { one, two })
        {
            Assert.Equal(expected, node.Endpoint.Tunnels.Count(tunnel => tunnel.State == TunnelState.Established));
            Assert.Equal(expected, node.Endpoint.Tunnels.Count);
        }
    }

    [Fact]
    public void Sessions_and_tunnels_are_limited_and_ids_return()
    {
        var world = new World(11);
        var limits = EndpointLimits.Default with { MaxSessions = 3, MaxTunnels = 2 };
        Node lac = world.Add("192.0.2.10", Settings("lac", null, false));
        Node lns = world.Add("192.0.2.20", Settings("lns", null, false), limits);
        Tunnel first = world.Connect(lac, lns, Settings("lac", null, false));
        world.RunUntil(() => lns.Count(L2tpEventKind.TunnelEstablished) == 1);
        for (int i = 0; i < 5; i++)
        {
            Assert.True(first.TryPlaceIncomingCall(Call, world.Now, out _));
        }

        world.RunUntil(() => lac.Count(L2tpEventKind.SessionClosed) == 2);
        Assert.Equal(3, lns.Endpoint.SessionCount);
        Assert.Equal("closed by the peer: lack of facilities (temporary): no session is free (CDN 4)",
            lac.Last(L2tpEventKind.SessionClosed).Disconnect!.ToString());
        Assert.Equal(2, lns.Endpoint.Counters[L2tpCounter.SessionLimit]);

        world.Connect(lac, lns, Settings("lac", null, false));
        Tunnel third = world.Connect(lac, lns, Settings("lac", null, false));
        world.RunUntil(() => third.Ended is not null);
        Assert.Equal(ErrorCode.InsufficientResources, third.Ended!.Error);
    }

    private static (Node Lac, Node Lns, Tunnel Tunnel) Dial(
        World world, byte[]? lacSecret, byte[]? lnsSecret, bool hidden, int patience = 5)
    {
        var limits = EndpointLimits.Default with { HalfOpenRetransmits = Math.Max(3, patience / 2) };
        Node lac = world.Add("192.0.2.10", Settings("lac", lacSecret, hidden, patience));
        Node lns = world.Add("192.0.2.20", Settings("lns", lnsSecret, hidden, patience), limits);
        return (lac, lns, world.Connect(lac, lns, lac.Policy.Settings));
    }

    private static TunnelSettings Settings(string hostName, byte[]? secret, bool hidden, int patience = 5) => new()
    {
        HostName = hostName,
        Secret = secret,
        HideAvps = hidden,
        Channel = ControlChannelSettings.Default with { MaxRetransmits = patience },
        CallTimeout = TimeSpan.FromSeconds(patience > 5 ? 600 : 60),
        EstablishTimeout = TimeSpan.FromSeconds(patience > 5 ? 600 : 60),
    };
}
