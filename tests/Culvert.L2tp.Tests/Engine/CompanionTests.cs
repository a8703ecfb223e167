using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>Proxy LCP and authentication, sequencing, and what later RFCs add to RFC 2661.</summary>
public sealed class CompanionTests
{
    private static readonly byte[] Secret = Encoding.UTF8.GetBytes("one-secret");

    private static readonly ProxyAuthentication Pap = new()
    {
        Type = ProxyAuthenType.Pap,
        Name = "user"u8.ToArray(),
        Id = 7,
        Response = "open sesame"u8.ToArray(),
    };

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Proxy_facts_reach_the_LNS_and_a_password_never_in_clear_where_there_is_a_secret(bool withSecret, bool hide)
    {
        var world = new World(1);
        bool sawPassword = false;
        world.Network.Filter = packet =>
        {
            sawPassword |= packet.Payload.Span.IndexOf("open sesame"u8) >= 0;
            return true;
        };
        (Session lac, Session lns) = Connect(
            world, Bench.Plain with { Secret = withSecret ? Secret : null, HideAvps = hide }, call: new()
            {
                ProxyLcp = new(new byte[] { 1, 4, 5, 220 }, new byte[] { 3, 4, 192, 35 }, new byte[] { 5, 6, 1, 2, 3, 4 }),
                ProxyAuthentication = Pap,
            });
        Assert.Equal(!withSecret, sawPassword);
        Assert.True(lns.Call.ProxyLcp!.IsComplete);
        Assert.Equal(lac.Call.ProxyLcp!.InitialReceived!.Value.ToArray(), lns.Call.ProxyLcp.InitialReceived!.Value.ToArray());
        Assert.Equal(lac.Call.ProxyLcp.LastSent!.Value.ToArray(), lns.Call.ProxyLcp.LastSent!.Value.ToArray());
        Assert.Equal(lac.Call.ProxyLcp.LastReceived!.Value.ToArray(), lns.Call.ProxyLcp.LastReceived!.Value.ToArray());
        ProxyAuthentication proxy = lns.Call.ProxyAuthentication!;
        Assert.True(proxy.IsComplete);
        Assert.Equal((ProxyAuthenType.Pap, (byte?)7, 0), (proxy.Type, proxy.Id, proxy.Challenge.Length));
        Assert.Equal(0, world.Told(L2tpEventKind.Notice)); // nothing that the table does not allow
        Assert.Equal("user", Encoding.ASCII.GetString(proxy.Name.Span));
        Assert.Equal("open sesame", Encoding.ASCII.GetString(proxy.Response.Span));
        Assert.DoesNotContain("sesame", $"{proxy} {lns.Call}", StringComparison.Ordinal);
        lns.ForgetProxy();
        Assert.Null(lns.Call.ProxyAuthentication);
        Assert.Null(lns.Call.ProxyLcp);
    }

    [Theory]
    [InlineData(ProxyAuthenType.Chap, true, true, true, true)]
    [InlineData(ProxyAuthenType.Chap, true, false, true, false)]
    [InlineData(ProxyAuthenType.Chap, true, true, false, false)]
    [InlineData(ProxyAuthenType.MsChapV1, false, true, true, false)]
    [InlineData(ProxyAuthenType.Pap, true, false, true, true)]
    [InlineData(ProxyAuthenType.Pap, true, false, false, false)]
    [InlineData(ProxyAuthenType.Textual, true, false, false, true)]
    [InlineData(ProxyAuthenType.NoAuthentication, false, false, false, true)]
    [InlineData(ProxyAuthenType.Reserved, true, true, true, false)]
    public void Section_4_4_5_says_which_AVPs_each_type_needs(ProxyAuthenType type, bool name, bool challenge, bool id, bool isComplete)
    {
        var proxy = new ProxyAuthentication
        {
            Type = type,
            Name = name ? new byte[1] : default,
            Challenge = challenge ? new byte[16] : default,
            Id = id ? 1 : null,
            Response = new byte[16],
        };
        Assert.Equal(isComplete, proxy.IsComplete);
    }

    [Fact]
    public void Overlong_proxy_options_are_as_good_as_none()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.Call(5);
        peer.Send(session.LocalSessionId, [.. HandPeer.Iccn(), new TestAvp(27, new byte[257], false), new TestAvp(28, new byte[256], false)]);
        Assert.Equal(SessionState.Established, session.State);
        Assert.False(session.Call.ProxyLcp!.IsComplete);
        Assert.Equal(256, session.Call.ProxyLcp.LastReceived!.Value.Length);
    }

    [Theory]
    [InlineData(SequencingPolicy.OnRequest, SequencingPolicy.OnRequest, false, false)]
    [InlineData(SequencingPolicy.Required, SequencingPolicy.OnRequest, true, true)]
    [InlineData(SequencingPolicy.OnRequest, SequencingPolicy.Required, false, true)]
    public void Sequencing_is_agreed_by_policy(SequencingPolicy lac, SequencingPolicy lns, bool atLac, bool atLns)
    {
        (Session left, Session right) = Connect(
            new World(1), Bench.Plain with { Sequencing = lac }, Bench.Plain with { Sequencing = lns });
        Assert.Equal((atLac, atLns), (left.SequencesData, right.SequencesData));
    }

    [Fact]
    public void Sequencing_that_is_switched_off_refuses_a_call_that_requires_it()
    {
        var bench = new Bench(Bench.Plain with { Sequencing = SequencingPolicy.Off });
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.Call(5);
        peer.Send(session.LocalSessionId, [.. HandPeer.Iccn(), TestAvp.SequencingRequired()]);
        Assert.Equal((2, 6), Assert.Single(peer.Take()).ResultCode());
        Assert.Equal(SessionState.Idle, session.State);
    }

    [Fact]
    public void Disconnect_causes_of_RFC_3145_and_Q_931_go_both_ways_and_into_the_words()
    {
        foreach (bool byLac in new[] { true, false })
        {
            var world = new World(1);
            (Session lac, Session lns) = Connect(world, Bench.Plain);
            Disconnect why = Disconnect.OfSession(CdnResult.Administrative) with
            {
                PppCause = new(16, 0xC023, PppDisconnectDirection.AtPeer, "bad password"),
                Q931 = new(16, 5, "normal"),
            };
            (Session from, Session to) = byLac ? (lac, lns) : (lns, lac);
            from.Close(why, world.Now);
            world.Pass(1);
            Assert.Equal((why.PppCause, why.Q931), (to.Ended!.PppCause, to.Ended.Q931));
            Assert.Equal(
                "closed by the peer: administrative reasons; Q.931 cause 16: normal; " +
                "PPP cause 16 authentication failed, protocol 0xc023, at peer: bad password (CDN 3)", to.Ended.ToString());
        }
    }

    [Fact]
    public void Access_line_and_ATM_facts_of_the_ICRQ_reach_the_LNS()
    {
        AccessLine line = AccessLine.Of(
            (AccessLineAvpType.AgentCircuitId, "node-7 atm 1/2:3.4"u8.ToArray()), (AccessLineAvpType.AgentRemoteId, "customer 9"u8.ToArray()),
            (AccessLineAvpType.ActualDataRateUpstream, [0, 0, 0, 0, 0, 0x98, 0x96, 0x80]), (AccessLineAvpType.IwfSession, [0, 0, 0, 0]));
        var atm = new AtmCall { ServiceName = "gold", IsRealTime = true, VpiVci = 0x00080023 };
        (_, Session lns) = Connect(new World(1), Bench.Plain, call: new() { AccessLine = line, Atm = atm });
        AccessLine told = lns.Call.AccessLine!;
        Assert.Equal(("node-7 atm 1/2:3.4", "customer 9"), (told.AgentCircuitId, told.AgentRemoteId));
        Assert.Equal((10_000_000ul, null), (told.ActualDataRateUpstream, told.ActualDataRateDownstream));
        Assert.True(told.TryGet(AccessLineAvpType.IwfSession, out _));
        Assert.Equal(atm, lns.Call.Atm);
        Assert.False(AccessLine.Of((AccessLineAvpType.AgentCircuitId, new byte[513])).TryGet(AccessLineAvpType.AgentCircuitId, out _));
    }

    [Fact]
    public void Connect_speeds_are_updated_and_asked_for_only_where_announced()
    {
        var world = new World(1);
        (Session lac, Session lns) = Connect(world, Bench.Plain, call: new() { SendsSpeedUpdates = true, TxConnectSpeed = 1 });
        Assert.True(lac.TrySendConnectSpeed(5_000_000, 1_000_000, world.Now));
        world.Pass(1);
        Assert.Equal((5_000_000u, 1_000_000u), (lns.Call.TxConnectSpeed, lns.Call.RxConnectSpeed));
        Assert.False(lns.TrySendConnectSpeed(1, 1, world.Now));
        Assert.False(lac.TryRequestConnectSpeed(world.Now));
        Assert.True(lns.TryRequestConnectSpeed(world.Now));
        world.Pass(1);
        Assert.Equal(2, world.Told(L2tpEventKind.ConnectSpeedChanged));

        var silent = new World(2);
        (lac, lns) = Connect(silent, Bench.Plain);
        Assert.False(lac.TrySendConnectSpeed(1, 1, silent.Now));
        Assert.False(lns.TryRequestConnectSpeed(silent.Now));

        // Unknown sessions and sessions that were not announced are not answered.
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session plain = peer.ConnectedCall(5);
        peer.Send(0, TestAvp.MessageType(29) with { Mandatory = false }, Speed(plain.LocalSessionId), Speed(999));
        peer.Send(0, TestAvp.MessageType(28) with { Mandatory = false }, Speed(plain.LocalSessionId), Speed(999));
        peer.Send(0, TestAvp.MessageType(28) with { Mandatory = false });
        Assert.Empty(peer.Take());
        Assert.Null(peer.Tunnel.Ended);
        Assert.False(bench.Told(L2tpEventKind.ConnectSpeedChanged));
    }

    [Theory]
    [InlineData(10, 10, true, 10, 10)]
    [InlineData(10, 20, false, 20, 20)]
    [InlineData(10, null, false, null, null)]
    [InlineData(null, 20, true, null, null)]
    public void Per_hop_behaviours_of_RFC_3308_are_negotiated(int? asked, int? granted, bool require, int? atLac, int? atLns)
    {
        TunnelSettings Settings(int? phb) => Bench.Plain with { ControlPhb = (ushort?)phb, SessionPhb = (ushort?)phb };
        (Session lac, Session lns) = Connect(new World(1), Settings(asked) with { RequirePhb = require }, Settings(granted));
        Assert.Equal(((ushort?)atLac, (ushort?)atLns), (lac.Phb, lns.Phb));
        Assert.Equal(((ushort?)atLac, (ushort?)atLns), (lac.Tunnel.ControlPhb, lns.Tunnel.ControlPhb));
    }

    [Fact]
    public void Initiator_that_insists_on_a_behaviour_leaves_with_result_8_or_12()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Dialled(bench, Bench.Plain with { ControlPhb = 10, RequirePhb = true });
        peer.SendReply(new TestAvp(47, [0, 20], false));
        Assert.Equal((8, 47), Assert.Single(peer.Take()).ResultCode());

        var other = new Bench();
        HandPeer called = HandPeer.Called(other, Bench.Plain with { SessionPhb = 10, RequirePhb = true });
        Assert.True(called.Tunnel.TryPlaceIncomingCall(IncomingCall.Default, other.Now, out Session? session));
        other.Drain();
        called.Take();
        called.Send(session.LocalSessionId, HandPeer.Icrp(5));
        Assert.Equal((12, 48), Assert.Single(called.Take()).ResultCode());
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void ECN_of_RFC_9601_is_agreed_when_both_say_so(bool lac, bool lns, bool agreed)
    {
        (Session left, Session right) = Connect(new World(1), Bench.Plain with { EcnCapable = lac }, Bench.Plain with { EcnCapable = lns });
        Assert.Equal((agreed, agreed), (left.Tunnel.IsEcnAgreed, right.Tunnel.IsEcnAgreed));
    }

    [Fact]
    public void Modem_status_of_RFC_3573_is_told_once_and_only_to_who_knows_it()
    {
        var world = new World(1);
        (Session lac, Session lns) = Connect(world, Bench.Plain, Bench.Plain with { ModemOnHoldCapable = true });
        Assert.True(lac.TrySendModemStatus(0x8003, world.Now));
        Assert.True(lac.TrySendModemStatus(0x8003, world.Now));
        Assert.False(lns.TrySendModemStatus(0x8003, world.Now));
        world.Pass(1);
        Assert.Equal(0x8003, lns.ModemStatus);
        Assert.Equal(1, world.Told(L2tpEventKind.ModemStatusChanged));

        var deaf = new World(2);
        (lac, _) = Connect(deaf, Bench.Plain);
        Assert.False(lac.TrySendModemStatus(0x8003, deaf.Now));
    }

    private static TestAvp Speed(int session) => new(97, [0, 0, (byte)(session >> 8), (byte)session, 0, 0, 0, 1, 0, 0, 0, 2], false);

    private static (Session Lac, Session Lns) Connect(
        World world, TunnelSettings lacSettings, TunnelSettings? lnsSettings = null, IncomingCall? call = null)
    {
        Node lac = world.Add("192.0.2.10", lacSettings);
        Node lns = world.Add("192.0.2.20", lnsSettings ?? lacSettings);
        Tunnel tunnel = world.Connect(lac, lns, lacSettings);
        Assert.True(tunnel.TryPlaceIncomingCall(call ?? IncomingCall.Default, world.Now, out Session? session));
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);
        return (session, lns.Last(L2tpEventKind.SessionEstablished).Session!);
    }

    [Fact]
    public void WENs_are_at_least_60_s_apart()
    {
        var world = new World(1);
        Node lac = world.Add("192.0.2.10", Bench.Plain);
        Node lns = world.Add("192.0.2.20", Bench.Plain);
        Assert.True(world.Connect(lac, lns, Bench.Plain).TryPlaceIncomingCall(IncomingCall.Default, world.Now, out Session? session));
        world.RunUntil(() => session.State == SessionState.Established);
        Assert.True(session.TrySendCallErrors(new() { Crc = 1 }, world.Now));
        world.Pass(59);
        Assert.False(session.TrySendCallErrors(new() { Crc = 2 }, world.Now));
        world.Pass(1);
        Assert.True(session.TrySendCallErrors(new() { Crc = 3 }, world.Now));
        world.Pass(1);
        Assert.Equal(2, lns.Count(L2tpEventKind.CallErrorsReported));
        Assert.Equal(3u, lns.Last(L2tpEventKind.CallErrorsReported).Session!.CallErrors!.Crc);
    }

    [Theory]
    [InlineData(4u, true)]
    [InlineData(1u, false)]
    public void Numbers_of_a_broadband_bearer_are_NSAP_addresses_of_20_octets(uint bearer, bool isNsap)
    {
        const string Called = "47000580ffe1000000f21a26d80020ea00f21a26";
        var world = new World(1);
        var lengths = new List<int>();
        world.Network.Filter = packet =>
        {
            Assert.True(L2tpHeader.TryRead(packet.Payload.Span, out L2tpHeader header));
            foreach (Avp avp in new AvpReader(packet.Payload.Span[header.PayloadStart..header.PayloadEnd]))
            {
                if (avp.Id == AvpType.CalledNumber || avp.Id == AvpType.CallingNumber || avp.Id == AvpType.SubAddress)
                {
                    lengths.Add(avp.Value.Length);
                    Assert.Equal(!isNsap, avp.IsMandatory); // RFC 3301 section 5.3
                }
            }

            return true;
        };
        Node lac = world.Add("192.0.2.10", Bench.Plain);
        Node lns = world.Add("192.0.2.20", Bench.Plain);
        var call = new IncomingCall
        {
            BearerType = bearer,
            CalledNumber = Called,
            CallingNumber = Called,
            SubAddress = Called,
            Atm = new() { CallingSubAddress = Called },
        };
        Assert.True(world.Connect(lac, lns, Bench.Plain).TryPlaceIncomingCall(call, world.Now, out _));
        world.RunUntil(() => lns.Count(L2tpEventKind.SessionEstablished) == 1);
        IncomingCall taken = lns.Last(L2tpEventKind.SessionEstablished).Session!.Call;
        Assert.Equal(
            (Called, Called, Called, Called), (taken.CalledNumber, taken.CallingNumber, taken.SubAddress, taken.Atm!.CallingSubAddress));
        Assert.Equal(Enumerable.Repeat(isNsap ? 20 : 40, 3), lengths);
    }
}
