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
    public void A_wrong_password_ends_the_call_with_the_reason_in_words()
    {
        Subscriber user = Place(Loopback with { Password = "wrong" });
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Told(NodeEventKind.CallEnded).Any(), 30));
        Assert.False(user.IsUp);
        Assert.Contains("alice", Assert.Single(_pair.Lns.Told(NodeEventKind.AuthenticationFailed)).UserName, StringComparison.Ordinal);
        Assert.Equal(1, _pair.Lns.Access.PeerTallies[NodePair.ClientAt.Address].UsersRejected);
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

    /// <summary>Without a user of its own, the loopback logs in as the number; printed, 100 octets of this one are 400.</summary>
    [Fact]
    public void A_number_too_long_for_a_user_name_is_a_wrong_user_and_nothing_worse()
    {
        _ = Place(Loopback, Call with { CalledNumber = new string('\u0001', 100) });
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Access.OutgoingLines.Count > 0, 5));
        Assert.Equal(400, _pair.Client.Access.OutgoingLines.Single().Request.CalledNumber.Length);
        Assert.True(_pair.World.RunUntil(() => _pair.Client.Told(NodeEventKind.CallEnded).Any(), 30));
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
