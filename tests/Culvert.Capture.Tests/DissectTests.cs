using Culvert.Testing;

namespace Culvert.Capture.Tests;

public sealed class DissectTests
{
    private static readonly byte[] Request = Captures.ToLns(L2tpBuilder.StartControlConnectionRequest(7));

    public static TheoryData<LinkType, string> LinkHeaders => new()
    {
        { LinkType.Ethernet, "020000000001 020000000002 0800" },
        { LinkType.Ethernet, "020000000001 020000000002 8100 0005 0800" },
        { LinkType.Ethernet, "020000000001 020000000002 88a8 0005 8100 0006 0800" },
        { LinkType.Raw, "" },
        { LinkType.RawBsd, "" },
        { LinkType.RawOpenBsd, "" },
        { LinkType.IPv4, "" },
        { LinkType.LinuxCooked, "0000 0001 0006 0200000000010000 0800" },
        { LinkType.LinuxCookedV2, "0800 0000 00000003 0001 00 06 0200000000010000" },
        { LinkType.Null, "02000000" },
        { LinkType.Loop, "00000002" },
    };

    [Theory]
    [MemberData(nameof(LinkHeaders))]
    public void Every_link_type_leads_to_the_message(LinkType type, string header)
    {
        (string text, CaptureReader reader, _) = Captures.Decode(Captures.Pcap(type, [.. Hex.Parse(header), .. Request]));
        Assert.Null(reader.Problem);
        Assert.StartsWith("00:00:00.000000 192.0.2.1:1701 > 198.51.100.1:1701: l2tp:[TLS](0/0)Ns=0,Nr=0 *Message Type(SCCRQ)", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LinkType.Ppp, "ff03c02101010004", " LCP, Conf-Request")]
    [InlineData(LinkType.PppSerial, "ff03c02101010004", " LCP, Conf-Request")]
    [InlineData(LinkType.PppWithDirection, "01ff03c02101010004", " sent: LCP, Conf-Request")]
    [InlineData(LinkType.PppWithDirection, "00c02101010004", " received: LCP, Conf-Request")]
    public void Bare_ppp_is_printed(LinkType type, string frame, string expected) =>
        Assert.Contains(expected, Captures.Decode(Captures.Pcap(type, Hex.Parse(frame))).Text, StringComparison.Ordinal);

    [Fact]
    public void An_unknown_link_type_is_told()
    {
        (string text, CaptureReader reader, CaptureDecoder decoder) = Captures.Decode(Captures.Pcap((LinkType)147, Request));
        Assert.Empty(text);
        Assert.Equal("0 of 1 frames shown, 1 of a link type not known here (147)", decoder.Summary(reader));
    }

    /// <summary>RFC 2661 section 8.1: the answer may come from any port; from there on neither end uses 1701.</summary>
    [Fact]
    public void A_tunnel_is_followed_to_random_ports()
    {
        byte[] file = Captures.Pcap(
            LinkType.Raw,
            Captures.ToLac(L2tpBuilder.Data(3, 4, [0xC0, 0x21, 9, 1, 0, 4]), 50_000, 40_000), // nobody has seen these ports yet
            Captures.ToLns(L2tpBuilder.StartControlConnectionRequest(7), 40_000, 1701),
            Captures.ToLac(L2tpBuilder.StartControlConnectionReply(7, 5, 0, 1), 50_000, 40_000),
            Captures.ToLns(L2tpBuilder.Data(5, 9, [0xC0, 0x21, 9, 1, 0, 4]), 40_000, 50_000),
            Captures.ToLns([1, 2, 3, 4, 5, 6, 7, 8], 40_001, 53));
        (_, CaptureReader reader, CaptureDecoder decoder) = Captures.Decode(file);
        Assert.Equal("3 of 5 frames shown, 2 without L2TP or PPP", decoder.Summary(reader));
    }

    [Fact]
    public void A_control_message_is_known_on_any_port()
    {
        byte[] file = Captures.Pcap(
            LinkType.Raw,
            Captures.ToLns(L2tpBuilder.StartControlConnectionRequest(7), 40_000, 11_701),
            Captures.ToLac(L2tpBuilder.Zlb(7, 0, 1), 11_701, 40_000));
        Assert.Equal(2, Captures.Decode(file).Decoder.PrintedCount);
    }

    [Fact]
    public void Other_versions_are_named()
    {
        byte[] file = Captures.Pcap(LinkType.Raw, Captures.ToLns(Hex.Parse("0001 0000 0000 0000")), Captures.ToLns(Hex.Parse("c803 000c 00000000 0000 0000")));
        string text = Captures.Decode(file).Text;
        Assert.Contains("L2F", text, StringComparison.Ordinal);
        Assert.Contains("L2TPv3", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Fragments_are_counted()
    {
        byte[] first = [.. Request];
        first[6] = 0x20;
        byte[] later = [.. Request];
        later[7] = 0x10;
        (string text, CaptureReader reader, CaptureDecoder decoder) = Captures.Decode(Captures.Pcap(LinkType.Raw, first, later));
        Assert.Empty(text);
        Assert.Equal("0 of 2 frames shown, 2 IP fragments skipped", decoder.Summary(reader));
    }

    [Fact]
    public void A_cut_frame_is_told_from_a_bad_one()
    {
        string text = Captures.Decode(Captures.Pcap(LinkType.Raw, Request[..60])).Text;
        Assert.Contains("[cut by the capture]", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_peer_wrote_cannot_forge_a_line()
    {
        byte[] evil = L2tpBuilder.StartControlConnectionRequest(7, "a\n12:00:00 fake\u001b[31m");
        string text = Captures.Decode(Captures.Pcap(LinkType.Raw, Captures.ToLns(evil))).Text;
        Assert.Equal(1, text.Count(c => c == '\n'));
        Assert.DoesNotContain('\u001b', text);
    }
}
