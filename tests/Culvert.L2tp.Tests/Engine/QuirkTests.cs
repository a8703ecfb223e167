using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>What real peers do at the control plane, each as a case with a name.</summary>
public sealed class QuirkTests
{
    private static readonly Disconnect Bye = Disconnect.OfTunnel(StopCcnResult.GeneralRequest);

    [Fact]
    public void Android_and_MikroTik_short_result_code_is_accepted()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.StopCcn), TestAvp.AssignedTunnelId(77), TestAvp.ResultCode(6));
        Assert.Equal((int)StopCcnResult.ShuttingDown, bench.Last(L2tpEventKind.TunnelClosed).Disconnect!.Result);
        Assert.True(bench.Noticed(L2tpNotice.ShortResultCode));
    }

    [Fact]
    public void Apple_little_endian_result_code_is_swapped()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.ConnectedCall(5);
        peer.Send(session.LocalSessionId, TestAvp.MessageType(L2tpBuilder.Cdn), new TestAvp(1, [3, 0, 0, 0]), TestAvp.AssignedSessionId(5));
        Assert.Equal((int)CdnResult.Administrative, bench.Last(L2tpEventKind.SessionClosed).Disconnect!.Result);
        Assert.True(bench.Noticed(L2tpNotice.SwappedResultCode));
    }

    [Fact]
    public void Stop_without_a_result_code_is_a_stop_all_the_same()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.StopCcn), new TestAvp(4242, [1]));
        Assert.Equal(DisconnectOrigin.Peer, bench.Last(L2tpEventKind.TunnelClosed).Disconnect!.Origin);
    }

    // A notice of a tunnel that lingers would be told after its last event.
    [Fact]
    public void Nothing_is_told_of_a_tunnel_that_has_ended()
    {
        var bench = new Bench(Bench.Plain with { AcceptTunnelIdZero = true });
        HandPeer peer = HandPeer.Established(bench);
        peer.Tunnel.Close(Bye, bench.Now);
        bench.Drain();
        bench.Events.Clear();
        bench.Receive(peer.Path, L2tpBuilder.HelloMessage(0, peer.Ns, peer.Nr));
        bench.Receive(Bench.PathOf(port: 4000), L2tpBuilder.HelloMessage(peer.TunnelId, peer.Ns, peer.Nr));
        Assert.Empty(bench.Events);
    }

    [Fact]
    public void MikroTik_random_source_port_is_served()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench, Bench.PathOf(port: 49_152));
        Assert.All(bench.Outbox, sent => Assert.Equal(peer.Path, sent.Path));
    }

    [Fact]
    public void Repeated_SCCRQ_is_the_same_tunnel()
    {
        var bench = new Bench();
        var peer = new HandPeer(bench, Bench.PathOf());
        peer.SendStart();
        peer.SendStart();
        peer.SendStart();
        Assert.Single(bench.Endpoint.Tunnels);
        Assert.Equal(2, bench.Endpoint.Counters[L2tpCounter.DuplicatesReceived]);
        peer.Ns = 1;
        peer.TakeReply();
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn));
        peer.Ns = 0;
        peer.SendStart(); // a late one, after set-up
        Assert.Single(bench.Endpoint.Tunnels);
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        Assert.True(bench.Outbox[^1].IsZlb);
    }

    [Fact]
    public void Several_tunnels_from_one_address_and_port_are_told_apart_by_ID()
    {
        var bench = new Bench();
        HandPeer one = HandPeer.Established(bench, ownTunnelId: 1);
        HandPeer two = HandPeer.Established(bench, ownTunnelId: 2);
        Assert.NotEqual(one.TunnelId, two.TunnelId);
        Session a = one.ConnectedCall(9);
        Session b = two.ConnectedCall(9);
        Assert.Equal((one.Tunnel, two.Tunnel), (a.Tunnel, b.Tunnel));
    }

    [Fact]
    public void Restarted_LAC_loses_its_old_tunnel_after_a_probe()
    {
        var bench = new Bench();
        HandPeer old = HandPeer.Established(bench, ownTunnelId: 1);
        bench.Pass(10);
        HandPeer restarted = HandPeer.Established(bench, ownTunnelId: 2);
        Tunnel oldTunnel = old.Tunnel;
        bench.Pass(4);
        Assert.Equal(0, bench.Endpoint.Counters[L2tpCounter.HellosSent]);
        bench.Pass(33);
        Assert.Equal(DisconnectOrigin.Timeout, oldTunnel.Ended!.Origin);
        Assert.True(bench.Noticed(L2tpNotice.PeerRestarted));
        Assert.Null(restarted.Tunnel.Ended);
    }

    /// <summary>The data plane's counters are looked at every few seconds: what came before the restart is noted after it.</summary>
    [Fact]
    public void Data_noted_late_does_not_vouch_for_a_LAC_that_has_restarted()
    {
        var bench = new Bench();
        HandPeer old = HandPeer.Established(bench, ownTunnelId: 1);
        bench.Pass(10);
        Tunnel oldTunnel = old.Tunnel;
        HandPeer restarted = HandPeer.Established(bench, ownTunnelId: 2);
        bench.Pass(3);
        oldTunnel.NoteDataReceived(bench.Now);
        bench.Pass(3);
        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.HellosSent]);
        bench.Pass(33);
        Assert.Equal(DisconnectOrigin.Timeout, oldTunnel.Ended!.Origin);
        Assert.Null(restarted.Tunnel.Ended);
    }

    [Fact]
    public void Second_tunnel_of_a_living_LAC_leaves_the_first_alone()
    {
        var bench = new Bench();
        HandPeer one = HandPeer.Established(bench, ownTunnelId: 1);
        HandPeer two = HandPeer.Established(bench, ownTunnelId: 2);
        bench.Pass(6);
        one.Take(MessageType.Hello);
        bench.Pass(40);
        Assert.Null(one.Tunnel.Ended);
        Assert.Null(two.Tunnel.Ended);
    }

    [Fact]
    public void Restarted_LAC_loses_its_old_tunnel_at_once_where_the_peer_has_only_one()
    {
        var bench = new Bench(Bench.Plain with { OnRestart = RestartDetection.CloseOlder });
        HandPeer old = HandPeer.Established(bench, ownTunnelId: 1);
        Tunnel oldTunnel = old.Tunnel;
        HandPeer other = HandPeer.Established(bench, ownTunnelId: 3, hostName: "somebody-else");
        Assert.Null(oldTunnel.Ended);
        HandPeer.Established(bench, ownTunnelId: 2);
        Assert.NotNull(oldTunnel.Ended);
        Assert.Null(other.Tunnel.Ended);
        Assert.True(bench.Noticed(L2tpNotice.PeerRestarted));
    }

    [Fact]
    public void Restarted_LAC_that_assigns_the_same_ID_again_replaces_its_tunnel_without_a_word_to_it()
    {
        var bench = new Bench();
        HandPeer old = HandPeer.Established(bench, ownTunnelId: 1);
        Tunnel oldTunnel = old.Tunnel;
        old.ConnectedCall(5);
        bench.Pass(35);
        HandPeer restarted = HandPeer.Established(bench, ownTunnelId: 1);
        Assert.NotNull(oldTunnel.Ended);
        Assert.NotEqual(oldTunnel.LocalTunnelId, restarted.TunnelId);
        Assert.Equal(0, bench.SessionIds.InUse);
        Assert.DoesNotContain(bench.Outbox, sent => !sent.IsZlb && sent.Type == MessageType.StopCcn);
    }

    [Fact]
    public void DLink_tunnel_ID_0_after_set_up_is_served_only_for_peers_known_for_it()
    {
        var bench = new Bench(Bench.Plain with { AcceptTunnelIdZero = true });
        HandPeer peer = HandPeer.Established(bench);
        ushort id = peer.TunnelId;
        peer.TunnelId = 0;
        peer.Send(0, HandPeer.Icrq(5));
        Assert.True(bench.Told(L2tpEventKind.CallOffered));
        Assert.True(bench.Noticed(L2tpNotice.TunnelIdZero));

        var strict = new Bench();
        HandPeer other = HandPeer.Established(strict);
        other.TunnelId = 0;
        other.Send(0, HandPeer.Icrq(5));
        Assert.False(strict.Told(L2tpEventKind.CallOffered));
        Assert.NotEqual(0, id);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CDN_with_session_0_is_found_by_its_assigned_session_ID(bool established)
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session other = peer.ConnectedCall(6);
        Session session = established ? peer.ConnectedCall(5) : peer.Offer(5);
        peer.Send(0, HandPeer.Cdn(5));
        Assert.Equal(SessionState.Idle, session.State);
        Assert.Equal(SessionState.Established, other.State);
        Assert.Equal(established, bench.Noticed(L2tpNotice.SessionIdZero));
    }

    [Fact]
    public void Assigned_session_ID_0_is_refused_with_2_6()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, HandPeer.Icrq(0));
        Assert.Equal((2, 6), Assert.Single(peer.Take()).ResultCode());

        HandPeer called = HandPeer.Called(new Bench());
        Assert.True(called.Tunnel.TryPlaceIncomingCall(IncomingCall.Default, called.Bench.Now, out Session? session));
        called.Bench.Drain();
        called.Take();
        called.Send(session.LocalSessionId, HandPeer.Icrp(0));
        Assert.Equal((2, 6), Assert.Single(called.Take()).ResultCode());
    }

    [Fact]
    public void Assigned_session_ID_0_is_refused_with_2_6_in_outgoing_calls_too()
    {
        TunnelSettings settings = Bench.Plain with { AcceptOutgoingCalls = true };
        HandPeer peer = HandPeer.Established(new Bench(settings));
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Ocrq), TestAvp.AssignedSessionId(0), TestAvp.CallSerialNumber(1), TestAvp.Of32(16, 1),
            TestAvp.Of32(17, 2), TestAvp.BearerType(1), TestAvp.FramingType(), TestAvp.CalledNumber("1"));
        Assert.Equal((2, 6), Assert.Single(peer.Take()).ResultCode());

        HandPeer lac = HandPeer.Dialled(new Bench(settings));
        lac.SendReply(TestAvp.BearerCapabilities(3));
        lac.Take();
        Assert.True(lac.Tunnel.TryPlaceOutgoingCall(new() { CalledNumber = "1" }, lac.Bench.Now, out Session? session));
        lac.Bench.Drain();
        lac.Take();
        lac.Send(session.LocalSessionId, TestAvp.MessageType(L2tpBuilder.Ocrp), TestAvp.AssignedSessionId(0));
        Assert.Equal((2, 6), Assert.Single(lac.Take()).ResultCode());
    }

    [Fact]
    public void Cisco_ASA_is_answered_from_the_address_that_it_sent_to()
    {
        var bench = new Bench();
        PeerEndpoint asa = Bench.PathOf().Peer;
        var local = IpAddress.Parse("192.0.2.99");
        HandPeer peer = HandPeer.Established(bench, new UdpPath(local, asa));
        HandPeer other = HandPeer.Established(bench, new UdpPath(IpAddress.Parse("192.0.2.98"), asa), 78);
        peer.ConnectedCall(5);
        other.ConnectedCall(5);
        bench.Pass(70); // HELLOs and their repetitions too
        Assert.All(bench.Outbox, sent => Assert.Equal(sent.Header.TunnelId == 77 ? local : other.Path.Local, sent.Path.Local));
    }

    [Fact]
    public void H3C_gets_only_defined_values_and_reserved_bits_of_0()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.ConnectedCall(5);
        session.Close(Disconnect.OfSession(CdnResult.Administrative), bench.Now);
        bench.Drain();
        peer.Tunnel.Close(Disconnect.OfTunnel(StopCcnResult.ShuttingDown), bench.Now);
        bench.Drain();
        Assert.Contains(bench.Outbox, sent => !sent.IsZlb && sent.Type == MessageType.Cdn);
        foreach (Sent sent in bench.Outbox)
        {
            Assert.Equal(0xC802, (sent.Octets[0] << 8) | sent.Octets[1]); // T, L and S, Ver 2
            foreach (Avp avp in new AvpReader(sent.Octets.AsSpan(sent.Header.PayloadStart)))
            {
                Assert.False(avp.HasReservedBits);
                Assert.NotNull(AvpDefinitions.Find(avp.Id));
            }
        }
    }

    [Fact]
    public void SoftEther_that_repeats_every_500_ms_and_reads_nothing_hidden_comes_up()
    {
        var bench = new Bench();
        var peer = new HandPeer(bench, Bench.PathOf());
        for (int i = 0; i < 5; i++)
        {
            peer.Ns = 0;
            peer.SendStart("softether");
            bench.Pass(0.5);
        }

        peer.TakeReply();
        Session session = peer.ConnectedCallAfter(() => peer.Send(0, TestAvp.MessageType(L2tpBuilder.Scccn)), 5);
        Assert.Equal(SessionState.Established, session.State);
        Assert.Single(bench.Endpoint.Tunnels);
        foreach (Sent sent in bench.Outbox.Where(sent => !sent.IsZlb))
        {
            Assert.Equal(0, sent.Read().HiddenCount);
        }
    }

    [Fact]
    public void Acknowledgement_of_what_was_never_sent_is_told_once_and_counted_each_time()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        for (int i = 0; i < 3; i++)
        {
            bench.Receive(peer.Path, L2tpBuilder.Zlb(peer.TunnelId, peer.Ns, peer.Nr + 5));
        }

        Assert.Equal(1, bench.Events.Count(e => e.Notice == L2tpNotice.AcknowledgedUnsent));
        Assert.Equal(3, bench.Endpoint.Counters[L2tpNotice.AcknowledgedUnsent]);
        bench.Receive(peer.Path, L2tpBuilder.Zlb(peer.TunnelId, peer.Ns, peer.Nr - 1)); // an old one is nothing
        Assert.Equal(3, bench.Endpoint.Counters[L2tpNotice.AcknowledgedUnsent]);
        peer.ConnectedCall(5);
    }

    [Fact]
    public void Unknown_mandatory_AVP_ends_the_session_with_2_8_and_not_the_tunnel()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, [.. HandPeer.Icrq(5), new TestAvp(1, [1], Mandatory: true, Vendor: 9)]);
        Sent cdn = Assert.Single(peer.Take());
        Assert.Equal(MessageType.Cdn, cdn.Type);
        Assert.Equal((2, 8), cdn.ResultCode());
        Assert.Equal(5, cdn.Header.SessionId);

        Session session = peer.Call(6);
        peer.Send(session.LocalSessionId, [.. HandPeer.Iccn(), new TestAvp(500, [1])]);
        Assert.Equal((2, 8), Assert.Single(peer.Take()).ResultCode());
        Assert.Equal(SessionState.Idle, session.State);
        Assert.Null(peer.Tunnel.Ended);
    }

    [Fact]
    public void Unknown_mandatory_AVP_in_a_tunnel_message_ends_the_tunnel_with_2_8()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Hello), new TestAvp(500, [1]));
        Assert.Equal((2, 8), Assert.Single(peer.Take()).ResultCode());

        var starting = new HandPeer(bench, Bench.PathOf(port: 5000), 9);
        starting.SendStart("lac", new TestAvp(500, [1]));
        Sent stop = Assert.Single(starting.Take());
        Assert.Equal((2, 8), stop.ResultCode());
        Assert.Equal(9, stop.Header.TunnelId);
    }

    [Fact]
    public void Unknown_optional_AVP_is_ignored_and_noticed_once()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, [.. HandPeer.Icrq(5), new TestAvp(500, [1], Mandatory: false)]);
        peer.Send(0, [.. HandPeer.Icrq(6), new TestAvp(500, [1], Mandatory: false)]);
        Assert.Equal(2, bench.Events.Count(e => e.Kind == L2tpEventKind.CallOffered));
        Assert.Equal(1, bench.Events.Count(e => e.Notice == L2tpNotice.IgnoredAvp));
        Assert.Equal(2, bench.Endpoint.Counters[L2tpCounter.IgnoredAvp]);
    }

    [Fact]
    public void Windows_ICRQ_keeps_its_correlation_ID_and_its_M_bits_are_tolerated()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        var id = Guid.Parse("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        peer.Send(0,
        [
            .. HandPeer.Icrq(5), TestAvp.PhysicalChannelId(3) with { Mandatory = true }, TestAvp.BearerType(2) with { Mandatory = false },
            new TestAvp(1, id.ToByteArray(), Mandatory: false, Vendor: 311),
        ]);
        IncomingCall call = bench.Last(L2tpEventKind.CallOffered).Session!.Call;
        Assert.Equal((3u, 2u, id), (call.PhysicalChannelId, call.BearerType, call.CorrelationId));
        Assert.True(bench.Noticed(L2tpNotice.UnusualMandatoryBit));
    }

    [Fact]
    public void Empty_host_name_is_malformed_and_an_odd_one_is_not()
    {
        var bench = new Bench();
        var peer = new HandPeer(bench, Bench.PathOf());
        peer.SendStart(string.Empty);
        Assert.Equal((2, 3), Assert.Single(peer.Take()).ResultCode());
        Assert.Empty(bench.Endpoint.Tunnels);
        HandPeer odd = HandPeer.Established(bench, ownTunnelId: 3, hostName: "odd");
        Assert.Equal("odd", odd.Tunnel.PeerHostName);
    }

    [Fact]
    public void Unknown_message_type_ends_the_tunnel_with_the_M_bit_and_nothing_without()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, TestAvp.MessageType(99) with { Mandatory = false });
        Assert.Empty(peer.Take());
        Assert.True(bench.Outbox[^1].IsZlb);
        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.IgnoredMessageType]);
        peer.Send(0, TestAvp.MessageType(99));
        Assert.Equal(MessageType.StopCcn, Assert.Single(peer.Take()).Type);
    }

    [Fact]
    public void Meraki_early_SLI_and_WEN_are_acknowledged_and_ignored()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.Call(5);
        peer.Send(session.LocalSessionId, TestAvp.MessageType(L2tpBuilder.Sli), new TestAvp(35, new byte[10]));
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Wen));
        Assert.True(bench.Outbox[^1].IsZlb);
        Assert.Equal(SessionState.WaitConnect, session.State);
        Assert.Equal(2, bench.Endpoint.Counters[L2tpCounter.StatusMessagesIgnored]);
        Assert.True(bench.Noticed(L2tpNotice.EarlyStatusMessage));
        Assert.Null(peer.Tunnel.Ended);
    }

    [Fact]
    public void Apple_that_ignores_HELLO_lives_while_its_data_arrives_and_no_longer()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Tunnel tunnel = peer.Tunnel;
        bench.Pass(61);
        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.HellosSent]);
        for (int i = 0; i < 30; i++)
        {
            bench.Pass(10);
            tunnel.NoteDataReceived(bench.Now);
        }

        Assert.Null(tunnel.Ended);
        Assert.Equal(1, bench.Events.Count(e => e.Notice == L2tpNotice.IgnoredHello));
        bench.Pass(60);
        Assert.Equal(DisconnectOrigin.Timeout, tunnel.Ended!.Origin);
    }

    [Fact]
    public void Data_postpones_HELLO_and_an_interval_of_zero_sends_none()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        for (int i = 0; i < 10; i++)
        {
            bench.Pass(50);
            peer.Tunnel.NoteDataReceived(bench.Now);
        }

        Assert.Equal(0, bench.Endpoint.Counters[L2tpCounter.HellosSent]);

        var quiet = new Bench(Bench.Plain with { Channel = ControlChannelSettings.Default with { HelloInterval = TimeSpan.Zero } });
        HandPeer.Established(quiet);
        quiet.Pass(3600);
        Assert.Equal(0, quiet.Endpoint.Counters[L2tpCounter.HellosSent]);
    }

    [Fact]
    public void Answer_from_another_port_is_followed_during_set_up()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Dialled(bench);
        peer.Path = Bench.PathOf(port: 40_000);
        peer.SendReply();
        Assert.Equal(TunnelState.Established, peer.Tunnel.State);
        Assert.Equal(peer.Path, peer.Tunnel.Path);
        Assert.Equal(MessageType.Scccn, Assert.Single(peer.Take()).Type);
        Assert.True(bench.Noticed(L2tpNotice.AnsweredFromOtherPort));
    }

    [Theory]
    [InlineData(PathChange.Ignore)]
    [InlineData(PathChange.Follow)]
    [InlineData(PathChange.Refuse)]
    public void Changed_port_of_an_established_tunnel_goes_by_policy(PathChange policy)
    {
        var bench = new Bench(Bench.Plain with { OnPathChange = policy });
        HandPeer peer = HandPeer.Established(bench);
        Tunnel tunnel = peer.Tunnel;
        peer.Path = Bench.PathOf("203.0.113.9", 999);
        peer.Send(0, HandPeer.Icrq(5));
        bool follows = policy == PathChange.Follow;
        Assert.Equal(follows, bench.Told(L2tpEventKind.CallOffered));
        Assert.Equal(follows, tunnel.Path == peer.Path);
        L2tpNotice notice = policy switch
        {
            PathChange.Follow => L2tpNotice.PathFollowed,
            PathChange.Refuse => L2tpNotice.PathRefused,
            _ => L2tpNotice.ForeignPath,
        };
        Assert.True(bench.Noticed(notice));
        Assert.Equal(policy == PathChange.Refuse, tunnel.Ended is not null);
        if (policy == PathChange.Refuse)
        {
            Sent stop = bench.Outbox[^1];
            Assert.Equal((MessageType.StopCcn, Bench.PathOf().Peer), (stop.Type, stop.Path.Peer)); // to where the tunnel was
        }
    }

    [Fact]
    public void Stranger_that_guesses_an_ID_but_not_the_numbers_cannot_end_a_tunnel_that_refuses_changes()
    {
        var bench = new Bench(Bench.Plain with { OnPathChange = PathChange.Refuse });
        HandPeer peer = HandPeer.Established(bench);
        var stranger = new HandPeer(bench, Bench.PathOf("203.0.113.9")) { TunnelId = peer.TunnelId, Ns = 9, Nr = 9 };
        stranger.Send(0, HandPeer.Icrq(5));
        Assert.Null(peer.Tunnel.Ended);
        Assert.True(bench.Noticed(L2tpNotice.ForeignPath));
    }

    [Fact]
    public void Octets_after_the_L2TP_length_are_tolerated()
    {
        var bench = new Bench();
        byte[] start = [.. L2tpBuilder.StartControlConnectionRequest(77), 1, 2, 3, 4, 5];
        bench.Receive(Bench.PathOf(), start);
        Assert.Single(bench.Endpoint.Tunnels);

        HandPeer peer = HandPeer.Established(bench, Bench.PathOf("198.51.100.8"), 5);
        bench.Receive(peer.Path, [.. L2tpBuilder.HelloMessage(peer.TunnelId, peer.Ns++, peer.Nr), 0, 0]);
        Assert.True(bench.Noticed(L2tpNotice.TrailingOctets));
    }

    [Fact]
    public void Wrong_protocol_version_gets_StopCCN_5()
    {
        var bench = new Bench();
        bench.Receive(Bench.PathOf(), L2tpBuilder.Control(0, 0, 0, 0, TestAvp.MessageType(1), TestAvp.ProtocolVersion(2),
            TestAvp.FramingCapabilities(), TestAvp.HostName("future"), TestAvp.AssignedTunnelId(5)));
        Assert.Equal((5, 0x100), Assert.Single(bench.Outbox).ResultCode());
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.RefusedVersion]);
    }

    [Fact]
    public void Policy_refuses_with_its_reason_and_without_state()
    {
        var bench = new Bench();
        bench.Policy.RefusedName = "stranger";
        var peer = new HandPeer(bench, Bench.PathOf());
        peer.SendStart("stranger", TestAvp.VendorName("Somebody"));
        Sent stop = Assert.Single(peer.Take());
        Assert.Equal((4, 0), stop.ResultCode());
        Assert.Equal((0, 1), (stop.Header.Ns, stop.Header.Nr));
        Assert.Equal("Somebody", bench.Policy.LastVendorName);
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal(1, bench.Endpoint.Counters[L2tpCounter.RefusedByPolicy]);
    }

    [Fact]
    public void Hidden_assigned_tunnel_ID_in_SCCRQ_is_read_and_its_repetition_known()
    {
        byte[] vector = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        var bench = new Bench(Bench.Plain with { Secret = Encoding.UTF8.GetBytes("s"), AuthenticatePeer = false });
        byte[] start = L2tpBuilder.Control(0, 0, 0, 0, TestAvp.MessageType(1), TestAvp.ProtocolVersion(), TestAvp.FramingCapabilities(),
            TestAvp.HostName("hider"), TestAvp.RandomVector(vector), TestAvp.AssignedTunnelId(321).Hide("s", vector));
        bench.Receive(Bench.PathOf(), start);
        bench.Receive(Bench.PathOf(), start);
        Assert.Equal(321, Assert.Single(bench.Endpoint.Tunnels).PeerTunnelId);
    }

    [Fact]
    public void Malformed_mandatory_AVP_ends_the_session_and_a_malformed_optional_one_is_ignored()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session session = peer.Call(5);

        // Section 7.1's own example: Rx Connect Speed in two octets.
        peer.Send(session.LocalSessionId, [.. HandPeer.Iccn(), TestAvp.Of16(38, 9600, mandatory: false)]);
        Assert.Equal(SessionState.Established, session.State);
        Assert.Null(session.Call.RxConnectSpeed);

        Session second = peer.Call(6);
        peer.Send(second.LocalSessionId, TestAvp.MessageType(L2tpBuilder.Iccn), TestAvp.Of16(24, 9600), TestAvp.FramingType());
        Assert.Equal((2, 2), Assert.Single(peer.Take()).ResultCode());
        Assert.Equal(SessionState.Idle, second.State);
    }

    [Fact]
    public void JunosE_is_told_a_general_error_in_place_of_4_5_and_6()
    {
        var bench = new Bench(Bench.Plain with { RefuseWithGeneralError = true });
        HandPeer peer = HandPeer.Established(bench);
        peer.Offer(5).Refuse(Disconnect.OfSession(CdnResult.NoFacilitiesTemporary), bench.Now);
        bench.Drain();
        Assert.Equal((2, 4), Assert.Single(peer.Take()).ResultCode());
    }

    [Fact]
    public void Call_that_nobody_completes_is_given_up()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        Session forgotten = peer.Offer(5);
        Session halfway = peer.Call(6);
        Session done = peer.ConnectedCall(7);
        peer.Tunnel.NoteDataReceived(bench.Now);
        bench.Pass(61);
        Assert.Equal((SessionState.Idle, SessionState.Idle, SessionState.Established), (forgotten.State, halfway.State, done.State));
        Assert.Equal(2, peer.Take(MessageType.Cdn).Count);
        Assert.Equal(0, bench.Endpoint.SessionsBeingSetUp);
    }

    [Fact]
    public void Outgoing_call_is_refused_and_costs_no_tunnel()
    {
        var bench = new Bench();
        HandPeer peer = HandPeer.Established(bench);
        peer.Send(0, TestAvp.MessageType(L2tpBuilder.Ocrq), TestAvp.AssignedSessionId(5), TestAvp.CallSerialNumber(1), TestAvp.Of32(16, 1),
            TestAvp.Of32(17, 2), TestAvp.BearerType(1), TestAvp.FramingType(), TestAvp.CalledNumber("1"));
        Assert.Equal((5, 0), Assert.Single(peer.Take()).ResultCode());
        Assert.Null(peer.Tunnel.Ended);
    }

    [Fact]
    public void Shard_assigns_only_its_own_tunnel_IDs_and_never_twice()
    {
        var policy = new OnePolicy(Bench.Plain);
        var endpoint = new L2tpEndpoint(EndpointLimits.Default, policy, new CheckedSessionIds(1), new SeededRandom(1), new(8, 3));
        var seen = new HashSet<ushort>();
        for (int i = 0; i < 8000; i++)
        {
            Assert.True(endpoint.TryConnect(Bench.PathOf(), Bench.Plain, Timestamp.Zero, out Tunnel? tunnel));
            Assert.Equal(3, tunnel.LocalTunnelId % 8);
            Assert.True(seen.Add(tunnel.LocalTunnelId));
        }
    }

    [Fact]
    public void Close_all_while_enumerating_leaves_nothing_after_a_while()
    {
        var bench = new Bench();
        HandPeer.Established(bench, ownTunnelId: 1);
        HandPeer.Established(bench, ownTunnelId: 2);
        HandPeer.Dialled(bench, ownTunnelId: 3);
        new HandPeer(bench, Bench.PathOf(port: 7), 4).SendStart();
        bench.Endpoint.CloseAll(Bye, bench.Now);
        Assert.All(bench.Endpoint.Tunnels, tunnel => Assert.NotNull(tunnel.Ended));
        bench.Pass(70);
        Assert.Empty(bench.Endpoint.Tunnels);
        Assert.Equal(Timestamp.Never, bench.Endpoint.NextDeadline);
    }
}
