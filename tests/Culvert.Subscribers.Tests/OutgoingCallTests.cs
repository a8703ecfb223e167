using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Outgoing;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>An LNS that asks the LAC at the other end of its tunnel to dial; both are access nodes.</summary>
public sealed class OutgoingCallTests
{
    private static readonly OutgoingCall Call = new() { CalledNumber = "alice", MinimumBps = 9_600, MaximumBps = 1_000_000 };

    private readonly NodePair _pair = new(NodePair.LnsSettings());

    private static OutgoingCallPolicy Loopback => new() { Handler = OutgoingCallPolicy.Loopback, Password = NodePair.Password };

    [Fact]
    public void The_loopback_answers_and_its_user_comes_up()
    {
        Subscriber user = Place(Loopback);
        Assert.True(_pair.World.RunUntil(() => user.IsUp, 10), _pair.World.Trace.ToString());

        Assert.Equal("alice", user.UserName);
        Assert.Equal(AuthenticationMethod.MsChapV2, user.Link.PeerMethod);
        Assert.Equal(IpAddress.Parse("100.64.0.3"), user.PeerAddress);
        Assert.Equal(LoopbackHandler.Speed, user.Session.Call.TxConnectSpeed);
        OutgoingLine line = Assert.Single(_pair.Client.Access.OutgoingLines);
        Assert.Equal("alice", line.Request.CalledNumber);
        Assert.Contains("connected by 'loopback'", NodePair.ReasonOf(_pair.Client, NodeEventKind.CallConnected), StringComparison.Ordinal);
    }

    [Fact]
    public void The_line_rings_for_as_long_as_the_configuration_says()
    {
        Subscriber user = Place(Loopback with { AnswerAfter = TimeSpan.FromSeconds(7) });
        _pair.World.Pass(6.5);
        Assert.Equal(Culvert.L2tp.SessionState.WaitConnect, user.Session.State);
        Assert.True(_pair.World.RunUntil(() => user.IsUp, 5));
    }

    [Fact]
    public void A_call_that_the_LNS_ends_ends_at_the_LAC_and_frees_everything()
    {
        Subscriber user = Place(Loopback);
        Assert.True(_pair.World.RunUntil(() => user.IsUp, 10));
        Assert.True(_pair.Lns.Access.CloseSession(user.Key, "enough", _pair.Now));
        _pair.World.Settle(_pair.Lns);
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Access.OutgoingLines.Count == 0 && _pair.Lns.Access.SessionCount == 1, 20));
        Assert.Single(_pair.Client.Told(NodeEventKind.CallEnded));
        _pair.Stop(_pair.Client, _pair.Client.Access.Dials.Single(), "done");
        _pair.ExpectEverythingFreed();
    }

    [Fact]
    public void An_operator_of_the_LAC_ends_a_line_and_the_LNS_hears_why()
    {
        Subscriber user = Place(Loopback);
        Assert.True(_pair.World.RunUntil(() => user.IsUp, 10));
        OutgoingLine line = Assert.Single(_pair.Client.Access.OutgoingLines);
        Assert.True(_pair.Client.Access.CloseSession(line.Key, "the line is needed", _pair.Now));
        _pair.World.Settle(_pair.Client);
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Access.OutgoingLines.Count == 0 && _pair.Lns.Access.SessionCount == 1, 20));
        Assert.Contains("the line is needed", NodePair.ReasonOf(_pair.Client, NodeEventKind.CallEnded), StringComparison.Ordinal);
        Assert.Contains("the line is needed", NodePair.ReasonOf(_pair.Lns, NodeEventKind.SessionDown), StringComparison.Ordinal);
        Assert.False(_pair.Client.Access.CloseSession(line.Key, "again", _pair.Now));
        _pair.Stop(_pair.Client, _pair.Client.Access.Dials.Single(), "done");
        _pair.ExpectEverythingFreed();
    }

    [Fact]
    public void A_wrong_password_ends_the_call_with_the_reason_in_words()
    {
        Subscriber user = Place(Loopback with { Password = "wrong" });
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Told(NodeEventKind.CallEnded).Any(), 30));
        Assert.False(user.IsUp);
        Assert.Contains("alice", Assert.Single(_pair.Lns.Told(NodeEventKind.AuthenticationFailed)).UserName, StringComparison.Ordinal);
        Assert.Equal(1, _pair.Lns.Access.PeerTallies[NodePair.ClientAt.Address].UsersRejected);
    }

    [Theory]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(128)]
    public void A_number_of_unprintable_octets_is_a_name_that_the_LNS_refuses_and_nothing_more(int octets)
    {
        // Each has four characters once it is printable; a name has 255 octets at most.
        Subscriber user = Place(Loopback, Call with { CalledNumber = new string('\u0001', octets) });
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Told(NodeEventKind.CallEnded).Any(), 30), _pair.World.Trace.ToString());
        Assert.False(user.IsUp);
        string claimed = Assert.Single(_pair.Lns.Told(NodeEventKind.AuthenticationFailed)).UserName!;
        Assert.Equal(Math.Min(4 * octets, 255), claimed.Length);
    }

    [Fact]
    public void Without_a_handler_the_call_is_not_even_asked_for()
    {
        // The LAC advertises no bearers then, and section 6.9 forbids the OCRQ.
        _pair.Connect(NodePair.DialOf("bob"));
        Assert.False(_pair.Lns.Access.TryPlaceCall(_pair.Lns.Access.Tunnels.Single(), Call, _pair.Now, out _, out string problem));
        Assert.Contains("did not advertise", problem, StringComparison.Ordinal);
        Assert.Equal(1, _pair.Lns.Access.SessionCount);
    }

    [Fact]
    public void A_handler_that_nobody_provides_is_told_to_the_LNS()
    {
        Subscriber user = Place(new OutgoingCallPolicy { Handler = "modem-bank" });
        Assert.True(_pair.World.RunUntil(() => user.Session.Ended is not null, 10));
        Assert.Equal(CdnResult.NoFacilitiesPermanent, (CdnResult)user.Session.Ended!.Result);
        Assert.Contains("no handler", user.Session.Ended.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_ACCM_of_an_SLI_reaches_the_LAC_in_words()
    {
        Subscriber user = Place(Loopback);
        Assert.True(_pair.World.RunUntil(() => user.IsUp, 10));
        Assert.True(user.Session.TrySendAccm(new Accm(0, 0x000A0000), _pair.Now));
        _pair.World.Settle(_pair.Lns);
        _pair.World.Pass(1);
        Assert.Contains(_pair.Client.Told(NodeEventKind.Detail), e => e.Text.Contains("receive 000a0000", StringComparison.Ordinal));
        Assert.Equal(new Accm(0, 0x000A0000), _pair.Client.Access.OutgoingLines.Single().Session.Accm);
    }

    private Subscriber Place(OutgoingCallPolicy policy, OutgoingCall? call = null)
    {
        _pair.Connect(NodePair.DialOf("bob") with { OutgoingCalls = policy });
        Tunnel tunnel = _pair.Lns.Access.Tunnels.Single();
        Assert.True(_pair.Lns.Access.TryPlaceCall(tunnel, call ?? Call, _pair.Now, out Subscriber? user, out string problem), problem);
        _pair.World.Settle(_pair.Lns);
        return user!;
    }
}
