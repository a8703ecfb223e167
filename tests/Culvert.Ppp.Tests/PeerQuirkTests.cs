using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

/// <summary>What real peers send, each by its name.</summary>
public sealed class PeerQuirkTests
{
    private static readonly byte[] Magic = [5, 6, 1, 2, 3, 4];

    [Fact]
    public void SoftEther_offers_EAP_first_and_gets_a_Nak_with_what_this_end_can()
    {
        var bench = new Bench(Links.Client());
        _ = bench.Pull();
        bench.Give("ff03c021 01 00 000f 03 04 c227 05 06 0a0b0c0d 00");
        Assert.Empty(bench.PullPrinted()); // an option of length 0 cannot be read: discarded

        bench.Give("ff03c021 01 00 0008 03 04 c227");
        Assert.Equal(["LCP, Conf-Nak (0x03), id 0, length 9, Auth-Prot CHAP, MS-CHAPv2"], bench.PullPrinted());
        bench.Give("ff03c021 01 01 0008 03 04 c227");
        Assert.Equal(["LCP, Conf-Nak (0x03), id 1, length 9, Auth-Prot CHAP, MD5"], bench.PullPrinted());
        bench.Give("ff03c021 01 02 0009 03 05 c22381");
        Assert.Equal(["LCP, Conf-Ack (0x02), id 2, length 9, Auth-Prot CHAP, MS-CHAPv2"], bench.PullPrinted());
    }

    [Fact]
    public void Windows_identifies_itself_and_it_is_reported_and_remembered()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Lcp, ControlCode.Identification, 2, [0, 0, 0, 0, .. "MSRASV5.20"u8]), pair.Now);
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Lcp, ControlCode.Identification, 3, [0, 0, 0, 0, .. "MSRAS-0-HOST\u0007"u8]), pair.Now);
        Assert.Empty(pair.Left.Pull(pair.Now));

        Assert.Equal(["MSRASV5.20", "MSRAS-0-HOST\\x07"], pair.Left.Events.Where(e => e.Kind == PppLinkEventKind.Identification).Select(e => e.Text));
        Assert.Equal("MSRAS-0-HOST\\x07", pair.Left.Link.PeerIdentification);
    }

    [Fact]
    public void L2tpns_offers_MRRU_and_never_gets_it_acknowledged()
    {
        var bench = new Bench(Links.Client());
        _ = bench.Pull();
        bench.Give("ff03c021 01 01 000c 01 04 05dc 11 04 064e");
        Assert.Equal(["LCP, Conf-Reject (0x04), id 1, length 8, MRRU 1614"], bench.PullPrinted());
    }

    [Fact]
    public void Unknown_options_are_rejected_octet_for_octet()
    {
        var bench = new Bench(Links.Client());
        _ = bench.Pull();
        bench.Give("ff03c021 01 07 0016 0d 03 06 05 06 01020304 13 07 03 00010203 63 02");
        Assert.Equal(["LCP, Conf-Reject (0x04), id 7, length 16, Callback 0x06, Endpoint-Disc class 3 0x00010203, option-99"], bench.PullPrinted());
    }

    [Theory]
    [InlineData("FF03 FF 03 01")]
    [InlineData("FF03 00FF 01")]
    [InlineData("00FF 01")]
    public void Protocol_00FF_is_none(string frame) =>
        Assert.False(PppFrame.TryRead(Convert.FromHexString(frame.Replace(" ", "", StringComparison.Ordinal)), out _, out _));

    [Fact]
    public void Frames_come_with_and_without_FF03_and_with_short_protocol_numbers_whatever_was_agreed()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        bench.Give("c021 09 05 0008 01020304");
        bench.Give("ff03c021 09 06 0008 01020304 0000");
        bench.Give("ff0321 4500");
        bench.Give("21 4500");

        List<string> answers = bench.PullPrinted();
        Assert.Equal(2, answers.Count);
        Assert.StartsWith("LCP, Echo-Reply (0x0a), id 5, length 8", answers[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Magic_number_zero_is_no_loop()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        byte[] zero = [5, 6, 0, 0, 0, 0];
        _ = bench.Pull();
        for (byte i = 0; i < 5; i++)
        {
            bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, i, zero);
            Assert.StartsWith("LCP, Conf-Nak", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        }

        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 9, zero);
        Assert.Equal(["LCP, Conf-Reject (0x04), id 9, length 10, Magic-Num 0x00000000"], bench.PullPrinted());
        bench.Give(PppProtocol.Lcp, ControlCode.EchoRequest, 1, 0, 0, 0, 0);
        Assert.Null(bench.End.Closed);
    }

    [Fact]
    public void A_looped_link_is_told_apart_and_closed()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.MsChapV2)));
        for (int round = 0; round < 40 && bench.End.Closed is null; round++)
        {
            foreach (byte[] frame in bench.Pull())
            {
                bench.Give(frame);
            }
        }

        Assert.Equal(LinkCloseReason.LoopDetected, bench.End.Closed?.Reason);
    }

    [Fact]
    public void Android_sees_the_servers_IPCP_request_before_its_own_is_answered()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.End.IsAutomatic = false;
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 0, 0, 0, 0);
        Assert.Empty(bench.Pull());

        bench.Link.StartNetwork(Links.ServerIpcp, bench.Now);

        Assert.Equal(
            [
                "IPCP, Conf-Request (0x01), id 1, length 10, IP-Addr 100.64.0.1",
                "IPCP, Conf-Nak (0x03), id 1, length 10, IP-Addr 100.64.0.7",
            ],
            bench.PullPrinted());
    }

    [Fact]
    public void IPCP_that_comes_before_the_verdict_is_answered_right_after_it()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.Pap)));
        bench.End.IsAutomatic = false;
        bench.OpenLcp(Magic);
        bench.Give("ff03c023 01 01 0018 05 616c696365 0d 636f72726563742d686f727365");
        _ = bench.Pull();
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 0, 0, 0, 0);
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 2, 3, 6, 0, 0, 0, 0);
        Assert.Empty(bench.Pull());

        bench.End.IsAutomatic = true;
        AuthenticationRequest request = bench.End.Events[^1].Request!;
        bench.Link.Decide(request, request.Check("correct-horse"), bench.Now);

        Assert.Equal(
            [
                "PAP, Auth-Ack (0x02), id 1, length 19 \"Access granted\"",
                "IPCP, Conf-Request (0x01), id 1, length 10, IP-Addr 100.64.0.1",
                "IPCP, Conf-Nak (0x03), id 2, length 10, IP-Addr 100.64.0.7",
            ],
            bench.PullPrinted());
    }

    [Fact]
    public void MikroTik_ends_IPCP_for_a_while_and_the_link_stays()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Ipcp, ControlCode.TerminateAck, 77), pair.Now);
        Assert.True(pair.Run(() => pair.Left.Count(PppLinkEventKind.NetworkUp) == 2, TimeSpan.FromSeconds(20)), pair.Trace);

        // Ended by the peer, and begun again: up. Ended and not begun again: the link waits for it, but not for ever.
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Ipcp, ControlCode.TerminateRequest, 78), pair.Now);
        Assert.True(pair.Run(() => pair.Left.Count(PppLinkEventKind.NetworkUp) == 3, TimeSpan.FromSeconds(20)), pair.Trace);
        _ = pair.Run(10);
        Assert.True(Links.BothUp(pair));
        pair.Filter = (_, frame) => frame is not [0xFF, 0x03, 0x80, 0x21, ..];
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Ipcp, ControlCode.TerminateRequest, 79), pair.Now);
        _ = pair.Run(20);
        Assert.Null(pair.Left.Closed);
        Assert.Equal(3, pair.Left.Count(PppLinkEventKind.NetworkDown));
        Assert.True(pair.Run(() => pair.Left.Closed is not null, TimeSpan.FromSeconds(100)), pair.Trace);
        Assert.Equal(LinkCloseReason.NetworkTimeout, pair.Left.Closed!.Value.Reason);
    }

    [Fact]
    public void IPV6CP_CCP_and_MPLSCP_get_a_Protocol_Reject_but_not_without_end()
    {
        LinkPair pair = Links.UpPair();
        foreach (PppProtocol protocol in (PppProtocol[])[PppProtocol.Ipv6cp, PppProtocol.CompressionControl, PppProtocol.MplsControl])
        {
            pair.Left.Link.Receive(Bench.Frame(protocol, ControlCode.ConfigureRequest, 1), pair.Now);
            string answer = PppPrinter.Print(Assert.Single(pair.Left.Pull(pair.Now)));
            Assert.EndsWith($"rejected {PppPrinter.NameOf(protocol)}", answer, StringComparison.Ordinal);
        }

        int answers = 0;
        for (int i = 0; i < 1000; i++)
        {
            pair.Left.Link.Receive(Bench.Frame(PppProtocol.Ipv6cp, ControlCode.ConfigureRequest, 1), pair.Now);
            answers += pair.Left.Pull(pair.Now).Count;
        }

        Assert.Equal(7, answers);
        Assert.True(pair.Left.Link.IsNetworkUp);
    }

    // The peer asked for it, agreed to it, and then does not know it.
    [Theory]
    [InlineData("0304c023", PppProtocol.Pap, false)]
    [InlineData("0305c22305", PppProtocol.Chap, false)]
    [InlineData("0304c023", PppProtocol.Pap, true)]
    public void A_Protocol_Reject_of_what_this_end_was_asked_for_ends_the_link_and_says_which(string asked, PppProtocol protocol, bool isMutual)
    {
        var settings = new PppLinkSettings
        {
            AuthenticatePeer = isMutual ? [AuthenticationMethod.ChapMd5] : [],
            Credentials = new AuthenticationCredentials("alice", "correct-horse"),
            AcceptedMethods = [AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap],
        };
        var bench = new Bench(Links.Client(settings));
        bench.OpenLcp(Hex.Parse(asked));
        _ = bench.Pull();
        Assert.Equal(PppPhase.Authenticate, bench.Link.Phase);

        bench.Give(PppProtocol.Lcp, ControlCode.ProtocolReject, 7, (byte)((ushort)protocol >> 8), (byte)protocol);
        Assert.Contains(bench.PullPrinted(), f => f.StartsWith("LCP, Term-Request", StringComparison.Ordinal));
        bench.Wait(60);
        Assert.Equal((LinkCloseReason.AuthenticationRefused, protocol), (bench.End.Closed!.Value.Reason, bench.End.Closed.Value.Protocol));
    }

    [Fact]
    public void A_Protocol_Reject_of_IPCP_ends_IPCP_only_until_the_time_for_a_network_is_up()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Lcp, ControlCode.ProtocolReject, 1, 0x80, 0x21, 1, 1, 0, 4), pair.Now);
        _ = pair.Left.Pull(pair.Now);
        Assert.Equal((1, PppPhase.Network), (pair.Left.Count(PppLinkEventKind.NetworkDown), pair.Left.Link.Phase));
        pair.Filter = (_, frame) => frame is not [0xFF, 0x03, 0x80, ..];

        Assert.True(pair.Run(() => pair.Left.Closed is not null, TimeSpan.FromMinutes(2)), pair.Trace);
        Assert.Equal(LinkCloseReason.NetworkRejected, pair.Left.Closed!.Value.Reason);
        Assert.Contains("the peer rejects IPCP", pair.Left.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(InsistencePolicy.Reject)]
    [InlineData(InsistencePolicy.Allow)]
    public void A_client_that_insists_on_its_address_is_decided_on_after_a_few_rounds(InsistencePolicy policy)
    {
        var policyOf = new IpcpPolicy { InsistentAddress = policy };
        var bench = new Bench(Links.Server(Links.ServerSettings(), new IpcpSettings(Links.Gateway, Links.Assigned, policyOf)));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        bench.Acknowledge(PppProtocol.Ipcp, bench.Pull());
        byte[] insisted = [3, 6, 198, 51, 100, 9];
        for (byte i = 1; i <= 5; i++)
        {
            bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, i, insisted);
            Assert.StartsWith("IPCP, Conf-Nak", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        }

        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 6, insisted);
        string answer = Assert.Single(bench.PullPrinted());
        if (policy == InsistencePolicy.Allow)
        {
            Assert.StartsWith("IPCP, Conf-Ack", answer, StringComparison.Ordinal);
            Assert.Equal(IpAddress.Parse("198.51.100.9"), bench.Link.PeerAddress);
            return;
        }

        Assert.StartsWith("IPCP, Conf-Reject", answer, StringComparison.Ordinal);
        for (int i = 7; i < 60 && bench.Link.Phase == PppPhase.Network; i++)
        {
            bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, (byte)i, insisted);
            _ = bench.Pull();
        }

        bench.Wait(30);
        Assert.Equal(LinkCloseReason.NegotiationFailed, bench.End.Closed!.Value.Reason);
        Assert.Equal(
            "IPCP did not converge in 30 rounds: option IP-Addr, the peer says 198.51.100.9, assigned is 100.64.0.7",
            bench.End.Closed.Value.Text);
    }

    [Fact]
    public void A_client_that_insists_on_its_DNS_goes_without()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        bench.Acknowledge(PppProtocol.Ipcp, bench.Pull());
        byte[] address = [3, 6, 100, 64, 0, 7];
        byte[] own = [129, 6, 198, 51, 100, 1];
        for (byte i = 1; i <= 5; i++)
        {
            bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, i, [.. address, .. own]);
            Assert.Equal([$"IPCP, Conf-Nak (0x03), id {i}, length 10, Pri-DNS 192.0.2.53"], bench.PullPrinted());
        }

        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 6, [.. address, .. own]);
        Assert.Equal(["IPCP, Conf-Reject (0x04), id 6, length 10, Pri-DNS 198.51.100.1"], bench.PullPrinted());
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 7, address);
        _ = bench.Pull();
        Assert.True(bench.Link.IsNetworkUp);
    }

    [Fact]
    public void NBNS_compression_and_the_old_IP_Addresses_option_are_rejected()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        _ = bench.Pull();
        bench.Give("ff038021 01 04 0026 01 0a c0000201 c0000202 02 06 002d 0f 01 03 06 00000000 82 06 00000000 84 06 00000000");

        Assert.Equal(
            ["IPCP, Conf-Reject (0x04), id 4, length 32, IP-Addresses 192.0.2.1 192.0.2.2, IP-Comp VJ, Pri-NBNS 0.0.0.0, Sec-NBNS 0.0.0.0"],
            bench.PullPrinted());
    }

    [Fact]
    public void A_peer_that_does_not_ask_for_its_address_is_told_it_once()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        bench.Acknowledge(PppProtocol.Ipcp, bench.Pull());
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1);
        Assert.Equal(["IPCP, Conf-Nak (0x03), id 1, length 10, IP-Addr 100.64.0.7"], bench.PullPrinted());
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 2);
        Assert.Equal(["IPCP, Conf-Ack (0x02), id 2, length 4"], bench.PullPrinted());
        Assert.Equal(Links.Assigned, bench.Link.PeerAddress);
    }

    [Fact]
    public void Some_CPE_use_CHAP_after_they_acknowledged_PAP_and_are_challenged()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.Pap, AuthenticationMethod.ChapMd5)));
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        bench.Give("ff03c223 02 01 001a 10 00112233445566778899aabbccddeeff 616c696365");

        Assert.StartsWith("CHAP, Challenge (0x01)", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        Assert.Equal(AuthenticationMethod.ChapMd5, bench.Link.PeerMethod);
    }

    [Fact]
    public void PAP_is_not_taken_where_CHAP_was_agreed()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap)));
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        bench.Give("ff03c023 01 01 0018 05 616c696365 0d 636f72726563742d686f727365");

        Assert.Empty(bench.Pull());
        Assert.Equal(0, bench.End.Count(PppLinkEventKind.AuthenticationRequested));
    }

    [Fact]
    public void A_repeated_request_in_an_open_link_is_acknowledged_again_and_not_taken_for_a_new_negotiation()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        for (int i = 0; i < 3; i++)
        {
            bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, Magic);
            Assert.Equal(["LCP, Conf-Ack (0x02), id 1, length 10, Magic-Num 0x01020304"], bench.PullPrinted());
        }

        Assert.Equal(PppPhase.Network, bench.Link.Phase);
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, Magic);
        Assert.Equal(PppPhase.Establish, bench.Link.Phase);
    }

    [Fact]
    public void Compression_that_the_peer_offers_is_used_towards_it_but_not_for_LCP()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp([.. Magic, 7, 2, 8, 2]);
        Assert.Equal(new PppFraming(Acfc: true, Pfc: true), bench.Link.TransmitFraming);
        _ = bench.Pull();
        _ = bench.Pull();
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 100, 64, 0, 7);
        Assert.Equal([0x80, 0x21, 2], bench.Pull()[^1][..3]);
        bench.Give(PppProtocol.Lcp, ControlCode.EchoRequest, 1, 9, 9, 9, 9);
        Assert.Equal([0xFF, 0x03, 0xC0, 0x21, 10], bench.Pull()[^1][..5]);
    }

    [Fact]
    public void An_unknown_code_is_rejected_and_a_rejected_code_is_not_used_again()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        _ = bench.Pull();
        bench.Give(PppProtocol.Lcp, (ControlCode)42, 5, 1, 2);
        Assert.Equal(["LCP, Code-Reject (0x07), id 2, length 10, rejected unknown code id 5"], bench.PullPrinted());

        bench.Give(PppProtocol.Lcp, ControlCode.CodeReject, 6, 9, 1, 0, 8, 0, 0, 0, 0);
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 100, 64, 0, 7);
        bench.Acknowledge(PppProtocol.Ipcp, [[0xFF, 3, 0x80, 0x21, 1, 1, 0, 10, 3, 6, 100, 64, 0, 1]]);
        bench.End.React(bench.Now);
        Assert.Equal(Timestamp.Never, bench.Link.NextDeadline);
    }

    [Fact]
    public void A_reject_of_what_everybody_must_know_ends_the_link()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        _ = bench.Pull();
        bench.Give(PppProtocol.Lcp, ControlCode.CodeReject, 1, 1, 1, 0, 4);
        bench.End.React(bench.Now);
        Assert.Equal(LinkCloseReason.NegotiationFailed, bench.End.Closed!.Value.Reason);
        Assert.Contains("ConfigureRequest", bench.End.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_that_never_likes_the_MRU_ends_the_link_and_the_reason_names_the_option()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        for (int i = 0; i < 100 && bench.End.Closed is null; i++)
        {
            foreach (byte[] frame in bench.Pull().Where(static f => f[4] == (byte)ControlCode.ConfigureRequest))
            {
                bench.Give(PppProtocol.Lcp, ControlCode.ConfigureNak, frame[5], 1, 4, 4, (byte)i);
            }

            bench.Wait(0.1);
        }

        bench.Wait(10);
        Assert.Equal(LinkCloseReason.NegotiationFailed, bench.End.Closed!.Value.Reason);
        Assert.Equal("LCP did not converge in 30 rounds: option MRU", bench.End.Closed.Value.Text);
    }

    [Fact]
    public void A_client_that_wants_another_gateway_address_does_not_get_it_and_it_ends()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        for (int i = 0; i < 100 && bench.Link.Phase == PppPhase.Network; i++)
        {
            foreach (byte[] frame in bench.Pull().Where(static f => f[3] == 0x21 && f[2] == 0x80 && f[4] == (byte)ControlCode.ConfigureRequest))
            {
                Assert.Equal([3, 6, 100, 64, 0, 1], frame[8..]);
                bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureNak, frame[5], 3, 6, 198, 51, 100, 1);
            }
        }

        bench.Wait(10);
        Assert.Equal(LinkCloseReason.NegotiationFailed, bench.End.Closed!.Value.Reason);
        Assert.Contains("option IP-Addr, the peer says 198.51.100.1", bench.End.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ControlCode.ConfigureAck, "acknowledged 0.0.0.0")]
    [InlineData(ControlCode.ConfigureReject, "refuses to assign an address")]
    public void A_server_without_an_address_for_this_end_is_left(ControlCode answer, string reason)
    {
        var client = new IpcpSettings(default, default, new IpcpPolicy { AcceptLocalAddress = true });
        var bench = new Bench(Links.Client(ipcp: client));
        bench.OpenLcp(Magic);
        bench.End.React(bench.Now);
        _ = bench.Pull();
        bench.Give(PppProtocol.Ipcp, ControlCode.ConfigureRequest, 1, 3, 6, 100, 64, 0, 1);
        bench.Give(PppProtocol.Ipcp, answer, 1, 3, 6, 0, 0, 0, 0);
        bench.Wait(10);

        Assert.Equal(LinkCloseReason.NegotiationFailed, bench.End.Closed!.Value.Reason);
        Assert.Contains(reason, bench.End.Closed.Value.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Cisco_ASA_challenges_again_in_the_open_link_and_is_answered()
    {
        var bench = new Bench(Links.Client());
        bench.OpenLcp([.. Magic, 3, 5, 0xC2, 0x23, 5]);
        _ = bench.Pull();
        bench.Give(PppProtocol.Chap, (ControlCode)1, 7, [4, 1, 2, 3, 4, .. "asa"u8]);
        Assert.StartsWith("CHAP, Response (0x02), id 7", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        bench.Give(PppProtocol.Chap, (ControlCode)3, 7);
        _ = bench.Pull();
        Assert.Equal(PppPhase.Network, bench.Link.Phase);

        bench.Give(PppProtocol.Chap, (ControlCode)1, 8, [4, 5, 6, 7, 8, .. "asa"u8]);
        Assert.StartsWith("CHAP, Response (0x02), id 8", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        Assert.Equal((PppPhase.Network, 1), (bench.Link.Phase, bench.End.Count(PppLinkEventKind.Authenticated)));
    }

    [Fact]
    public void L2tpns_rejects_IPV6CP_and_the_link_stays_up()
    {
        LinkPair pair = Links.UpPair();
        pair.Left.Link.Receive(Bench.Frame(PppProtocol.Lcp, ControlCode.ProtocolReject, 1, 0x80, 0x57, 1, 1, 0, 14), pair.Now);
        _ = pair.Run(30);
        Assert.True(Links.BothUp(pair), pair.Trace);
        Assert.Equal(0, pair.Left.Count(PppLinkEventKind.NetworkDown));
    }

    [Fact]
    public void L2tpns_knows_CHAP_and_PAP_only_and_gets_CHAP()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings(AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap)));
        byte[] request = Assert.Single(bench.Pull());
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureNak, request[5], 3, 5, 0xC2, 0x23, 5);
        Assert.Contains("Auth-Prot CHAP, MD5", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
    }

    [Fact]
    public void L2tpns_as_LAC_repeats_its_challenge_and_the_same_answer_is_given()
    {
        var bench = new Bench(Links.Client());
        bench.OpenLcp([.. Magic, 3, 5, 0xC2, 0x23, 5]);
        _ = bench.Pull();
        byte[] challenge = [4, 1, 2, 3, 4, .. "l2tpns"u8];
        bench.Give(PppProtocol.Chap, (ControlCode)1, 7, challenge);
        byte[] answer = Assert.Single(bench.Pull());
        bench.Wait(1.2);
        bench.Give(PppProtocol.Chap, (ControlCode)1, 7, challenge);
        Assert.Equal(answer, Assert.Single(bench.Pull()));

        // It has found its tunnel meanwhile; behind it the LNS begins with LCP, in the open link.
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, 5, 6, 9, 9, 9, 9, 3, 5, 0xC2, 0x23, 5);
        Assert.Collection(
            bench.PullPrinted(),
            first => Assert.StartsWith("LCP, Conf-Request", first, StringComparison.Ordinal),
            second => Assert.StartsWith("LCP, Conf-Ack", second, StringComparison.Ordinal));
    }

    [Fact]
    public void SoftEther_sends_an_echo_request_before_LCP_is_open_and_it_does_no_harm()
    {
        var bench = new Bench(Links.Client());
        _ = bench.Pull();
        bench.Give(PppProtocol.Lcp, ControlCode.EchoRequest, 1, 0, 0, 0, 0);
        Assert.Empty(bench.Pull()); // RFC 1661 section 5.8: only in the Opened state
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 2, Magic);
        Assert.StartsWith("LCP, Conf-Ack", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
    }

    [Fact]
    public void Pppd_of_xl2tpd_misses_the_first_request_and_gets_the_second()
    {
        var pair = new LinkPair(Links.Server(Links.ServerSettings(AuthenticationMethod.ChapMd5)), Links.Client());
        bool isAttached = false;
        pair.Filter = (from, _) => from != pair.Left || isAttached;
        pair.Left.Link.Open(pair.Now);
        _ = pair.Run(0.5);
        isAttached = true;
        pair.Right.Link.Open(pair.Now);
        Assert.True(pair.Run(() => Links.BothUp(pair), TimeSpan.FromSeconds(5)), pair.Trace);
    }
}
