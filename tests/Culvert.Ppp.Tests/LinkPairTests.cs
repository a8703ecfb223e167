using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp.Tests;

/// <summary>A server and a client, over good and bad paths.</summary>
public sealed class LinkPairTests
{
    public static TheoryData<AuthenticationMethod?> Methods() =>
        new((AuthenticationMethod?)null, AuthenticationMethod.Pap, AuthenticationMethod.ChapMd5, AuthenticationMethod.MsChapV2);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Comes_up_and_agrees(AuthenticationMethod? method)
    {
        LinkPair pair = Links.UpPair(method is { } m ? Links.ServerSettings(m) : Links.ServerSettings());

        AssertAgreement(pair);
        Assert.Equal(method, pair.Left.Link.PeerMethod);
        Assert.Equal(method, pair.Right.Link.LocalMethod);
        Assert.Equal(method is null ? "" : "alice", pair.Left.Link.PeerName);
        Assert.True(pair.Now < Timestamp.FromMilliseconds(1100), "no timer may be needed on a good path");
    }

    [Fact]
    public void Both_ends_authenticate_each_other()
    {
        PppLinkSettings left = new()
        {
            AuthenticatePeer = [AuthenticationMethod.MsChapV2],
            Credentials = new AuthenticationCredentials("lns", "correct-horse"),
        };
        PppLinkSettings right = new()
        {
            AuthenticatePeer = [AuthenticationMethod.ChapMd5],
            Credentials = new AuthenticationCredentials("alice", "correct-horse"),
        };

        LinkPair pair = Links.UpPair(left, right);

        Assert.Equal(("alice", "lns"), (pair.Left.Link.PeerName, pair.Right.Link.PeerName));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(20)]
    [InlineData(30)]
    public void Comes_up_over_a_path_that_loses_doubles_and_reorders(int loss)
    {
        int restarts = 0;
        for (ulong seed = 1; seed <= 120; seed++)
        {
            AuthenticationMethod method = (AuthenticationMethod)(seed % 3);
            var pair = new LinkPair(
                Links.Server(Patient(Links.ServerSettings(method)), seed: seed + 1000),
                Links.Client(Patient(Links.ClientSettings()), seed: seed + 2000),
                seed)
            {
                LossPercent = loss,
                DuplicatePercent = loss,
                JitterMilliseconds = 20,
            };
            pair.Open();
            bool isUp = pair.Run(() => Links.BothUp(pair) || pair.Left.Closed is not null || pair.Right.Closed is not null, TimeSpan.FromMinutes(3));
            Assert.True(isUp && Links.BothUp(pair), $"seed {seed}, {method}:\n{pair.Trace}");

            // Both must stay up once what is under way has arrived.
            _ = pair.Run(5);
            _ = pair.Run(() => Links.BothUp(pair), TimeSpan.FromMinutes(1));
            Assert.True(Links.BothUp(pair), $"seed {seed}, {method}:\n{pair.Trace}");
            AssertAgreement(pair);
            restarts += pair.Left.Count(PppLinkEventKind.NetworkDown);
        }

        Assert.True(restarts < 12, $"{restarts} of 120 links went down again while they came up");
    }

    [Fact]
    public void A_wrong_password_ends_both_links_with_the_reason_and_the_user()
    {
        foreach (AuthenticationMethod method in Enum.GetValues<AuthenticationMethod>())
        {
            LinkEnd server = new("server", Links.ServerSettings(method), Links.ServerIpcp, 1) { Password = "other" };
            var pair = new LinkPair(server, Links.Client());
            pair.Open();

            Assert.True(pair.Run(() => pair.Left.Closed is not null && pair.Right.Closed is not null, TimeSpan.FromSeconds(20)), pair.Trace);
            Assert.Equal(LinkCloseReason.PeerAuthenticationFailed, pair.Left.Closed!.Value.Reason);
            Assert.Contains("alice", pair.Left.Closed.Value.Text, StringComparison.Ordinal);
            Assert.Equal(LinkCloseReason.LocalAuthenticationFailed, pair.Right.Closed!.Value.Reason);
            Assert.Contains("alice", pair.Right.Closed.Value.Text, StringComparison.Ordinal);
            Assert.Equal(PppPhase.Dead, pair.Left.Link.Phase);
            Assert.Equal(Timestamp.Never, pair.Left.Link.NextDeadline);
        }
    }

    [Fact]
    public void The_method_falls_back_to_one_that_both_have()
    {
        LinkPair pair = Links.UpPair(
            Links.ServerSettings(AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap),
            Links.ClientSettings(AuthenticationMethod.Pap));

        Assert.Equal(AuthenticationMethod.Pap, pair.Left.Link.PeerMethod);
    }

    [Fact]
    public void No_method_in_common_ends_with_that_reason()
    {
        LinkEnd closed = RunToEnd(Links.ServerSettings(AuthenticationMethod.MsChapV2), Links.ClientSettings(AuthenticationMethod.Pap)).Left;

        Assert.Equal(LinkCloseReason.AuthenticationRefused, closed.Closed!.Value.Reason);
        Assert.Contains("the peer proposes PAP", closed.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_without_credentials_refuses_and_that_is_the_reason()
    {
        LinkPair pair = RunToEnd(Links.ServerSettings(AuthenticationMethod.MsChapV2), new PppLinkSettings());

        Assert.Equal(LinkCloseReason.AuthenticationRefused, pair.Left.Closed!.Value.Reason);
        Assert.Equal(LinkCloseReason.PeerTerminated, pair.Right.Closed!.Value.Reason);
        Assert.Contains("refuses to authenticate", pair.Right.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Closing_tells_the_peer_why_and_ends_in_order()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.Close(LinkCloseReason.Administrative, "session time is over", pair.Now);
        Assert.True(pair.Run(() => pair.Left.Closed is not null && pair.Right.Closed is not null, TimeSpan.FromSeconds(5)), pair.Trace);

        Assert.Equal(LinkCloseReason.Administrative, pair.Left.Closed!.Value.Reason);
        Assert.Equal("session time is over", pair.Left.Closed.Value.Text);
        Assert.Equal(LinkCloseReason.PeerTerminated, pair.Right.Closed!.Value.Reason);
        Assert.Contains("session time is over", pair.Right.Closed.Value.Text, StringComparison.Ordinal);
        Assert.Equal(1, pair.Right.Count(PppLinkEventKind.NetworkDown));
        Assert.Equal(PppLinkEventKind.Closed, pair.Right.Events[^1].Kind);
    }

    [Fact]
    public void Closing_towards_a_silent_peer_ends_after_Max_Terminate_attempts()
    {
        LinkPair pair = Links.UpPair();
        pair.Filter = (_, _) => false;
        Timestamp before = pair.Now;
        pair.Left.Link.Close(LinkCloseReason.Administrative, "bye", pair.Now);
        Assert.True(pair.Run(() => pair.Left.Closed is not null, TimeSpan.FromSeconds(30)));

        Assert.Equal(6, (pair.Now - before).TotalSeconds, 1.0);
    }

    [Fact]
    public void The_lower_layer_going_away_ends_at_once_without_a_word()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.LowerLayerDown("CDN received", pair.Now);

        Assert.Empty(pair.Left.Pull(pair.Now));
        Assert.Equal(LinkCloseReason.LowerLayerDown, pair.Left.Closed!.Value.Reason);
        Assert.Equal(1, pair.Left.Count(PppLinkEventKind.NetworkDown));
    }

    [Fact]
    public void A_peer_that_never_answers_is_given_up_after_Max_Configure_requests()
    {
        LinkEnd lonely = Links.Server(Links.ServerSettings());
        var pair = new LinkPair(lonely, Links.Client());
        lonely.Link.Open(pair.Now);
        Timestamp before = pair.Now;
        Assert.True(pair.Run(() => lonely.Closed is not null, TimeSpan.FromMinutes(2)));

        Assert.Equal(LinkCloseReason.NoAnswer, lonely.Closed!.Value.Reason);
        Assert.Equal("no answer to 10 LCP Configure-Requests", lonely.Closed.Value.Text);
        Assert.Equal(30, (pair.Now - before).TotalSeconds, 1.0);
    }

    [Fact]
    public void Echo_timeout_closes_with_count_and_time()
    {
        LinkPair pair = Links.UpPair();
        pair.Filter = (_, _) => false;
        Assert.True(pair.Run(() => pair.Left.Closed is not null, TimeSpan.FromMinutes(5)));

        Assert.Equal(LinkCloseReason.NoEchoAnswer, pair.Left.Closed!.Value.Reason);
        Assert.Matches("no answer to 4 echo requests, nothing heard for 1[0-9][0-9] s", pair.Left.Closed.Value.Text);
    }

    [Fact]
    public void An_idle_link_stays_up_by_echoes_and_a_busy_one_sends_none()
    {
        LinkPair pair = Links.UpPair();
        int echoes = 0;
        pair.Filter = (_, frame) =>
        {
            echoes += frame is [0xFF, 0x03, 0xC0, 0x21, 9, ..] ? 1 : 0;
            return true;
        };
        _ = pair.Run(3600);
        Assert.True(Links.BothUp(pair));
        Assert.InRange(echoes, 100, 250);

        echoes = 0;
        for (int i = 0; i < 600; i++)
        {
            pair.Left.Link.NoteDataReceived(pair.Now);
            pair.Right.Link.NoteDataReceived(pair.Now);
            _ = pair.Run(1);
        }

        Assert.Equal(0, echoes);
        Assert.True(Links.BothUp(pair));
    }

    [Fact]
    public void An_LCP_negotiation_in_an_open_link_begins_again_and_comes_up_again()
    {
        LinkPair pair = Links.UpPair();
        LinkEnd again = Links.Client(seed: 99);
        var second = new LinkPair(pair.Left, again, 5);
        again.Link.Open(second.Now);

        Assert.True(second.Run(() => again.Link.IsNetworkUp && pair.Left.Link.IsNetworkUp && pair.Left.Count(PppLinkEventKind.NetworkUp) == 2, TimeSpan.FromSeconds(20)), second.Trace);
        Assert.Equal(1, pair.Left.Count(PppLinkEventKind.NetworkDown));
        Assert.Equal(2, pair.Left.Count(PppLinkEventKind.AuthenticationRequested));
        Assert.Equal(2, pair.Left.Count(PppLinkEventKind.NetworkRequested));
    }

    [Fact]
    public void A_lost_Success_is_asked_for_again_when_the_servers_IPCP_arrives()
    {
        var pair = new LinkPair(Links.Server(Links.ServerSettings(AuthenticationMethod.MsChapV2)), Links.Client());
        int lost = 0;
        pair.Filter = (_, frame) => frame is not [0xFF, 0x03, 0xC2, 0x23, 3, ..] || lost++ > 0;
        pair.Open();

        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(10)), pair.Trace);
        Assert.Equal(2, lost);
    }

    [Fact]
    public void CHAP_is_asked_again_in_the_open_link_and_a_user_that_is_gone_ends_it()
    {
        PppLinkSettings server = new()
        {
            AuthenticatePeer = [AuthenticationMethod.MsChapV2],
            Authentication = new AuthenticationSettings { RechallengeInterval = TimeSpan.FromMinutes(10) },
        };
        LinkPair pair = Links.UpPair(server);
        _ = pair.Run(TimeSpan.FromMinutes(35).TotalSeconds);
        Assert.Equal(4, pair.Left.Count(PppLinkEventKind.AuthenticationRequested));
        Assert.Equal(1, pair.Left.Count(PppLinkEventKind.Authenticated));
        Assert.Equal(0, pair.Left.Count(PppLinkEventKind.NetworkDown));
        Assert.True(Links.BothUp(pair));

        pair.Left.IsAutomatic = false;
        Assert.True(pair.Run(() => pair.Left.Count(PppLinkEventKind.AuthenticationRequested) == 5, TimeSpan.FromMinutes(11)));
        pair.Left.Link.Decide(AuthenticationVerdict.Reject("account closed"), pair.Now);
        Assert.True(pair.Run(() => pair.Left.Closed is not null, TimeSpan.FromSeconds(10)));
        Assert.Equal(LinkCloseReason.PeerAuthenticationFailed, pair.Left.Closed!.Value.Reason);
    }

    [Fact]
    public void A_verdict_that_never_comes_ends_the_link_and_names_the_user()
    {
        LinkEnd server = Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5));
        server.IsAutomatic = false;
        var pair = new LinkPair(server, Links.Client());
        pair.Open();
        Assert.True(pair.Run(() => server.Closed is not null, TimeSpan.FromMinutes(3)));

        Assert.True(server.Closed!.Value.Reason is LinkCloseReason.AuthenticationTimeout or LinkCloseReason.PeerTerminated, server.Closed.Value.ToString());
        Assert.Equal(1, server.Count(PppLinkEventKind.AuthenticationRequested));
    }

    [Fact]
    public void A_network_that_is_refused_or_never_started_ends_the_link()
    {
        LinkEnd server = Links.Server(Links.ServerSettings());
        server.IsAutomatic = false;
        var pair = new LinkPair(server, Links.Client());
        pair.Open();
        Assert.True(pair.Run(() => server.Count(PppLinkEventKind.NetworkRequested) == 1, TimeSpan.FromSeconds(5)));
        server.Link.RefuseNetwork("pool 'default' is empty", pair.Now);
        Assert.True(pair.Run(() => pair.Right.Closed is not null && server.Closed is not null, TimeSpan.FromSeconds(5)));

        Assert.Equal(LinkCloseReason.NetworkRefused, server.Closed!.Value.Reason);
        Assert.Contains("pool 'default' is empty", pair.Right.Closed!.Value.Text, StringComparison.Ordinal);
    }

    /// <summary>At 30 % loss one exchange in two fails: ten tries are not enough for a hundred links.</summary>
    private static PppLinkSettings Patient(PppLinkSettings settings) => new()
    {
        AuthenticatePeer = settings.AuthenticatePeer,
        Credentials = settings.Credentials,
        AcceptedMethods = settings.AcceptedMethods,
        Mru = settings.Mru,
        Negotiation = new NegotiationSettings { MaxConfigure = 25 },
        Authentication = new AuthenticationSettings { MaxTransmissions = 25, PeerTimeout = TimeSpan.FromMinutes(2) },
        AuthenticationTimeout = TimeSpan.FromMinutes(2),
    };

    private static LinkPair RunToEnd(PppLinkSettings server, PppLinkSettings client)
    {
        var pair = new LinkPair(Links.Server(server), Links.Client(client));
        pair.Open();
        Assert.True(pair.Run(() => pair.Left.Closed is not null && pair.Right.Closed is not null, TimeSpan.FromMinutes(2)), pair.Trace);
        return pair;
    }

    private static void AssertAgreement(LinkPair pair)
    {
        Assert.Equal(new IpcpResult(Links.Gateway, Links.Assigned, default, default), pair.Left.Link.IpcpResult);
        Assert.Equal(new IpcpResult(Links.Assigned, Links.Gateway, Links.Dns, Links.SecondDns), pair.Right.Link.IpcpResult);
        Assert.Equal((1400, 1410), (pair.Left.Link.PeerMru, pair.Left.Link.LocalMru));
        Assert.Equal((1410, 1400), (pair.Right.Link.PeerMru, pair.Right.Link.LocalMru));
    }
}
