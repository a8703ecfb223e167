using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

/// <summary>A link that goes on where an access concentrator stopped (RFC 2661 section 4.4.5), or does not.</summary>
public sealed class ProxyTests
{
    private static readonly byte[] ChapMd5 = [3, 5, 0xC2, 0x23, 5];
    private static readonly byte[] Magic = [5, 6, 1, 2, 3, 4];

    private static readonly ProxiedAnswer Answer = new()
    {
        Identifier = 77,
        Name = "alice"u8.ToArray(),
        Challenge = new byte[16],
        Response = new byte[16],
    };

    [Theory]
    [InlineData(AuthenticationMethod.Pap, "PAP")]
    [InlineData(AuthenticationMethod.ChapMd5, "CHAP-MD5")]
    [InlineData(AuthenticationMethod.MsChapV2, "MS-CHAPv2")]
    public void LCP_and_the_answer_are_taken_over_and_the_client_only_hears_the_verdict(AuthenticationMethod method, string name)
    {
        var user = new ProxiedUser(Links.ServerSettings(method));
        Assert.NotNull(user.Request);
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts());

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(2)), pair.Trace);
        Assert.Equal((0, 0), (frames.LcpRequests, frames.Questions));
        Assert.Equal((ProxyUse.LcpAndAuthentication, "alice", method), (server.Link.Proxy, server.Link.PeerName, server.Link.PeerMethod));
        Assert.Equal($"LCP and {name} were taken over from the LAC", server.Events[0].Text);
        Assert.Equal((1400, 1410), (server.Link.PeerMru, server.Link.LocalMru)); // what the two had told each other

        // The verdict is bound to the identifier of the proxied packet: the client waits for that one.
        byte verdict = method == AuthenticationMethod.Pap ? (byte)2 : (byte)3;
        PppProtocol protocol = method == AuthenticationMethod.Pap ? PppProtocol.Pap : PppProtocol.Chap;
        Assert.Equal([user.Request.Identifier], frames.Identifiers(true, protocol, verdict));
        Assert.Contains("taken over", server.Link.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void A_wrong_proxied_password_is_told_to_the_client(AuthenticationMethod method)
    {
        var user = new ProxiedUser(Links.ServerSettings(method));
        var server = new LinkEnd("server", Links.ServerSettings(method), Links.ServerIpcp, 11) { Password = "another" };
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts());
        pair.Run(10);

        Assert.Equal(LinkCloseReason.PeerAuthenticationFailed, server.Closed?.Reason);
        Assert.Equal(method.ProtocolNumber(), (ushort)server.Closed!.Value.Protocol);
        Assert.Equal(LinkCloseReason.LocalAuthenticationFailed, user.Client.Closed?.Reason);
        Assert.Equal((0, 0), (frames.LcpRequests, frames.Questions));
    }

    [Fact]
    public void A_lost_verdict_on_a_proxied_answer_is_given_again()
    {
        var user = new ProxiedUser(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts());
        Func<LinkEnd, byte[], bool> count = pair.Filter!;
        pair.Filter = (from, frame) => count(from, frame) && (frame is not [_, _, 0xC2, 0x23, 3, ..] || frames.Of(true, PppProtocol.Chap, 3) > 1);

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(5)), pair.Trace);
        Assert.Equal((0, 2), (frames.LcpRequests, frames.Of(true, PppProtocol.Chap, 3)));
    }

    [Fact]
    public void A_client_that_negotiates_LCP_after_all_gets_everything_anew()
    {
        var user = new ProxiedUser(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts());
        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(5)), pair.Trace);

        // Even with the very options that it had: which request the LAC acknowledged is not known here.
        server.Link.Receive(Bench.Frame(PppProtocol.Lcp, ControlCode.ConfigureRequest, 99, user.Received), pair.Now);
        Assert.Equal((PppPhase.Establish, ProxyUse.None), (server.Link.Phase, server.Link.Proxy));
        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(20)), pair.Trace);
        Assert.True(frames.LcpRequests >= 2);
        Assert.Equal((1, 1), (frames.Of(true, PppProtocol.Chap, 1), frames.Of(false, PppProtocol.Chap, 2)));
        Assert.Equal(2, server.Count(PppLinkEventKind.AuthenticationRequested));
    }

    [Fact]
    public void What_the_owner_does_not_trust_is_negotiated_anew_under_another_identifier()
    {
        var user = new ProxiedUser(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts(refusedBecause: "not wanted"));

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(20)), pair.Trace);
        Assert.Equal("LCP is negotiated anew: not wanted", server.Events[0].Text);
        Assert.Equal(ProxyUse.Renegotiated, server.Link.Proxy);
        Assert.Equal([(byte)(user.Request!.Identifier + 1)], frames.Identifiers(true, PppProtocol.Chap, 1));
        Assert.Equal(2, frames.LcpRequests);
    }

    [Fact]
    public void CHAP_without_a_proxied_answer_is_asked_anew_in_the_open_LCP()
    {
        var user = new ProxiedUser(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts(hasAnswer: false));

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(5)), pair.Trace);
        Assert.Equal((ProxyUse.Lcp, 0, 1), (server.Link.Proxy, frames.LcpRequests, frames.Of(true, PppProtocol.Chap, 1)));
    }

    [Fact]
    public void PAP_without_a_proxied_answer_needs_LCP_anew_because_the_client_has_spoken()
    {
        var user = new ProxiedUser(Links.ServerSettings(AuthenticationMethod.Pap));
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.Pap));
        (LinkPair pair, FrameCount frames) = user.MoveTo(server, user.Facts(hasAnswer: false));

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(20)), pair.Trace);
        Assert.Equal((ProxyUse.Renegotiated, 2), (server.Link.Proxy, frames.LcpRequests));
        Assert.Contains("no PAP name and password", server.Events[0].Text, StringComparison.Ordinal);
    }

    // Nokia's rule of thumb, row by row, and what else ends at the LAC.
    [Theory]
    [InlineData("0305c22305 0506aabbccdd", "0506 01020304")]
    [InlineData("0104 05d4 0305c22305", "0104 05d4")]
    [InlineData("0104 05dc 0305c22305 0506aabbccdd", "0104 05d4 0206 00000000 0506 01020304")]
    [InlineData("0206 000a0000 0305c22305 0702 0802", "0206 000a0000 0506 01020304 0702 0802")]
    [InlineData("0305c22305 0903 07 1307 03 00010203", "0903 02 1307 03 00010203")]
    [InlineData("0305c22305", "")]
    public void A_missing_MRU_or_magic_number_ACCM_and_compression_are_no_reason_to_begin_anew(string sent, string received)
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), open: false);
        bench.Link.Open(new ProxiedNegotiation { LastSent = Hex.Parse(sent), LastReceived = Hex.Parse(received), Answer = Answer }, bench.Now);

        Assert.Equal(ProxyUse.LcpAndAuthentication, bench.Link.Proxy);
        Assert.Equal(PppPhase.Authenticate, bench.Link.Phase);
        Assert.StartsWith("CHAP, Failure (0x04), id 77", bench.PullPrinted()[0], StringComparison.Ordinal); // the answer is made of zeros
    }

    [Theory]
    [InlineData("0104 0400 0305c22305", "0104", "malformed")]
    [InlineData("0305c22305 05", "", "malformed")]
    [InlineData("0305c22305", "0104 0040", "the peer's MRU is too small")]
    [InlineData("0305c22305", "0304c023", "wants to be shown who is here")]
    [InlineData("0305c22305", "1104 05dc", "the peer was promised MRRU")]
    [InlineData("0305c22305", "0408 c025 00000064", "the peer was promised Quality-Prot")]
    [InlineData("0305c22305", "0d03 06", "the peer was promised Callback")]
    [InlineData("0104 2328 0305c22305", "", "MRU 9000 is not between 128 and 1500")]
    [InlineData("0104 0040 0305c22305", "", "MRU 64 is not between 128 and 1500")]
    [InlineData("0103 05 0305c22305", "", "MRU 0 is not between")]
    [InlineData("0304c023", "", "PAP is not among the accepted authentication methods")]
    [InlineData("0305c22380", "", "MS-CHAPv1 is not among the accepted authentication methods")]
    [InlineData("0304c227", "", "EAP is not among the accepted authentication methods")]
    [InlineData("0305c22305 1104 05dc", "", "MRRU is unknown here")]
    [InlineData("0305c22305 6302", "", "option 99 is unknown here")]
    [InlineData("0506 01020304", "", "the peer was not asked to authenticate")]
    [InlineData("0305c22305 0304c023", "", "is there more than once")]
    [InlineData("0305c22305 0305c22305", "", "is there more than once")]
    [InlineData("0104 05dc 0104 0400 0305c22305", "", "is there more than once")]
    [InlineData("0305c22305", "0104 05dc 0104 0400", "is there more than once")]
    [InlineData(null, "0506 01020304", "the proxied LCP is not complete")]
    [InlineData("0305c22305", null, "the proxied LCP is not complete")]
    public void What_does_not_fit_is_negotiated_anew_and_the_reason_told(string? sent, string? received, string reason)
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), open: false);
        bench.Link.Open(
            new ProxiedNegotiation
            {
                LastSent = sent is null ? null : (ReadOnlyMemory<byte>?)new ReadOnlyMemory<byte>(Hex.Parse(sent)),
                LastReceived = received is null ? null : (ReadOnlyMemory<byte>?)new ReadOnlyMemory<byte>(Hex.Parse(received)),
                Answer = Answer,
            },
            bench.Now);

        Assert.StartsWith("LCP, Conf-Request", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        Assert.Contains(reason, Assert.Single(bench.End.Events, e => e.Kind == PppLinkEventKind.ProxyJudged).Text, StringComparison.Ordinal);
        Assert.Equal((ProxyUse.Renegotiated, PppPhase.Establish), (bench.Link.Proxy, bench.Link.Phase));
    }

    [Fact]
    public void An_answer_of_another_size_is_none_and_the_client_is_challenged()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), open: false);
        var answer = new ProxiedAnswer { Identifier = 255, Name = "alice"u8.ToArray(), Challenge = new byte[16], Response = new byte[49] };
        bench.Link.Open(new ProxiedNegotiation { LastSent = ChapMd5, LastReceived = Magic, Answer = answer }, bench.Now);
        Assert.Equal(ProxyUse.Lcp, bench.Link.Proxy);
        Assert.StartsWith("CHAP, Challenge (0x01), id 0,", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_nobody_must_authenticate_LCP_alone_is_taken_over()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()), open: false);
        bench.Link.Open(new ProxiedNegotiation { LastSent = Magic, LastReceived = Magic }, bench.Now);
        Assert.Equal((ProxyUse.Lcp, PppPhase.Network), (bench.Link.Proxy, bench.Link.Phase));
        Assert.StartsWith("IPCP, Conf-Request", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
    }

    [Fact]
    public void The_magic_number_and_the_compression_of_the_LAC_are_gone_on_with()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), open: false);
        bench.End.IsAutomatic = false;
        bench.Link.Open(
            new ProxiedNegotiation { LastSent = Hex.Parse("0305c22305 0506aabbccdd"), LastReceived = Hex.Parse("0104 0578 0702 0802"), Answer = Answer },
            bench.Now);
        _ = bench.Pull();
        bench.Give(PppProtocol.Lcp, ControlCode.EchoRequest, 4, 0, 0, 0, 0);
        Assert.Contains("aabbccdd", Convert.ToHexStringLower(Assert.Single(bench.Pull())), StringComparison.Ordinal);
        Assert.Equal((1400, new PppFraming(Acfc: true, Pfc: true)), (bench.Link.PeerMru, bench.Link.TransmitFraming));
    }

    [Fact]
    public void A_second_life_of_the_link_knows_nothing_of_the_first()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), open: false);
        bench.End.IsAutomatic = false;
        bench.Link.Open(new ProxiedNegotiation { LastSent = ChapMd5, LastReceived = Magic, Answer = Answer }, bench.Now);
        bench.Link.LowerLayerDown("gone", bench.Now);
        _ = bench.Pull();
        bench.Link.Open(bench.Now);
        Assert.StartsWith("LCP, Conf-Request", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        Assert.Equal(ProxyUse.None, bench.Link.Proxy);
        Assert.DoesNotContain("alice", Answer.ToString(), StringComparison.Ordinal);
    }
}
