using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>A LAC that has negotiated with its user, and an LNS that goes on with it or does not (RFC 2661 section 4.4.5).</summary>
public sealed class ProxyTests
{
    private static readonly AuthenticationMethod[] AllMethods = [AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap];

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void Proxied_authentication_that_fits_spares_a_second_one(AuthenticationMethod method)
    {
        (LacWorld world, PppFrameCount frames, ProxiedCall call, LacLine line) = Place(method, Settings());
        Assert.True(world.World.RunUntil(() => line.IsUp && world.Lns.Subscribers.Any(s => s.IsUp), 5), world.World.Trace.ToString());

        Assert.Equal((0, 0, 1), (frames.LcpRequests, frames.Questions, frames.Verdicts(good: true)));
        Subscriber subscriber = Assert.Single(world.Lns.Subscribers);
        Assert.Equal(("alice", ProxyUse.LcpAndAuthentication), (subscriber.UserName, subscriber.Link.Proxy));
        Assert.Contains("taken over from the LAC", Assert.Single(world.Lns.Told(NodeEventKind.Detail)).Text, StringComparison.Ordinal);
        Assert.Contains("LCP and authentication taken over from the LAC", HistoryOf(world, subscriber), StringComparison.Ordinal);

        // Used, and so forgotten; the password is not anywhere to be printed.
        Assert.Null(subscriber.Session.Call.ProxyAuthentication);
        Assert.Null(subscriber.Session.Call.ProxyLcp);
        Assert.Equal("5550100", subscriber.Session.Call.CallingNumber);
        Assert.True(subscriber.Link.PeerMru == 1492 && call.User.IsNetworkUp);
    }

    [Fact]
    public void A_rule_with_renegotiate_does_not_trust_the_LAC()
    {
        (LacWorld world, PppFrameCount frames, _, LacLine line) = Place(AuthenticationMethod.ChapMd5, Settings(ProxyPolicy.Renegotiate));
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());

        Assert.True(frames.LcpRequests >= 2 && frames.Questions >= 2);
        Subscriber subscriber = Assert.Single(world.Lns.Subscribers);
        Assert.Equal((ProxyUse.Renegotiated, AuthenticationMethod.MsChapV2), (subscriber.Link.Proxy, subscriber.Link.PeerMethod)); // what the profile likes best
        Assert.Contains("proxy-authentication: renegotiate", Assert.Single(world.Lns.Told(NodeEventKind.Detail)).Text, StringComparison.Ordinal);
        Assert.Contains("this peer's proxied negotiation is not used", HistoryOf(world, subscriber), StringComparison.Ordinal);
        Assert.Null(subscriber.Session.Call.ProxyAuthentication);
    }

    [Theory]
    [InlineData(AuthenticationMethod.Pap, 1500, "PAP is not among the accepted authentication methods")]
    [InlineData(AuthenticationMethod.ChapMd5, 4000, "MRU 4000 is not between 128 and 1500")]
    public void Options_that_do_not_fit_the_profile_are_negotiated_anew(AuthenticationMethod method, int lacMru, string reason)
    {
        NodeSettings settings = NodePair.WithProfile(p => p with { Authentication = [AuthenticationMethod.ChapMd5] });
        (LacWorld world, PppFrameCount frames, _, LacLine line) = Place(method, settings, lacMru: (ushort)lacMru);
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());

        Assert.True(frames.LcpRequests >= 2 && frames.Questions >= 2);
        Subscriber subscriber = Assert.Single(world.Lns.Subscribers);
        Assert.Equal((ProxyUse.Renegotiated, AuthenticationMethod.ChapMd5), (subscriber.Link.Proxy, subscriber.Link.PeerMethod));
        Assert.Contains(reason, Assert.Single(world.Lns.Told(NodeEventKind.Detail)).Text, StringComparison.Ordinal);
        Assert.Contains("what the LAC had agreed on does not fit", HistoryOf(world, subscriber), StringComparison.Ordinal);
    }

    [Fact]
    public void The_largest_MRU_is_the_profiles_not_the_paths()
    {
        // A path of 1500 octets makes this end ask for less than 1492, but every PPPoE user has 1492: too few octets of path must not
        // cost each of them a second negotiation.
        (LacWorld world, PppFrameCount frames, _, LacLine line) = Place(AuthenticationMethod.ChapMd5, Settings(), lacMru: 1492);
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());
        Assert.Equal((0, 1492), (frames.LcpRequests, Assert.Single(world.Lns.Subscribers).Link.LocalMru));
    }

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void A_wrong_proxied_password_is_told_to_the_user_to_the_LAC_and_in_the_log(AuthenticationMethod method)
    {
        (LacWorld world, PppFrameCount frames, ProxiedCall call, LacLine line) = Place(method, Settings(), password: "wrong");
        Session? session = null;
        Disconnect? told = null;
        Assert.True(
            world.World.RunUntil(
                () =>
                {
                    session ??= line.Session;
                    told ??= session?.Ended;
                    return told is not null;
                },
                20),
            world.World.Trace.ToString());

        Assert.Equal((0, 0, 0, 1), (frames.LcpRequests, frames.Questions, frames.Verdicts(good: true), frames.Verdicts(good: false)));
        Assert.Contains("'alice' gave a wrong password", world.Lns.Told(NodeEventKind.AuthenticationFailed).First().Text, StringComparison.Ordinal);
        Assert.Contains("'alice' was refused", world.Lns.Told(NodeEventKind.SessionDown).First().Text, StringComparison.Ordinal);
        Assert.Equal(PppPhase.Dead, call.User.Phase);
    }

    [Fact]
    public void LCP_alone_is_taken_over_and_the_user_challenged_here()
    {
        (LacWorld world, PppFrameCount frames, _, LacLine line) =
            Place(AuthenticationMethod.ChapMd5, Settings(), change: c => c with { ProxyAuthentication = null });
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());
        Assert.Equal((0, 2), (frames.LcpRequests, frames.Questions));
        Assert.Contains("LCP taken over from the LAC, authentication done here", HistoryOf(world, Assert.Single(world.Lns.Subscribers)), StringComparison.Ordinal);
    }

    [Fact]
    public void Authentication_without_LCP_says_nothing_about_the_link_and_PPP_begins_as_ever()
    {
        (LacWorld world, PppFrameCount frames, _, LacLine line) =
            Place(AuthenticationMethod.ChapMd5, Settings(), change: c => c with { ProxyLcp = null });
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());
        Subscriber subscriber = Assert.Single(world.Lns.Subscribers);
        Assert.True(frames.LcpRequests >= 2 && subscriber.Link.Proxy == ProxyUse.None);
        Assert.Null(subscriber.Session.Call.ProxyAuthentication);
    }

    [Fact]
    public void A_user_that_begins_LCP_anew_behind_its_LAC_comes_up_again()
    {
        (LacWorld world, PppFrameCount frames, _, LacLine line) = Place(AuthenticationMethod.ChapMd5, Settings());
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());
        Subscriber subscriber = Assert.Single(world.Lns.Subscribers);
        world.Lac.RenewLink(0, "alice", NodePair.Password, world.World.Now);
        world.World.Settle(world.Lac);
        Assert.True(
            world.World.RunUntil(() => line.IsUp && subscriber.IsUp && subscriber.Link.Proxy == ProxyUse.None, 20), world.World.Trace.ToString());
        Assert.True(frames.LcpRequests >= 2 && frames.Questions >= 2);
        Assert.Equal(ProxyUse.None, subscriber.Link.Proxy);
    }

    [Fact]
    public void What_a_LAC_wants_of_LCP_is_asked_for_and_told_back()
    {
        var wishes = new LcpWishes(new byte[] { 1, 4, 5, 0x14, 2, 6, 0, 10, 0, 0 }, new byte[] { 1, 4, 5, 0x14, 2, 6, 0, 10, 0, 0 });
        var world = new LacWorld(Settings());
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password, new IncomingCall { LcpWishes = wishes });
        Assert.True(world.World.RunUntil(() => line.IsUp && line.Session!.LnsLcp is not null, 20), world.World.Trace.ToString());

        Session atLac = line.Session!;
        byte[] sent = atLac.LnsLcp!.LastSent!.Value.ToArray();
        Assert.Equal<byte>([1, 4, 5, 0x14, 2, 6, 0, 10, 0, 0], sent[..10]);
        Assert.True(atLac.LnsLcp.LastReceived!.Value.Length >= 6);
        Assert.Equal(new Accm(uint.MaxValue, 0x000A0000), atLac.Accm);
        Assert.Equal((1300, 1300), (Assert.Single(world.Lns.Subscribers).Link.LocalMru, Assert.Single(world.Lns.Subscribers).Link.PeerMru));
    }

    [Fact]
    public void A_LAC_that_wants_nothing_is_told_nothing()
    {
        var world = new LacWorld(Settings());
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(world.World.RunUntil(() => line.IsUp, 20), world.World.Trace.ToString());
        Assert.Null(line.Session!.Accm); // no SLI: not every LAC takes one
    }

    private static NodeSettings Settings(ProxyPolicy policy = ProxyPolicy.Accept)
    {
        NodeSettings settings = NodePair.WithProfile(p => p with { Authentication = AllMethods });
        return settings with { Peers = [settings.Peers[0] with { ProxyAuthentication = policy }] };
    }

    private static (LacWorld World, PppFrameCount Frames, ProxiedCall Call, LacLine Line) Place(
        AuthenticationMethod method,
        NodeSettings settings,
        string password = NodePair.Password,
        ushort lacMru = 1500,
        Func<IncomingCall, IncomingCall>? change = null)
    {
        var world = new LacWorld(settings);
        var frames = new PppFrameCount(world);
        var call = new ProxiedCall(method, world.World.Now, password: password, lacMru: lacMru);
        LacLine line = world.Lac.PlaceCall("alice", password, change?.Invoke(call.Call) ?? call.Call, call.User);
        return (world, frames, call, line);
    }

    private static string HistoryOf(LacWorld world, Subscriber subscriber) =>
        string.Join('\n', world.Lns.Access.ExplainSession(subscriber.Key, world.World.Now).SelectMany(l => l.History));
}
