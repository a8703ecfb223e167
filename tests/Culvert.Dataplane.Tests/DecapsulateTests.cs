using Culvert.Core;

namespace Culvert.Dataplane.Tests;

public class DecapsulateTests
{
    // A UDP packet of 28 octets from 100.64.9.9 to 203.0.113.80, and an empty IPv6 one; checksums typed in by hand.
    private const string Ping4 = "4500001C 00000000 40110000 64400909 CB007150 C0000035 00080000";
    private const string Ping6 = "60000000 00003B40 20010DB8010000090000000000000009 20010DB8FFFF00000000000000000080";

    // RFC 2661 section 3.1: every combination of L, S, O and P, to tunnel 1234 session 5678.
    public static TheoryData<string, string> Headers => new()
    {
        { "none", "0002 1234 5678" },
        { "P", "0102 1234 5678" },
        { "O size 0", "0202 1234 5678 0000" },
        { "O size 4", "0202 1234 5678 0004 DEADBEEF" },
        { "O P", "0302 1234 5678 0001 FF" },
        { "S", "0802 1234 5678 0007 0000" },
        { "S P", "0902 1234 5678 0007 BEEF" },
        { "S O", "0A02 1234 5678 0007 0000 0002 AAAA" },
        { "S O P", "0B02 1234 5678 0007 0000 0000" },
        { "L", "4002 LLLL 1234 5678" },
        { "L P", "4102 LLLL 1234 5678" },
        { "L O", "4202 LLLL 1234 5678 0003 010203" },
        { "L O P", "4302 LLLL 1234 5678 0000" },
        { "L S", "4802 LLLL 1234 5678 0007 FFFF" },
        { "L S P", "4902 LLLL 1234 5678 0007 0000" },
        { "L S O", "4A02 LLLL 1234 5678 0007 0000 0000" },
        { "L S O P", "4B02 LLLL 1234 5678 0007 0000 0008 FF03002145FF0321" },
        { "reserved bits", "34F2 1234 5678" },
    };

    public static byte[] Golden(string header, string ppp)
    {
        string text = header + ppp;
        int length = text.Replace(" ", "", StringComparison.Ordinal).Length / 2;
        return Bench.Hex(text.Replace("LLLL", length.ToString("X4"), StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Headers))]
    public void Every_form_of_header_and_framing_delivers_the_packet(string name, string header)
    {
        foreach (string ppp in new[] { "FF03 0021", "0021", "FF03 21", "21" })
        {
            var rig = new Rig();
            byte[] frame = Golden(header, ppp + Ping4);
            Verdict verdict = rig.Forwarder.Decapsulate(frame, Bench.Path);
            Assert.True(verdict.Kind == VerdictKind.Deliver, $"{name} {ppp}: {verdict}");
            Assert.Equal(Bench.Hex(Ping4), frame[verdict.Offset..(verdict.Offset + verdict.Length)]);
            Assert.Equal(Bench.Key, verdict.Session);
            Assert.Equal(name.Contains('S'), verdict.HasSequence);
            Assert.Equal(name.Contains('S') ? 7 : 0, verdict.Ns);
            Assert.Equal((1, 28), (rig.Counters().PacketsReceived, rig.Counters().OctetsReceived));
        }
    }

    [Theory, MemberData(nameof(Headers))]
    public void Other_protocols_go_to_the_link_with_everything_in_front(string name, string header)
    {
        foreach (string ppp in new[] { "FF03 C021 01010004", "C021 01010004", "FF03 80FD 0102", "8021 05", "FF03 29 00" })
        {
            byte[] frame = Golden(header, ppp);
            Verdict verdict = new Rig().Forwarder.Decapsulate(frame, Bench.Path);
            Assert.True(verdict.Kind == VerdictKind.PppControl, $"{name} {ppp}: {verdict}");
            Assert.Equal(Bench.Hex(ppp), frame[verdict.Offset..(verdict.Offset + verdict.Length)]);
        }
    }

    [Theory]
    [InlineData("FF03 0057")]
    [InlineData("57")]
    public void IPv6_is_delivered(string ppp)
    {
        byte[] frame = Golden("0002 1234 5678", ppp + Ping6);
        Verdict verdict = new Rig().Forwarder.Decapsulate(frame, Bench.Path);
        Assert.Equal(VerdictKind.Deliver, verdict.Kind);
        Assert.Equal(Bench.Hex(Ping6), frame[verdict.Offset..]);
    }

    [Fact]
    public void Control_messages_are_handed_over_whole()
    {
        byte[] zlb = Bench.Hex("C802 000C 1234 0000 0001 0002");
        Verdict verdict = new Rig().Forwarder.Decapsulate(zlb, Bench.Path);
        Assert.Equal((VerdictKind.Control, 0, 12), (verdict.Kind, verdict.Offset, verdict.Length));
    }

    public static TheoryData<string, DropReason> Refused => new()
    {
        { "", DropReason.Truncated },
        { "00", DropReason.Truncated },
        { "0002 1234 56", DropReason.Truncated },
        { "4802 0010 1234 5678 0000 00", DropReason.Truncated },
        { "0202 1234 5678", DropReason.Truncated },
        { "0001 1234 5678", DropReason.VersionL2f },
        { "8009 1234 5678", DropReason.VersionL2f },
        { "C803 0014 00000000 0000 0000", DropReason.VersionL2tpv3 },
        { "0000 1234 5678", DropReason.VersionUnknown },
        { "0004 1234 5678", DropReason.VersionUnknown },
        { "000A 1234 5678", DropReason.VersionUnknown },
        { "0202 1234 5678 0005 00000000", DropReason.MalformedHeader },
        { "4002 0007 1234 5678 0021", DropReason.MalformedHeader },
        { "4002 000B 1234 5678 0021", DropReason.MalformedHeader },
        { "0002 1234 5679 0021", DropReason.UnknownSession },
        { "0002 1235 5678 0021", DropReason.UnknownSession },
        { "0002 1234 0000 0021", DropReason.UnknownSession },
        { "0002 0000 0000 0021", DropReason.UnknownSession },
        { "0002 1234 5678", DropReason.MalformedPpp },
        { "0002 1234 5678 FF03", DropReason.MalformedPpp },
        { "0002 1234 5678 00", DropReason.MalformedPpp },
        { "0002 1234 5678 FF03 0020", DropReason.MalformedPpp },
        { "0002 1234 5678 FF03 0021", DropReason.MalformedIp },
        { "0002 1234 5678 0021" + Ping6, DropReason.MalformedIp },
        { "0002 1234 5678 0057" + Ping4, DropReason.MalformedIp },
        { "0002 1234 5678 0021 4400001C 00000000 40110000 64400909 CB007150 C0000035 00080000", DropReason.MalformedIp },
        { "0002 1234 5678 0021 4500001D 00000000 40110000 64400909 CB007150 C0000035 00080000", DropReason.MalformedIp },
        { "0002 1234 5678 0021 45000013 00000000 40110000 64400909 CB007150 C0000035 00080000", DropReason.MalformedIp },
        { "0002 1234 5678 0021 4F00001C 00000000 40110000 64400909 CB007150 C0000035 00080000", DropReason.MalformedIp },
        { "0002 1234 5678 0021 4500001C 00000000 40110000 64400908 CB007150 C0000035 00080000", DropReason.SourceNotAllowed },
        { "0002 1234 5678 0021 4500001C 00000000 40110000 00000000 FFFFFFFF C0000035 00080000", DropReason.SourceNotAllowed },
    };

    [Theory, MemberData(nameof(Refused))]
    public void What_is_not_sound_is_dropped_with_its_reason(string text, DropReason reason)
    {
        var rig = new Rig();
        Verdict verdict = rig.Forwarder.Decapsulate(Bench.Hex(text), Bench.Path);
        Assert.Equal((VerdictKind.Dropped, reason), (verdict.Kind, verdict.Reason));
        Assert.Equal(1, rig.Forwarder.Counters.Drops(reason));
        if ((int)reason < DropReasons.PerSessionCount)
        {
            Assert.Equal(1, rig.Counters().Drops(reason));
        }

        Assert.Equal((int)reason < DropReasons.PerSessionCount ? 1 : 0, rig.Counters().DropsTotal);
        Assert.Equal(0, rig.Counters().PacketsReceived);
    }

    [Fact]
    public void Octets_after_the_length_and_padding_after_the_packet_are_left_behind()
    {
        byte[] padded = [.. Golden("4002 LLLL 1234 5678", "0021" + Ping4 + "0000"), 9, 9, 9];
        Verdict verdict = new Rig().Forwarder.Decapsulate(padded, Bench.Path);
        Assert.Equal((VerdictKind.Deliver, 28), (verdict.Kind, verdict.Length));
    }

    [Fact]
    public void Another_address_port_or_mark_is_not_the_peer()
    {
        PeerEndpoint peer = Bench.Path.Peer;
        UdpPath[] strangers =
        [
            Bench.OtherPath,
            Bench.Path with { Peer = peer with { Port = 1702 } },
            Bench.Path with { Peer = peer with { Mark = 1 } },
            Bench.Path with { Peer = peer with { Address = IpAddress.FromIPv6(0, peer.Address.ToUInt32()) } },
        ];
        foreach (UdpPath stranger in strangers)
        {
            Assert.Equal(DropReason.WrongPath, new Rig().Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), stranger).Reason);
            var follows = new Rig(Bench.Session() with { Policies = SessionPolicies.FollowPeer });
            Verdict verdict = follows.Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), stranger);
            Assert.Equal((VerdictKind.Deliver, true), (verdict.Kind, verdict.PathChanged));
        }

        // The local address may differ: an answer takes the new one after an update, nothing is at stake before.
        Assert.False(new Rig().Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), Bench.Path with { Local = default }).PathChanged);

        // The same link-local address on another link is another peer.
        var near = new UdpPath(IpAddress.Parse("fe80::1%2"), new PeerEndpoint(IpAddress.Parse("fe80::7%2"), 1701));
        Rig local = new(Bench.Session() with { Path = near });
        Assert.Equal(VerdictKind.Deliver, local.Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), near).Kind);
        UdpPath far = near with { Peer = near.Peer with { Address = near.Peer.Address with { Scope = 3 } } };
        Assert.Equal(DropReason.WrongPath, local.Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), far).Reason);
    }

    [Fact]
    public void A_reserved_session_reports_early_frames_and_a_pending_one_lets_control_through()
    {
        var rig = new Rig(Bench.Session() with { State = SessionState.Pending });
        Assert.True(rig.Sessions.TryReserve(9, out ushort early));
        Verdict verdict = rig.Forwarder.Decapsulate(Bench.Frame(Bench.Hex("FF03C021 01010004"), tunnel: 9, session: early), Bench.OtherPath);
        Assert.Equal((VerdictKind.Early, new SessionKey(9, early), 6, 8), (verdict.Kind, verdict.Session, verdict.Offset, verdict.Length));

        Assert.Equal(VerdictKind.PppControl, rig.Forwarder.Decapsulate(Golden("0002 1234 5678", "C02109"), Bench.Path).Kind);
        Assert.Equal(DropReason.WrongPath, rig.Forwarder.Decapsulate(Golden("0002 1234 5678", "C02109"), Bench.OtherPath).Reason);
        Assert.Equal(DropReason.NotForwarding, rig.Forwarder.Decapsulate(Golden("0002 1234 5678", "21" + Ping4), Bench.Path).Reason);
    }

    [Fact]
    public void A_subscriber_sends_only_from_what_routes_to_it()
    {
        var rig = new Rig();
        SessionForwarding neighbour = Bench.Session() with { LocalSessionId = 99, SourceIPv4 = IpAddress.Parse("100.64.9.10") };
        Assert.True(rig.Sessions.TryInstall(neighbour));
        Assert.True(rig.Routes.TryAdd(IpPrefix.Parse("198.51.100.0/24"), Bench.Key));
        Assert.True(rig.Routes.TryAdd(IpPrefix.Parse("198.51.100.128/25"), neighbour.Key));
        Assert.True(rig.Routes.TryAdd(IpPrefix.Parse("2001:db8:8000:900::/56"), Bench.Key));
        (string Source, VerdictKind Kind)[] cases =
        [
            ("100.64.9.9", VerdictKind.Deliver),
            ("100.64.9.10", VerdictKind.Dropped),
            ("198.51.100.5", VerdictKind.Deliver),
            ("198.51.100.200", VerdictKind.Dropped),
            ("203.0.113.80", VerdictKind.Dropped),
            ("2001:db8:100:9::77", VerdictKind.Deliver),
            ("2001:db8:100:a::77", VerdictKind.Dropped),
            ("2001:db8:8000:9ff::1", VerdictKind.Deliver),
            ("2001:db8:8000:a00::1", VerdictKind.Dropped),
            ("fe80::1", VerdictKind.LinkScope),
            ("::", VerdictKind.LinkScope),
        ];
        foreach ((string source, VerdictKind kind) in cases)
        {
            var from = IpAddress.Parse(source);
            byte[] packet = from.IsIPv4 ? Bench.IPv4(from, Bench.Server, 17, new byte[8]) : Bench.IPv6(from, Bench.Server6, 17, new byte[8]);
            Verdict verdict = rig.Forwarder.Decapsulate(Bench.Frame(Bench.Ppp(packet)), Bench.Path);
            Assert.True(verdict.Kind == kind, $"{source}: {verdict}");
        }

        Assert.Equal(5, rig.Counters().Drops(DropReason.SourceNotAllowed));
        var dial = new Rig(Bench.Session() with { Policies = SessionPolicies.AnySource });
        byte[] anything = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Server, Bench.Subscriber, 17, new byte[8])));
        Assert.Equal(VerdictKind.Deliver, dial.Forwarder.Decapsulate(anything, Bench.Path).Kind);
    }

    [Theory]
    [InlineData("255.255.255.255")]
    [InlineData("224.0.0.22")]
    [InlineData("ff02::2")]
    [InlineData("fe80::1")]
    public void What_belongs_to_the_link_does_not_reach_the_network(string destination)
    {
        var to = IpAddress.Parse(destination);
        byte[] packet = to.IsIPv4 ? Bench.IPv4(Bench.Subscriber, to, 17, new byte[8]) : Bench.IPv6(Bench.Subscriber6, to, 58, new byte[8]);
        Assert.Equal(VerdictKind.LinkScope, new Rig().Forwarder.Decapsulate(Bench.Frame(Bench.Ppp(packet)), Bench.Path).Kind);
    }

    [Fact]
    public void Packets_over_the_receive_limit_are_dropped()
    {
        var rig = new Rig(Bench.Session() with { ReceiveLimit = 100 });
        byte[] fits = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[80])));
        byte[] over = Bench.Frame(Bench.Ppp(Bench.IPv4(Bench.Subscriber, Bench.Server, 17, new byte[81])));
        Assert.Equal(VerdictKind.Deliver, rig.Forwarder.Decapsulate(fits, Bench.Path).Kind);
        Assert.Equal(DropReason.TooLong, rig.Forwarder.Decapsulate(over, Bench.Path).Reason);
    }
}
