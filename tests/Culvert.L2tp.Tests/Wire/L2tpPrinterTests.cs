using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class L2tpPrinterTests
{
    [Theory]
    [InlineData(nameof(GoldenPackets.Zlb), "l2tp:[TLS](48879/0)Ns=3,Nr=5 ZLB")]
    [InlineData(nameof(GoldenPackets.Hello), "l2tp:[TLS](48879/0)Ns=3,Nr=4 *Message Type(HELLO)")]
    [InlineData(nameof(GoldenPackets.Data), "l2tp:[](48879/34661) {8 octets}")]
    [InlineData(nameof(GoldenPackets.DataWithEverything), "l2tp:[LSOP](48879/34661)Ns=7,Nr=0 offset=2 {8 octets}")]
    [InlineData(nameof(GoldenPackets.Sccrq),
        "l2tp:[TLS](0/0)Ns=0,Nr=0 *Message Type(SCCRQ) *Protocol Version(1.0) *Framing Capabilities(sync+async) " +
        "*Bearer Capabilities(analog) Tie Breaker(0x0123456789abcdef) Firmware Revision(1680) *Host Name(\"lac1\") " +
        "Vendor Name(\"Acme!\") *Assigned Tunnel ID(4660) *Receive Window Size(16) *Challenge(0102030405060708090a0b0c0d)")]
    [InlineData(nameof(GoldenPackets.StopCcn),
        "l2tp:[TLS](48879/0)Ns=2,Nr=1 *Message Type(StopCCN) *Assigned Tunnel ID(4660) " +
        "*Result Code(2 general error, error 8 unknown AVP with the M bit set, \"unknown AVP 999\")")]
    [InlineData(nameof(GoldenPackets.Cdn),
        "l2tp:[TLS](48879/34661)Ns=4,Nr=2 *Message Type(CDN) *Result Code(3 administrative reasons) *Assigned Session ID(17185) " +
        "*Q.931 Cause Code(cause 16, message 69, \"bye\") " +
        "PPP Disconnect Cause Code(code 16, protocol 0xc223, at local, \"wrong password\")")]
    [InlineData(nameof(GoldenPackets.Wen),
        "l2tp:[TLS](48879/34661)Ns=5,Nr=2 *Message Type(WEN) " +
        "*Call Errors(CRC 1, framing 2, hardware overruns 3, buffer overruns 4, time-outs 5, alignment 6)")]
    [InlineData(nameof(GoldenPackets.Sli),
        "l2tp:[TLS](4660/17185)Ns=2,Nr=5 *Message Type(SLI) *ACCM(send 0x000a0000, receive 0xffffffff)")]
    [InlineData(nameof(GoldenPackets.Icrq),
        "l2tp:[TLS](48879/0)Ns=2,Nr=1 *Message Type(ICRQ) *Assigned Session ID(17185) *Call Serial Number(42) *Bearer Type(none) " +
        "Physical Channel ID(7) *Calling Number(\"551\") *Called Number(\"442\") *Sub-Address(\"09\") " +
        "Microsoft Correlation ID(000102030405060708090a0b0c0d0e0f) Agent-Circuit-Id(\"port 1\") " +
        "Actual-Data-Rate-Downstream(100000000 bps) Access-Loop-Encapsulation(data link 1, encapsulation 2, 0)")]
    [InlineData(nameof(GoldenPackets.HiddenSccrq),
        "l2tp:[TLS](0/0)Ns=0,Nr=0 *Message Type(SCCRQ) *Protocol Version(1.0) *Framing Capabilities(sync+async) *Host Name(\"lac1\") " +
        "*Random Vector(000102030405060708090a0b0c0d0e0f) *?Assigned Tunnel ID(hidden, 4 octets) " +
        "vendor 311 attribute 99(00112233445566778899aabb)")]
    public void A_packet_prints_on_one_line(string name, string expected) =>
        Assert.Equal(expected, L2tpPrinter.ToLine(GoldenPackets.All[name]));

    [Theory]
    [InlineData("c8", "l2tp:[refused: header truncated] 1 octets")]
    [InlineData("c803 000c 0000 0000 0000 0000", "l2tp:[refused: version 3, L2TPv3] 12 octets")]
    [InlineData("c802 000c 0001 0000 0000 0000 ffff", "l2tp:[TLS](1/0)Ns=0,Nr=0 ZLB [2 trailing octets]")]
    [InlineData("c802 0017 0001 0000 0000 0000  8008 0000 0000 0006 8000 ff",
        "l2tp:[TLS](1/0)Ns=0,Nr=0 *Message Type(HELLO) [malformed after 1 AVPs: AVP header truncated]")]
    [InlineData("c802 001d 0001 0000 0000 0000  8008 0000 0000 0006 8009 0000 0009 010203",
        "l2tp:[TLS](1/0)Ns=0,Nr=0 *Message Type(HELLO) *Assigned Tunnel ID(wrong length 3: 010203)")]
    public void What_is_wrong_is_said(string hex, string expected) => Assert.Equal(expected, L2tpPrinter.ToLine(Hex.Parse(hex)));

    [Fact]
    public void Verbose_output_has_an_AVP_per_line()
    {
        Assert.Equal(
            """
            L2TP control message [TLS], tunnel 4660, session 17185, Ns 1, Nr 3, 28 octets
                *Message Type: ICRP
                *Assigned Session ID: 34661

            """.ReplaceLineEndings("\n"),
            L2tpPrinter.ToVerbose(GoldenPackets.Icrp));
    }

    [Fact]
    public void Passwords_and_responses_are_counted_not_shown()
    {
        string text = L2tpPrinter.ToLine(GoldenPackets.Iccn) + L2tpPrinter.ToVerbose(GoldenPackets.Sccrp);

        Assert.Contains("Proxy Authen Response(16 octets)", text, StringComparison.Ordinal);
        Assert.Contains("*Challenge Response: 16 octets", text, StringComparison.Ordinal);
        Assert.DoesNotContain("a0a1a2", text, StringComparison.Ordinal);
        Assert.DoesNotContain("f0f1f2", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_cannot_break_a_line_or_forge_what_follows()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(1), TestAvp.HostName("a\r\n\") *Host Name(\"root\\"));

        Assert.Equal(
            "l2tp:[TLS](1/0)Ns=0,Nr=0 *Message Type(SCCRQ) *Host Name(\"a\\x0d\\x0a\\x22) *Host Name(\\x22root\\x5c\")",
            L2tpPrinter.ToLine(packet));
    }

    [Fact]
    public void Long_values_and_long_messages_are_cut()
    {
        TestAvp text = TestAvp.OfText(8, new string('\u0001', 900), mandatory: false);
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, [TestAvp.MessageType(1), .. Enumerable.Repeat(text, 70)]);

        string line = L2tpPrinter.ToLine(packet);
        Assert.Contains("...(+644)", line, StringComparison.Ordinal);
        Assert.EndsWith(" [more AVPs not shown]", line, StringComparison.Ordinal);
        Assert.InRange(line.Length, L2tpPrinter.MaximumCharacters, L2tpPrinter.MaximumCharacters + 2000);
    }
}
