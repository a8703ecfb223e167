using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

/// <summary>What a LAC wants and allows of LCP (RFC 3437).</summary>
public sealed class LcpGuidanceTests
{
    // The table of section 2.1. The server itself wants an MRU of 1410.
    [Theory]
    [InlineData("0104 0514", "MRU 1300, Magic-Num")]
    [InlineData("0104 05d4", "MRU 1410, Magic-Num")]
    [InlineData("0206 000a0000", "MRU 1410, ACCM 0x000a0000, Magic-Num")]
    [InlineData("0702 0802", ", PFC, ACFC")]
    [InlineData("0903 02", "FCS-Alternatives 0x02")]
    [InlineData("0304c023 0506 01020304 1104 05dc", "MRU 1410, Magic-Num")]
    [InlineData("0702 08", "MRU 1410, Magic-Num")]
    public void The_first_request_is_built_from_what_the_LAC_wants(string want, string expected)
    {
        Bench bench = Open(Hex.Parse(want), null);
        string request = Assert.Single(bench.PullPrinted());
        Assert.Contains(expected, request, StringComparison.Ordinal);
        Assert.DoesNotContain("MRRU", request, StringComparison.Ordinal);
        Assert.DoesNotContain("Auth", request, StringComparison.Ordinal);
    }

    // The table of section 2.2: what is not in the list is what the LAC cannot do.
    [Theory]
    [InlineData("", "0702", "LCP, Conf-Reject (0x04), id 1, length 6, PFC")]
    [InlineData("0702", "0702 0802", "LCP, Conf-Reject (0x04), id 1, length 6, ACFC")]
    [InlineData("0702 0802", "0702 0802", "LCP, Conf-Ack (0x02), id 1, length 8, PFC, ACFC")]
    [InlineData("0702", "0206 00000000", "LCP, Conf-Reject (0x04), id 1, length 10, ACCM 0x00000000")]
    [InlineData("0206 000a0000", "0206 00020000", "LCP, Conf-Ack (0x02), id 1, length 10, ACCM 0x00020000")]
    [InlineData("0206 000a0000", "0206 ffffffff", "LCP, Conf-Nak (0x03), id 1, length 10, ACCM 0x000a0000")]
    [InlineData("0903 06", "0903 02", "LCP, Conf-Ack (0x02), id 1, length 7, FCS-Alternatives 0x02")]
    [InlineData("0903 02", "0903 06", "LCP, Conf-Nak (0x03), id 1, length 7, FCS-Alternatives 0x02")]
    [InlineData("0903 02", "0903 04", "LCP, Conf-Reject (0x04), id 1, length 7, FCS-Alternatives 0x04")]
    [InlineData("", "0506 01020304", "LCP, Conf-Ack (0x02), id 1, length 10, Magic-Num 0x01020304")]
    [InlineData(null, "0702 0802", "LCP, Conf-Ack (0x02), id 1, length 8, PFC, ACFC")]
    [InlineData(null, "0903 02", "LCP, Conf-Reject (0x04), id 1, length 7, FCS-Alternatives 0x02")]
    [InlineData("0702 08", "0702 0802", "LCP, Conf-Ack (0x02), id 1, length 8, PFC, ACFC")]
    public void The_client_gets_what_the_LAC_allows(string? allow, string asked, string expected)
    {
        Bench bench = Open([], allow is null ? null : Hex.Parse(allow));
        _ = bench.Pull();
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, Hex.Parse(asked));
        Assert.Equal([expected], bench.PullPrinted());
    }

    [Fact]
    public void What_was_agreed_on_is_told_once_for_the_LAC()
    {
        Bench bench = Open(Hex.Parse("0206 000a0000"), Hex.Parse("0104 0578 0206 ffffffff 0702"));
        List<byte[]> sent = bench.Pull();
        bench.Acknowledge(PppProtocol.Lcp, sent);
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1, Hex.Parse("0104 05d4 0206 00000001 0702"));
        _ = bench.Pull();

        LcpAgreement agreement = Assert.Single(bench.End.Events, e => e.Kind == PppLinkEventKind.LcpAgreed).Agreement!;
        Assert.Equal(sent[0][8..], agreement.LastSent.ToArray());
        Assert.Equal(Hex.Parse("0104 05d4 0206 00000001 0702"), agreement.LastReceived.ToArray());
        Assert.Equal((0x00000001u, 0x000A0000u), (agreement.SendAccm, agreement.ReceiveAccm));
        Assert.Equal(1400, bench.Link.PeerMru); // no more than the LAC can pass on
    }

    [Fact]
    public void Without_ACCM_the_default_of_RFC_1662_is_told()
    {
        Bench bench = Open(Hex.Parse("0702"), null);
        bench.Acknowledge(PppProtocol.Lcp, bench.Pull());
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, 1);
        _ = bench.Pull();
        LcpAgreement agreement = Assert.Single(bench.End.Events, e => e.Kind == PppLinkEventKind.LcpAgreed).Agreement!;
        Assert.Equal((uint.MaxValue, uint.MaxValue), (agreement.SendAccm, agreement.ReceiveAccm));
    }

    // Magic number and authentication are this end's and the peer's affair; the rest is done at the LAC.
    [Theory]
    [InlineData("0506 01020304", "0506 05060708", false)]
    [InlineData("0104 05d4 0506 01020304", "0506 05060708 0104 05d4", false)]
    [InlineData("0305 c22305", "0304 c023", false)]
    [InlineData("", "0104 05d4", true)]
    [InlineData("0104 05d4", "0104 05d3", true)]
    [InlineData("0206 000a0000", "0206 00000000", true)]
    [InlineData("0702", "", true)]
    [InlineData("0802", "0702", true)]
    [InlineData("0903 02", "0903 04", true)]
    public void Only_what_concerns_the_LAC_is_news_to_it(string before, string after, bool isNews)
    {
        LcpAgreement sent = Sent(before);
        LcpAgreement received = Received(before);
        Assert.True(sent.IsNewsAfter(null));
        Assert.False(Sent(before).IsNewsAfter(sent));
        Assert.True((sent with { ReceiveAccm = 1 }).IsNewsAfter(sent));
        Assert.Equal(isNews, Sent(after).IsNewsAfter(sent));
        Assert.Equal(isNews, Received(after).IsNewsAfter(received));
    }

    [Fact]
    public void LCP_that_opens_again_is_told_and_the_first_time_is_not()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()));
        bench.OpenLcp();
        _ = bench.Pull();
        Assert.Equal(0, bench.End.Count(PppLinkEventKind.LcpReopened));
        for (byte i = 1; i <= 3; i++)
        {
            // In Opened, a request makes this end begin anew with one of its own beside the answer.
            bench.Give(PppProtocol.Lcp, ControlCode.ConfigureRequest, (byte)(100 + i));
            bench.Acknowledge(PppProtocol.Lcp, bench.Pull());
            _ = bench.Pull();
            Assert.Equal(i, bench.End.Count(PppLinkEventKind.LcpReopened));
        }
    }

    [Fact]
    public void A_wish_that_the_client_refuses_is_given_up()
    {
        Bench bench = Open(Hex.Parse("0206 000a0000 0903 02"), null);
        byte[] request = bench.Pull()[0];
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureNak, request[5], Hex.Parse("0206 00000001"));
        Assert.Contains("ACCM 0x000a0001", Assert.Single(bench.PullPrinted()), StringComparison.Ordinal);
        bench.Give(PppProtocol.Lcp, ControlCode.ConfigureReject, (byte)(request[5] + 1), Hex.Parse("0206 000a0001 0903 02"));
        string last = Assert.Single(bench.PullPrinted());
        Assert.DoesNotContain("ACCM", last, StringComparison.Ordinal);
        Assert.DoesNotContain("FCS", last, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_LAC_agreed_on_itself_is_not_told_back_to_it()
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()), open: false);
        bench.Link.Guidance = new LcpGuidance(Hex.Parse("0702"), null);
        bench.Link.Open(new ProxiedNegotiation { LastSent = Hex.Parse("0506 01020304"), LastReceived = Hex.Parse("0702") }, bench.Now);
        _ = bench.Pull();
        Assert.Equal((ProxyUse.Lcp, 0), (bench.Link.Proxy, bench.End.Count(PppLinkEventKind.LcpAgreed)));
    }

    private static LcpAgreement Sent(string options) => new(Hex.Parse(options), default, 0, 0);

    private static LcpAgreement Received(string options) => new(default, Hex.Parse(options), 0, 0);

    private static Bench Open(byte[] want, byte[]? allow)
    {
        var bench = new Bench(Links.Server(Links.ServerSettings()), open: false);
        bench.Link.Guidance = new LcpGuidance(want, allow is null ? null : (ReadOnlyMemory<byte>?)new ReadOnlyMemory<byte>(allow));
        bench.Link.Open(bench.Now);
        return bench;
    }
}
