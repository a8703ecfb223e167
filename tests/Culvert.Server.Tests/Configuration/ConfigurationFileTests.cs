using Culvert.Core;
using Culvert.Linux;
using Culvert.Ppp.Authentication;
using Culvert.Server.Configuration;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Tests.Configuration;

public sealed class ConfigurationFileTests
{
    private static NodeConfiguration Good(string text)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse("culvert.yaml", text, out NodeConfiguration? configuration);
        Assert.Empty(errors);
        return configuration!;
    }

    private static string[] Bad(string text)
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Parse("culvert.yaml", text, out NodeConfiguration? configuration);
        Assert.Null(configuration);
        return [.. errors.Select(e => e.ToString())];
    }

    [Fact]
    public void The_example_file_of_the_repository_is_good()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Culvert.slnx")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        foreach (string example in Directory.GetFiles(Path.Combine(root, "examples"), "*.yaml"))
        {
            Assert.Empty(ConfigurationFile.Load(example, out NodeConfiguration? configuration));
            Assert.NotNull(configuration);
        }
    }

    [Theory]
    [InlineData("- [\nt")]
    [InlineData("a: {\n  b: [\nc")]
    [InlineData("    : \n    l: {}\n    : ")]
    public void What_the_YAML_library_stumbles_over_is_an_error_with_a_place(string text)
    {
        string error = Assert.Single(Bad(text));
        Assert.Matches(@"^culvert\.yaml:\d+:\d+: .", error);
    }

    [Theory]
    [InlineData("304334341h")]
    [InlineData("2147483647d")]
    public void A_duration_beyond_all_time_is_none(string text) => Assert.False(DurationText.TryParse(text, out _));

    [Theory]
    [InlineData("auto", TunOffloads.All, true, true, true)]
    [InlineData("none", TunOffloads.None, false, false, false)]
    [InlineData("[tun-checksum, receive]", TunOffloads.Checksum, false, false, true)]
    [InlineData("[tun-tcp, tun-calls]", TunOffloads.Checksum | TunOffloads.Tcp | TunOffloads.TcpEcn, true, false, false)]
    [InlineData("[tun-udp, send]", TunOffloads.Checksum | TunOffloads.Udp, false, true, false)]
    [InlineData("[tun-calls]", TunOffloads.None, true, false, false)]
    public void Offloads_are_chosen_by_name(string written, TunOffloads tun, bool joinTunCalls, bool joinSent, bool joinReceived) => Assert.Equal(
        new OffloadSettings { Tun = tun, JoinTunCalls = joinTunCalls, JoinSent = joinSent, JoinReceived = joinReceived },
        Good($"forwarding: {{ offload: {written} }}").Forwarding.Offload);

    [Theory]
    [InlineData("all", "'all' is no choice; write auto, none, or a list of tun-checksum, tun-tcp, tun-udp, tun-calls, send and receive")]
    [InlineData("[send, uring]", "'uring' is no offload; write auto, none, or a list of tun-checksum, tun-tcp, tun-udp, tun-calls, send and receive")]
    public void An_offload_that_there_is_not_is_answered_with_those_that_there_are(string written, string expected) =>
        Assert.Contains(expected, Assert.Single(Bad($"forwarding: {{ offload: {written} }}")), StringComparison.Ordinal);

    [Fact]
    public void Every_key_reaches_its_setting()
    {
        NodeConfiguration c = Good("""
            node: lns1
            listen: [192.0.2.1:1702, "[2001:db8::1]"]
            interface: { name: subs0, mtu: 1400 }
            limits: { tunnels: 10, sessions: 20, half-open-tunnels: 3, half-open-tunnels-per-peer: 2, half-open-sessions: 4 }
            peers:
              - match: { host-name: "lac*.carrier.example", address: 192.0.2.0/24 }
                secret: s3
                hide-avps: true
                hello: 90s
                max-sessions: 100
                profile: work
                proxy-authentication: renegotiate
              - match: any
            profiles:
              - { name: home, authentication: [mschapv2, chap], pool: default, dns: [192.0.2.53, 192.0.2.54], idle-timeout: 30m }
              - { name: work, authentication: pap, session-timeout: 1d, echo-interval: 10s, echo-failures: 2, mru: 1400 }
            pools:
              - { name: default, ipv4: 100.64.0.0/16, gateway: 100.64.255.1 }
            users:
              - { name: alice, password: correct-horse, ipv4: 100.64.9.9, routes: [198.51.100.0/24], profile: work }
            dial:
              - { name: office, lns: [vpn.example, "192.0.2.9:1703"], user: branch7, password: pw, secret: t, routes: [198.51.100.0/24], default-route: true, interface: office0 }
            api: { socket: /tmp/x.sock }
            """);

        Assert.Equal("lns1", c.Settings.NodeName);
        Assert.Equal(["192.0.2.1:1702", "[2001:db8::1]:1701"], c.Listen.Select(l => l.ToString()));
        Assert.Equal(("subs0", 1400), (c.Interface.Name, c.Interface.Mtu));
        Assert.Equal("/tmp/x.sock", c.Api.Socket);
        Assert.Equal((10, 20, 3, 2, 4), (c.Settings.Limits.Tunnels, c.Settings.Limits.Sessions, c.Settings.Limits.HalfOpenTunnels, c.Settings.Limits.HalfOpenTunnelsPerPeer, c.Settings.Limits.HalfOpenSessions));

        var peer = c.Settings.Peers[0];
        Assert.Equal(("lac*.carrier.example", IpPrefix.Parse("192.0.2.0/24")), (peer.HostName, peer.Address));
        Assert.Equal(new Secret("s3"), peer.Secret);
        Assert.Equal([ProxyPolicy.Renegotiate, ProxyPolicy.Accept], c.Settings.Peers.Select(p => p.ProxyAuthentication));
        Assert.Equal((true, TimeSpan.FromSeconds(90), 100, "work"), (peer.HideAvps, peer.Hello, peer.MaxSessions, peer.Profile));
        Assert.True(peer.Matches(IpAddress.Parse("192.0.2.7"), "LAC12.carrier.example"));
        Assert.False(peer.Matches(IpAddress.Parse("198.51.100.7"), "lac12.carrier.example"));
        Assert.False(peer.Matches(IpAddress.Parse("192.0.2.7"), "other.example"));

        Assert.Equal([AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5], c.Settings.Profiles[0].Authentication);
        Assert.Equal((TimeSpan.FromMinutes(30), "default"), (c.Settings.Profiles[0].IdleTimeout, c.Settings.Profiles[0].Pool));
        Assert.Equal([AuthenticationMethod.Pap], c.Settings.Profiles[1].Authentication);
        Assert.Equal((TimeSpan.FromDays(1), TimeSpan.FromSeconds(10), 2, 1400), (c.Settings.Profiles[1].SessionTimeout, c.Settings.Profiles[1].EchoInterval, c.Settings.Profiles[1].EchoFailures, c.Settings.Profiles[1].Mru));
        Assert.Equal(IpAddress.Parse("100.64.255.1"), c.Settings.Pools[0].Gateway);
        Assert.Equal((IpAddress.Parse("100.64.9.9"), "work"), (c.Settings.Users[0].Ipv4, c.Settings.Users[0].Profile));
        Assert.Equal(["vpn.example", "192.0.2.9:1703"], c.Settings.Dial[0].Lns);
        Assert.Equal((true, "office0", "branch7"), (c.Settings.Dial[0].DefaultRoute, c.Settings.Dial[0].Interface, c.Settings.Dial[0].User));
    }

    [Fact]
    public void Every_error_is_reported_at_once_with_its_place()
    {
        string[] errors = Bad("""
            listne: [0.0.0.0:1701]
            listen: [nonsense:1701]
            peers:
              - match: { host-name: "*", adress: 192.0.2.0/24 }
                hello: 60
                profile: homme
              - profile: home
            profiles:
              - { name: home, authentication: [mschap], pool: defualt, mru: 99 }
            pools:
              - { name: default, ipv4: 100.64.0.1/16 }
            users:
              - { name: alice }
            """);

        Assert.Equal(
            [
                "culvert.yaml:1:1: unknown key 'listne' in the file; did you mean 'listen'?",
                "culvert.yaml:2:10: 'nonsense:1701' is not an address and port such as 0.0.0.0:1701 or \"[::]:1701\"",
                "culvert.yaml:4:30: unknown key 'adress' in 'match'; did you mean 'address'?",
                "culvert.yaml:5:12: hello: '60' is not a duration such as 500ms, 60s, 30m or 12h (0 for never)",
                "culvert.yaml:6:14: profile: there is no profile 'homme'; profiles: home",
                "culvert.yaml:7:5: this entry of 'peers' lacks 'match'; write match: any, or match: { host-name: \"lac*\", address: 192.0.2.0/24 }",
                "culvert.yaml:9:36: 'mschap' is no authentication method; methods: pap, chap, mschapv2",
                "culvert.yaml:9:51: pool: there is no pool 'defualt'; pools: default",
                "culvert.yaml:9:65: mru: '99' is not a number from 576 to 65535",
                "culvert.yaml:11:28: '100.64.0.1/16' is not a network such as 192.0.2.0/24 (no bits may be set behind the prefix length)",
                "culvert.yaml:13:5: user 'alice' lacks 'password' (or 'password-file')",
            ],
            errors);
    }

    [Theory]
    [InlineData("listen: [0.0.0.0:1701", "culvert.yaml:2:1: While parsing a flow sequence")]
    [InlineData("- a\n- b", "culvert.yaml:1:1: the file consists of key: value pairs")]
    [InlineData("node: a\nnode: b", "culvert.yaml:2:1: ")]
    [InlineData("peers: [{match: any, hide-avps: true}]\nprofiles: [{name: x}]", "hiding needs a shared secret")]
    [InlineData("peers: [{match: any, proxy-authentication: maybe}]\nprofiles: [{name: x}]", "'maybe' is neither accept nor renegotiate")]
    [InlineData("pools: [{name: a, ipv4: 100.64.0.0/16}, {name: b, ipv4: 100.64.9.0/24}]", "overlap")]
    [InlineData("pools: [{name: a, ipv4: 100.64.0.0/16}, {name: a, ipv4: 100.65.0.0/16}]", "used more than once")]
    [InlineData("peers: [{match: any}]", "sessions need a profile")]
    [InlineData("users: [{name: a, password-file: nowhere}]", "cannot read nowhere")]
    [InlineData("pools: [{name: a, ipv4: 100.64.0.0/8}]", "100.64.0.0/8")]
    public void Each_mistake_is_named(string text, string part) => Assert.Contains(Bad(text), e => e.Contains(part, StringComparison.Ordinal));

    [Fact]
    public void A_file_that_is_absent_is_an_error_like_any_other()
    {
        IReadOnlyList<ConfigurationError> errors = ConfigurationFile.Load("no-such-file.yaml", out NodeConfiguration? configuration);
        Assert.Null(configuration);
        Assert.StartsWith("no-such-file.yaml:1:1: cannot be read", errors.Single().ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_come_from_files_relative_to_the_configuration()
    {
        string folder = Directory.CreateTempSubdirectory("culvert-test").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "alice.pw"), "correct-horse\n");
            string file = Path.Combine(folder, "culvert.yaml");
            File.WriteAllText(file, "users: [{ name: alice, password-file: alice.pw }]");
            Assert.Empty(ConfigurationFile.Load(file, out NodeConfiguration? configuration));
            Assert.Equal("correct-horse", configuration!.Settings.Users[0].Password);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Without_listen_both_families_listen_on_1701_unless_the_node_only_dials()
    {
        Assert.Equal(["0.0.0.0:1701", "[::]:1701"], Good("node: x").Listen.Select(l => l.ToString()));
        Assert.Empty(Good("dial: [{ name: office, lns: vpn.example, user: u, password: p }]").Listen);
    }

    [Fact]
    public void A_link_local_address_needs_its_interface()
    {
        Assert.Equal((IpAddress.Parse("fe80::1%1"), (ushort)1702), Good("listen: \"[fe80::1%lo]:1702\"").Listen.Select(l => (l.Address, l.Port)).Single());
        Assert.Contains("'fe80::1' is link-local and names no interface", Assert.Single(Bad("listen: \"[fe80::1]:1702\"")), StringComparison.Ordinal);
        Assert.Contains("'fe80::1%nolink' is link-local and names no interface", Assert.Single(Bad("listen: \"[fe80::1%nolink]:1702\"")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("60s", 60_000)]
    [InlineData("30m", 1_800_000)]
    [InlineData("12h", 43_200_000)]
    [InlineData("7d", 604_800_000)]
    [InlineData("0", 0)]
    public void Durations_read(string text, long milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out TimeSpan duration));
        Assert.Equal(milliseconds, (long)duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData(0.25, "250ms")]
    [InlineData(45, "45s")]
    [InlineData(125, "2m05s")]
    [InlineData(180, "3m")]
    [InlineData(3_720, "1h02m")]
    [InlineData(187_200, "2d04h")]
    public void Durations_print(double seconds, string text) => Assert.Equal(text, DurationText.Format(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("vpn.example", "vpn.example", 1701)]
    [InlineData("vpn.example:99", "vpn.example", 99)]
    [InlineData("2001:db8::1", "2001:db8::1", 1701)]
    [InlineData("[2001:db8::1]:99", "2001:db8::1", 99)]
    public void Hosts_with_and_without_port(string text, string host, int port)
    {
        Assert.True(HostPort.TryParse(text, 1701, out string readHost, out ushort readPort));
        Assert.Equal((host, port), (readHost, (int)readPort));
    }

    [Theory]
    [InlineData("")]
    [InlineData(":99")]
    [InlineData("host:")]
    [InlineData("host:99999")]
    [InlineData("[2001:db8::1")]
    [InlineData("[::1]x")]
    public void Malformed_hosts_are_refused(string text) => Assert.False(HostPort.TryParse(text, 1701, out _, out _));
}
