using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

/// <summary>Every way in which a session or tunnel ends: both ends say why, once, and nothing is left.</summary>
public sealed class EndTests
{
    /// <summary>PPP's address and control, LCP, code 9 (RFC 1661 section 5.8).</summary>
    private static readonly byte[] EchoRequest = [0xFF, 0x03, 0xC0, 0x21, 9];

    public static TheoryData<string> Ways() =>
    [
        "LNS CloseSession", "LNS CloseUser", "LNS CloseTunnel", "LNS CloseAll", "client CloseSession", "client CloseTunnel",
        "client CloseAll", "client StopDial", "LNS Terminate", "client Terminate", "LNS CDN", "client CDN", "LNS StopCCN", "client StopCCN",
    ];

    [Theory]
    [MemberData(nameof(Ways))]
    public void Everything_is_freed_and_told_once(string way)
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            var pair = new NodePair(NodePair.LnsSettings(NodePair.UserOf("alice", null, "203.0.113.0/24")), seed);
            pair.World.Network.Conditions = new LinkConditions { Loss = seed == 1 ? 0 : 0.1 };
            Dial dial = pair.Connect(seconds: 120);
            int sessionsUp = pair.Lns.Told(NodeEventKind.SessionUp).Count();
            End(pair, dial, way);
            Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended && !pair.Lns.Access.Tunnels.Any(), 120), pair.World.Trace.ToString());

            Assert.Equal(1, sessionsUp);
            foreach (Simulation.AccessEnd end in new[] { pair.Lns, pair.Client })
            {
                string session = NodePair.ReasonOf(end, NodeEventKind.SessionDown);
                NodePair.ReasonOf(end, NodeEventKind.TunnelDown);
                bool isHere = way.StartsWith(end.Name, StringComparison.OrdinalIgnoreCase);
                bool isSilent = way.EndsWith("Terminate", StringComparison.Ordinal) || seed > 1;
                Assert.True(isSilent || session.Contains("closing time", StringComparison.Ordinal), $"{way}: {end.Name} says '{session}' (here: {isHere})");
            }

            NodePair.ReasonOf(pair.Client, NodeEventKind.DialDown);
            pair.ExpectEverythingFreed(200);
        }
    }

    private static void End(NodePair pair, Dial dial, string way)
    {
        const string Reason = "closing time";
        bool isLns = way.StartsWith("LNS", StringComparison.Ordinal);
        Simulation.AccessEnd end = isLns ? pair.Lns : pair.Client;
        Subscriber subscriber = isLns ? pair.AtLns(dial)! : dial.Subscriber!;
        AccessNode access = end.Access;
        switch (way[(way.IndexOf(' ', StringComparison.Ordinal) + 1)..])
        {
            case "CloseSession":
                Assert.True(access.CloseSession(subscriber.Key, Reason, pair.Now));
                break;
            case "CloseUser":
                Assert.Equal(0, access.CloseUser("nobody", Reason, pair.Now));
                Assert.Equal(1, access.CloseUser("alice", Reason, pair.Now));
                break;
            case "CloseTunnel":
                Assert.True(access.CloseTunnel(subscriber.Tunnel.LocalTunnelId, Reason, pair.Now));
                Assert.False(access.CloseTunnel(subscriber.Tunnel.LocalTunnelId, Reason, pair.Now));
                break;
            case "CloseAll":
                access.CloseAll(Reason, pair.Now);
                break;
            case "StopDial":
                access.StopDial(dial, Reason, pair.Now);
                break;
            case "Terminate":
                // Straight from the link, as when the peer's user hangs up.
                subscriber.Link.Close(LinkCloseReason.Administrative, Reason, pair.Now);
                access.ReceivePpp(subscriber.Key, [0xC0, 0x21, 11, 1, 0, 4], pair.Now);
                break;
            case "CDN":
                subscriber.Session.Close(Disconnect.OfSession(CdnResult.Administrative, Reason), pair.Now);
                break;
            case "StopCCN":
                subscriber.Tunnel.Close(Disconnect.OfTunnel(StopCcnResult.GeneralRequest, Reason), pair.Now);
                break;
        }

        access.Advance(pair.Now);
        pair.World.Settle(end);
    }

    [Fact]
    public void A_reason_given_here_is_the_reason_in_the_log_and_reaches_the_peer()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        pair.Lns.Access.CloseSession(pair.AtLns(dial)!.Key, "account closed", pair.Now);
        pair.World.Settle(pair.Lns);
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, 30));
        Assert.Equal("account closed", NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown));
        Assert.Contains("account closed", NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_tunnels_many_sessions_are_cleared_away_some_in_each_turn(bool isOurs)
    {
        const int Count = 1000;
        NodeSettings settings = NodePair.LnsSettings() with
        {
            Pools = [NodePair.PoolOf("pool", "100.64.0.0/16", "100.64.0.1")],
            Limits = new NodeLimits { HalfOpenSessions = Count },
        };
        var world = new LacWorld(settings);
        for (int i = 0; i < Count; i++)
        {
            _ = world.Lac.PlaceCall(i % 2 == 0 ? "alice" : "bob", NodePair.Password);
        }

        AccessNode lns = world.Lns.Access;
        Assert.True(world.World.RunUntil(() => world.Lac.UpCount == Count && world.Lns.Subscribers.All(s => s.IsUp), 300));

        var turns = new List<int>();
        int left = Count;
        world.World.BeforeTransmit = end =>
        {
            if (end == world.Lns && lns.SessionCount != left)
            {
                turns.Add(left - lns.SessionCount);
                left = lns.SessionCount;
            }
        };
        if (isOurs)
        {
            Assert.True(lns.CloseTunnel(lns.Tunnels.Single().LocalTunnelId, "maintenance", world.World.Now));
            world.World.Settle(world.Lns);
        }
        else
        {
            world.Lac.CloseAll(world.World.Now);
            world.World.Settle(world.Lac);
        }

        Assert.True(world.World.RunUntil(() => left == 0, 10));
        Assert.Equal([256, 256, 256, 232], turns);
        Assert.Equal(0, lns.SessionsToClear);
        Assert.Equal(0, lns.Pools.Sum(p => p.InUse));
        Assert.Equal(0, world.Lns.Sessions.Count);
        Assert.Equal(0, world.Lns.Routes.Count);
        Assert.Equal(Count, world.Lns.Events.Count(e => e.Kind == NodeEventKind.SessionDown));
        Assert.All(world.Lns.Events.Where(e => e.Kind == NodeEventKind.SessionDown), e => Assert.Contains(isOurs ? "maintenance" : "closed by the peer", e.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_session_in_use_is_not_asked_whether_it_lives_and_a_quiet_one_is()
    {
        var pair = new NodePair(NodePair.LnsSettings());
        Dial dial = pair.Connect();
        pair.Lns.WatchesWindows = false;
        int asked = 0;
        byte[] buffer = new byte[L2tpEndpoint.MaximumMessageSize];
        pair.World.BeforeTransmit = end =>
        {
            while (end == pair.Lns && pair.Lns.TryTransmit(buffer, pair.Now, out int length, out UdpPath path))
            {
                asked += buffer.AsSpan(0, length).IndexOf(EchoRequest) >= 0 ? 1 : 0;
                pair.World.Send(end.At, path.Peer, buffer.AsSpan(0, length));
            }
        };
        for (int second = 0; second < 600; second += 10)
        {
            pair.Client.SendIp(pair.World, IpBuilder.Echo(dial.Subscriber!.LocalAddress, NodePair.LnsAt.Address, 1, second, [1]), dial.Subscriber.Key);
            pair.World.Pass(10);
        }

        Assert.Equal(0, asked);
        pair.World.Pass(600);
        Assert.InRange(asked, 18, 20);
        Assert.True(pair.IsUp(dial));
    }

    [Theory]
    [InlineData(60)]
    [InlineData(300)]
    public void An_idle_session_ends_and_a_busy_one_does_not(int idle)
    {
        NodeSettings settings = NodePair.WithProfile(p => p with { IdleTimeout = TimeSpan.FromSeconds(idle) });
        var pair = new NodePair(settings);
        Dial dial = pair.Connect();
        for (int second = 0; second < 3 * idle; second += 10)
        {
            pair.Client.SendIp(pair.World, IpBuilder.Echo(dial.Subscriber!.LocalAddress, NodePair.LnsAt.Address, 1, second, [1]), dial.Subscriber.Key);
            pair.World.Pass(10);
            Assert.True(pair.IsUp(dial));
        }

        Timestamp quietSince = pair.Now;
        Assert.True(pair.World.RunUntil(() => dial.State == DialState.Ended, (2 * idle) + 60));
        Assert.InRange((pair.Now - quietSince).TotalSeconds, idle - 10, idle + 35);
        Assert.Equal("idle timeout", NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown));
        Assert.Contains("idle timeout", NodePair.ReasonOf(pair.Client, NodeEventKind.SessionDown), StringComparison.Ordinal);
        pair.ExpectEverythingFreed();
    }

    [Fact]
    public void A_session_ends_with_its_time_even_when_the_user_negotiates_anew()
    {
        // Found by reading: each renegotiation began the session's time again.
        var lines = new LacWorld(NodePair.WithProfile(p => p with { SessionTimeout = TimeSpan.FromSeconds(100) }));
        lines.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(lines.World.RunUntil(() => lines.Lac.UpCount == 1, 30));
        Timestamp up = lines.World.Now;
        lines.World.Pass(60);
        lines.Lac.RenewLink(0, "alice", NodePair.Password, lines.World.Now);
        lines.World.Settle(lines.Lac);
        lines.World.Pass(10);
        Assert.Equal(1, lines.Lac.UpCount);

        Assert.True(lines.World.RunUntil(() => lines.Lns.Access.SessionCount == 0, 60));
        Assert.InRange((lines.World.Now - up).TotalSeconds, 99, 102);
        Assert.Equal("session timeout", NodePair.ReasonOf(lines.Lns, NodeEventKind.SessionDown));
    }

    [Fact]
    public void A_peer_that_dies_without_a_word_is_noticed_at_both_layers()
    {
        var pair = new NodePair();
        pair.Connect();
        pair.Client.IsOff = true;
        Assert.True(pair.World.RunUntil(() => pair.Lns.HoldsNothing, 300), pair.Lns.DescribeWhatIsHeld());
        Assert.Contains("acknowledged nothing", NodePair.ReasonOf(pair.Lns, NodeEventKind.TunnelDown), StringComparison.Ordinal);
        NodePair.ReasonOf(pair.Lns, NodeEventKind.SessionDown);
    }

    [Fact]
    public void An_LNS_that_dies_is_noticed_and_dialled_again_when_it_is_back()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect(NodePair.DialOf() with { Redial = true });
        pair.Lns.IsOff = true;
        Assert.True(pair.World.RunUntil(() => dial.State != DialState.Up, 200));
        pair.Lns.Restart(pair.Now);
        pair.Lns.IsOff = false;
        Assert.True(pair.World.RunUntil(() => pair.IsUp(dial), 200));
        Assert.Single(pair.Client.Told(NodeEventKind.DialDown));
        Assert.Equal(2, pair.Client.Told(NodeEventKind.DialUp).Count());
    }

    [Fact]
    public void Data_keeps_HELLOs_and_echoes_away()
    {
        var pair = new NodePair();
        Dial dial = pair.Connect();
        pair.World.Pass(1);
        int questions = 0;
        pair.World.Filter = packet =>
        {
            ReadOnlySpan<byte> octets = packet.Payload.Span;
            questions += IsHello(octets) || IsEchoRequest(octets) ? 1 : 0;
            return true;
        };
        for (int second = 0; second < 600; second += 5)
        {
            IpAddress own = dial.Subscriber!.LocalAddress;
            pair.Client.SendIp(pair.World, IpBuilder.Echo(own, NodePair.LnsAt.Address, 1, second, [1]), dial.Subscriber.Key);
            pair.Lns.SendIp(pair.World, IpBuilder.Echo(NodePair.LnsAt.Address, own, 1, second, [1], reply: true));
            pair.World.Pass(5);
        }

        Assert.Equal(0, questions);
        pair.World.Pass(120);
        Assert.True(questions > 0);
        Assert.True(pair.IsUp(dial));
    }

    private static bool IsHello(ReadOnlySpan<byte> datagram) =>
        L2tpHeader.TryRead(datagram, out L2tpHeader header) && header is { IsControl: true, IsZeroLengthBody: false }
        && ControlMessage.TryRead(datagram[header.PayloadStart..header.PayloadEnd], null, new byte[datagram.Length], out ControlMessage message)
        && message.Type == MessageType.Hello;

    private static bool IsEchoRequest(ReadOnlySpan<byte> datagram) =>
        L2tpHeader.TryRead(datagram, out L2tpHeader header) && !header.IsControl
        && datagram[header.PayloadStart..header.PayloadEnd] is [0xFF, 0x03, 0xC0, 0x21, 9, ..] or [0xC0, 0x21, 9, ..];
}
