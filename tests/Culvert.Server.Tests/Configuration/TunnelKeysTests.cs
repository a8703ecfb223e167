using Culvert.Core;
using Culvert.L2tp;
using Culvert.Server.Configuration;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Tests.Configuration;

/// <summary>The keys of peers, dialled connections and limits that reach the L2TP engine.</summary>
public sealed class TunnelKeysTests
{
    private const string Profile = "profiles: [{ name: home }]\n";

    [Fact]
    public void Every_key_of_a_peer_reaches_its_setting()
    {
        PeerRule peer = Good(Profile + """
            peers:
              - match: any
                secret: s3
                require-challenge: true
                retransmit-floor: 50ms
                retransmit-initial: 500ms
                retransmit-cap: 16s
                max-retransmits: 7
                receive-window: 32
                establish-timeout: 20s
                call-timeout: 30s
                call-rate: 100
                sequencing: required
                incoming-calls: false
                on-restart: close-older
                on-path-change: follow
                modem-on-hold: true
                quirks: { accept-tunnel-id-zero: true, refuse-with-general-error: true }
                outgoing-calls: { handler: loopback, answer-after: 3s, user: tester, password: pw }
            """).Settings.Peers.Single();
        Assert.True(peer is { RequireChallenge: true, ModemOnHold: true, IncomingCalls: false });
        Assert.Equal(50, (int)peer.RetransmitFloor.TotalMilliseconds);
        Assert.Equal((500, 16_000, 7, 32), ((int)peer.RetransmitInitial.TotalMilliseconds, (int)peer.RetransmitCap.TotalMilliseconds, peer.MaxRetransmits, peer.ReceiveWindow));
        Assert.Equal((20, 30), ((int)peer.EstablishTimeout.TotalSeconds, (int)peer.CallTimeout.TotalSeconds));
        Assert.Equal(new RateLimit(100, 400), peer.CallRate);
        Assert.Equal((SequencingPolicy.Required, RestartDetection.CloseOlder, PathChange.Follow), (peer.Sequencing, peer.OnRestart, peer.OnPathChange));
        Assert.True(peer is { AcceptTunnelIdZero: true, RefuseWithGeneralError: true });
        Assert.Equal(new OutgoingCallPolicy { Handler = "loopback", AnswerAfter = TimeSpan.FromSeconds(3), User = "tester", Password = "pw" }, peer.OutgoingCalls);
    }

    [Fact]
    public void What_is_not_written_is_what_the_engine_does_by_itself()
    {
        PeerRule peer = Good(Profile + "peers: [{ match: any }]").Settings.Peers.Single();
        TunnelSettings engine = new() { HostName = "x" };
        Assert.Equal(engine.Channel, new ControlChannelSettings
        {
            ReceiveWindow = peer.ReceiveWindow,
            RetransmitInitial = peer.RetransmitInitial,
            RetransmitCap = peer.RetransmitCap,
            MaxRetransmits = peer.MaxRetransmits,
            HelloInterval = peer.Hello,
        });
        Assert.Equal((engine.EstablishTimeout, engine.CallTimeout, engine.CallRate), (peer.EstablishTimeout, peer.CallTimeout, peer.CallRate));
        Assert.Equal((engine.Sequencing, engine.OnRestart, engine.OnPathChange), (peer.Sequencing, peer.OnRestart, peer.OnPathChange));
        Assert.Equal("refuse", peer.OutgoingCalls.Handler);
        NodeLimits limits = Good("node: x").Settings.Limits;
        EndpointLimits endpoint = EndpointLimits.Default;
        Assert.Equal((endpoint.StartRate, endpoint.StartRatePerPeer, endpoint.CallRate), (limits.StartRate, limits.StartRatePerPeer, limits.CallRate));
        Assert.Equal((endpoint.HalfOpenRetransmits, endpoint.EndedTunnelsKept, endpoint.EndedSessionsKept), (limits.HalfOpenRetransmits, limits.EndedTunnelsKept, limits.EndedSessionsKept));
    }

    [Fact]
    public void A_dialled_connection_has_the_keys_of_a_tunnel_and_a_tie_breaker()
    {
        DialSettings dial = Good("""
            dial:
              - { name: office, lns: vpn.example, user: u, password: p, tie-breaker: true, sequencing: off, max-retransmits: 9, on-path-change: refuse }
            """).Settings.Dial.Single();
        Assert.Equal((true, SequencingPolicy.Off, 9, PathChange.Refuse), (dial.TieBreaker, dial.Sequencing, dial.MaxRetransmits, dial.OnPathChange));
    }

    [Fact]
    public void Every_limit_reaches_its_setting()
    {
        NodeLimits limits = Good("""
            limits:
              half-open-retransmits: 1
              pending-starts: 100
              pending-starts-above: 20
              authentications-in-flight: 50
              start-rate: { per-second: 500, burst: 600 }
              start-rate-per-peer: 0
              call-rate: 1000
              ended-tunnels-kept: 5
              ended-sessions-kept: 6
            """).Settings.Limits;
        Assert.Equal((100, 20), (limits.PendingStarts, limits.PendingStartsAbove));
        Assert.Equal((1, 50, 5, 6), (limits.HalfOpenRetransmits, limits.AuthenticationsInFlight, limits.EndedTunnelsKept, limits.EndedSessionsKept));
        Assert.Equal((new RateLimit(500, 600), RateLimit.None, new RateLimit(1000, 4000)), (limits.StartRate, limits.StartRatePerPeer, limits.CallRate));
    }

    [Theory]
    [InlineData("sequencing: always", "culvert.yaml:2:35: sequencing: 'always' is not known here; write off, on-request or required")]
    [InlineData("on-restart: close", "culvert.yaml:2:35: on-restart: 'close' is not known here; write probe, close-older or ignore")]
    [InlineData("on-path-change: accept", "culvert.yaml:2:39: on-path-change: 'accept' is not known here; write ignore, follow or refuse")]
    [InlineData("retransmit-cap: 4s", "culvert.yaml:2:39: retransmit-cap: write 8s to 5m (RFC 2661 section 5.8 wants no less than 8 s)")]
    [InlineData("retransmit-initial: 10ms", "culvert.yaml:2:43: retransmit-initial: '10ms' is too short; write 100ms to 1m")]
    [InlineData("establish-timeout: 0", "culvert.yaml:2:42: establish-timeout: '0' is too short; write 1s to 10m")]
    [InlineData("call-timeout: 1h", "culvert.yaml:2:37: call-timeout: '1h' is more than the 10m that make sense here")]
    [InlineData("max-retransmits: 0", "culvert.yaml:2:40: max-retransmits: '0' is not a number from 1 to 30")]
    [InlineData("receive-window: 40000", "culvert.yaml:2:39: receive-window: '40000' is not a number from 1 to 32768")]
    [InlineData("require-challenge: true", "culvert.yaml:2:42: require-challenge: a challenge can be answered only with a shared secret; add secret-file: PATH")]
    [InlineData("call-rate: { per-sec: 5 }", "culvert.yaml:2:36: unknown key 'per-sec' in 'call-rate'; known are burst, per-second")]
    [InlineData("call-rate: fast", "culvert.yaml:2:34: call-rate: 'fast' is not a number from 0 to 1000000")]
    [InlineData("quirks: { tunnel-id-zero: true }", "culvert.yaml:2:33: unknown key 'tunnel-id-zero' in 'quirks'; known are accept-tunnel-id-zero, refuse-with-general-error")]
    [InlineData("outgoing-calls: { handler: modem }", "culvert.yaml:2:50: handler: 'modem' is not known here; write refuse or loopback")]
    [InlineData("outgoing-calls: { user: x }", "culvert.yaml:2:39: 'outgoing-calls' lacks 'handler'; write handler: refuse, or handler: loopback")]
    [InlineData("tie-breaker: true", "culvert.yaml:2:23: unknown key 'tie-breaker' in this entry of 'peers'")]
    public void Each_mistake_has_its_place_and_says_what_to_write(string key, string error)
    {
        string text = $"{Profile}peers: [{{ match: any, {key} }}]";
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse("culvert.yaml", text, out NodeConfiguration? configuration);
        Assert.Null(configuration);
        Assert.StartsWith(error, Assert.Single(errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void More_tunnels_than_random_IDs_allow_are_refused() => Assert.StartsWith(
        "culvert.yaml:1:20: tunnels: '40000' is not a number from 1 to 32768",
        Assert.Single(ConfigurationFile.Parse("culvert.yaml", "limits: { tunnels: 40000 }", out _)).ToString(),
        StringComparison.Ordinal);

    /// <summary>Beyond it each call searched 65,536 session IDs in vain.</summary>
    [Fact]
    public void More_sessions_than_the_table_has_places_are_refused_with_the_reason()
    {
        Assert.Equal(262_144, Good("limits: { sessions: 262144 }").Settings.Limits.Sessions);
        Assert.Equal(
            "culvert.yaml:1:21: sessions: '262145' is not a number from 1 to 262144: a node's session table has 262144 places; for more sessions run more nodes",
            Assert.Single(ConfigurationFile.Parse("culvert.yaml", "limits: { sessions: 262145 }", out _)).ToString());
    }

    [Fact]
    public void A_reload_says_which_settings_changed_and_keeps_secrets_to_itself()
    {
        NodeConfiguration before = Good(Profile + """
            peers:
              - { match: { host-name: a }, secret: first, hello: 60s }
              - { match: { host-name: b } }
            users: [{ name: alice, password: one }]
            limits: { sessions: 10 }
            """);
        NodeConfiguration after = Good(Profile + """
            peers:
              - { match: { host-name: b }, sequencing: required, outgoing-calls: { handler: loopback }, dscp: { control: cs7 } }
              - { match: { host-name: a }, secret: second, hello: 90s }
            users: [{ name: alice, password: two, routes: [198.51.100.0/24] }]
            limits: { sessions: 20, call-rate: 100 }
            """);
        Assert.Equal(
            [
                "peer 'b' changed: sequencing on-request becomes required, control-dscp 48 becomes 56, outgoing-calls handler 'refuse' becomes 'loopback'",
                "peer 'a' changed: secret changed, hello 1m becomes 1m30s",
                "the order of peers changed: the first that matches decides",
                "user 'alice' changed: password changed, routes [] becomes [198.51.100.0/24]",
                "limits changed: call-rate 5000/s (burst 20000) becomes 100/s (burst 400)",
                "limits changed (sessions 10 becomes 20): takes effect when the node is started again",
            ],
            ConfigurationChanges.Describe(before, after));
        Assert.Equal(["peers", "users", "limits"], ConfigurationChanges.Sections(before, after));
        Assert.Empty(ConfigurationChanges.Describe(after, after));
    }

    [Fact]
    public void A_reload_of_nothing_but_the_loopback_user_says_so()
    {
        NodeConfiguration before = Good(Profile + "peers: [{ match: any, outgoing-calls: { handler: loopback, user: tester, password: one } }]");
        NodeConfiguration after = Good(Profile + "peers: [{ match: any, outgoing-calls: { handler: loopback, user: other, password: two } }]");
        Assert.Equal(["peer 'any' changed: outgoing-calls user 'tester' becomes 'other', outgoing-calls password changed"], ConfigurationChanges.Describe(before, after));
        Assert.Equal(["peers"], ConfigurationChanges.Sections(before, after));
    }

    [Fact]
    public void Of_entries_with_one_name_the_one_that_changed_is_told()
    {
        NodeConfiguration before = Good(Profile + "peers: [{ match: any, max-sessions: 1 }, { match: any, max-sessions: 2 }]");
        NodeConfiguration after = Good(Profile + "peers: [{ match: any, max-sessions: 1 }, { match: any, max-sessions: 3 }]");
        Assert.Equal(["peer 'any' (entry 2 of 2) changed: max-sessions 2 becomes 3"], ConfigurationChanges.Describe(before, after));
        NodeConfiguration fewer = Good(Profile + "peers: [{ match: any, max-sessions: 3 }]");
        Assert.Equal(["peer 'any' changed: 2 entries become 1"], ConfigurationChanges.Describe(after, fewer));
    }

    /// <summary>Every limit is either in force at once or named as one that needs a restart; none is forgotten.</summary>
    [Fact]
    public void Every_limit_changes_at_once_or_says_that_it_does_not()
    {
        string[] needRestart = ["tunnels", "sessions", "pending-starts", "ended-tunnels-kept", "ended-sessions-kept"];
        string[] atOnce =
        [
            "half-open-tunnels", "half-open-tunnels-per-peer", "half-open-retransmits", "pending-starts-above", "half-open-sessions",
            "authentications-in-flight", "start-rate", "start-rate-per-peer", "call-rate",
        ];
        Assert.Equal(typeof(NodeLimits).GetProperties().Length, needRestart.Length + atOnce.Length);
        NodeConfiguration before = Good(Profile);
        foreach (string key in needRestart.Concat(atOnce))
        {
            NodeConfiguration after = Good($"{Profile}limits: {{ {key}: 7 }}");
            string change = Assert.Single(ConfigurationChanges.Describe(before, after));
            string start = needRestart.Contains(key) ? "limits changed (" : "limits changed: ";
            Assert.StartsWith($"{start}{key} ", change, StringComparison.Ordinal);
            NodeLimits inForce = before.Settings.Limits.TakeOver(after.Settings.Limits);
            Assert.Equal(needRestart.Contains(key) ? before.Settings.Limits : after.Settings.Limits, inForce);
        }
    }

    [Fact]
    public void Reading_the_same_file_again_changes_nothing()
    {
        // Found by a test: the default methods were another list each time, so every reload dropped and redialled every connection.
        const string Text = Profile + """
            peers: [{ match: any, outgoing-calls: { handler: loopback } }]
            pools: [{ name: p, ipv4: 100.64.0.0/16 }]
            users: [{ name: alice, password: one, routes: [198.51.100.0/24] }]
            dial: [{ name: office, lns: [vpn.example], user: u, password: p, secret: s, routes: [198.51.100.0/24] }]
            """;
        Assert.Empty(ConfigurationChanges.Describe(Good(Text), Good(Text)));
        Assert.Equal(Good(Text).Settings.Dial.Single(), Good(Text).Settings.Dial.Single());
    }

    private static NodeConfiguration Good(string text)
    {
        Assert.Empty(ConfigurationFile.Parse("culvert.yaml", text, out NodeConfiguration? configuration));
        return configuration!;
    }
}
