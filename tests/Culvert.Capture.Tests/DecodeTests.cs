using System.Text.Json;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Capture.Tests;

public sealed class DecodeTests
{
    private const string Update = "CULVERT_UPDATE_SNAPSHOTS";

    /// <summary>A session of xl2tpd and pppd with PAP, from SCCRQ to StopCCN, exactly as it is printed.</summary>
    [Theory]
    [InlineData(PacketStyle.Line, "xl2tpd-xl2tpd-pap.txt")]
    [InlineData(PacketStyle.Tree, "xl2tpd-xl2tpd-pap.tree.txt")]
    public void A_real_capture_prints_as_it_did(PacketStyle style, string snapshot)
    {
        (string text, CaptureReader reader, CaptureDecoder decoder) = Captures.Decode(
            File.ReadAllBytes(Captures.VectorPath("xl2tpd-xl2tpd-pap.pcap")), style);
        Assert.Null(reader.Problem);
        Assert.Equal("49 of 49 frames shown", decoder.Summary(reader));
        if (Environment.GetEnvironmentVariable(Update) is { Length: > 0 } folder)
        {
            File.WriteAllText(Path.Combine(folder, snapshot), text);
        }

        Assert.Equal(File.ReadAllText(Captures.VectorPath(snapshot)), text);
    }

    /// <summary>The independent reader of the tests finds the same datagrams.</summary>
    [Fact]
    public void A_real_capture_is_read_whole()
    {
        byte[] file = File.ReadAllBytes(Captures.VectorPath("xl2tpd-xl2tpd-pap.pcap"));
        int datagrams = PcapFile.ReadUdp(file).Count(d => d.Source.Port == 1701 || d.Destination.Port == 1701);
        Assert.Equal(datagrams, Captures.Decode(file).Decoder.PrintedCount);
    }

    [Fact]
    public void Passwords_are_not_printed()
    {
        byte[] file = File.ReadAllBytes(Captures.VectorPath("xl2tpd-xl2tpd-pap.pcap"));
        foreach (PacketStyle style in Enum.GetValues<PacketStyle>())
        {
            string text = Captures.Decode(file, style).Text;
            Assert.Contains("PAP, Auth-Request", text, StringComparison.Ordinal);
            Assert.Matches("password [0-9]+", text);
        }
    }

    [Fact]
    public void Json_is_one_object_per_line()
    {
        byte[] file = Captures.PcapNg(false, L2tpBuilder.StartControlConnectionRequest(7), L2tpBuilder.Zlb(7, 0, 1));
        string[] lines = Captures.Decode(file, PacketStyle.Json).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        JsonElement first = JsonDocument.Parse(lines[0]).RootElement;
        Assert.Equal("SCCRQ", first.GetProperty("type").GetString());
        Assert.Equal("1700000000.123456789", first.GetProperty("time").GetRawText());
        Assert.Equal("received", first.GetProperty("direction").GetString());
        Assert.Equal("192.0.2.1:40000", first.GetProperty("source").GetString());
        Assert.Equal("session 7/9 of alice", first.GetProperty("comment").GetString());
        Assert.Contains(first.GetProperty("avps").EnumerateArray(), a =>
            a.GetProperty("name").GetString() == "Assigned Tunnel ID" && a.GetProperty("value").GetString() == "7");
        Assert.Equal("ZLB", JsonDocument.Parse(lines[1]).RootElement.GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("s3kr1t", "Calling Number(\"5551234\")", "[1 hidden AVPs in clear]")]
    [InlineData("wrong", "?Calling Number(hidden", "[1 hidden AVPs not opened by the secret]")]
    public void Secrets_open_hidden_avps(string secret, params string[] expected)
    {
        byte[] vector = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] request = L2tpBuilder.IncomingCallRequest(
            5, 9, 2, 1, 1, TestAvp.RandomVector(vector), TestAvp.CallingNumber("5551234").Hide("s3kr1t", vector, padding: 3));
        string text = Captures.Decode(Captures.Pcap(LinkType.Raw, Captures.ToLns(request)), secrets: ["other", secret]).Text;
        Assert.All(expected, e => Assert.Contains(e, text, StringComparison.Ordinal));
    }

    [Fact]
    public void Without_a_secret_hidden_avps_stay_hidden()
    {
        byte[] vector = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] request = L2tpBuilder.IncomingCallRequest(
            5, 9, 2, 1, 1, TestAvp.RandomVector(vector), TestAvp.CallingNumber("5551234").Hide("s3kr1t", vector));
        string text = Captures.Decode(Captures.Pcap(LinkType.Raw, Captures.ToLns(request))).Text;
        Assert.Contains("?Calling Number(hidden, ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("5551234", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Proxy_lcp_avps_are_shown_as_options()
    {
        byte[] options = [1, 4, 0x05, 0x78, 5, 6, 0x11, 0x22, 0x33, 0x44];
        byte[] connected = L2tpBuilder.IncomingCallConnected(5, 9, 3, 2, new TestAvp(27, options, Mandatory: false));
        byte[] file = Captures.Pcap(LinkType.Raw, Captures.ToLns(connected));
        Assert.Contains("; Last Sent LCP CONFREQ: ", Captures.Decode(file).Text, StringComparison.Ordinal);
        string[] tree = Captures.Decode(file, PacketStyle.Tree).Text.Split('\n');
        int at = Array.IndexOf(tree, "    Last Sent LCP CONFREQ in words:");
        Assert.True(at > 0, string.Join('\n', tree));
        Assert.EndsWith(" 1400", tree[at + 1], StringComparison.Ordinal);
        Assert.EndsWith(" 0x11223344", tree[at + 2], StringComparison.Ordinal);
    }

    [Fact]
    public void Packets_inside_are_one_short_line()
    {
        byte[] echo = IpBuilder.Echo(IpAddress.Parse("100.64.0.2"), IpAddress.Parse("203.0.113.9"), 17, 3, new byte[56]);
        byte[] tcp = IpBuilder.TcpPacket(
            IpAddress.Parse("2001:db8::2"), 50_000, IpAddress.Parse("2001:db8::9"), 80, IpBuilder.Syn, []);
        string text = Captures.Decode(Captures.Pcap(
            LinkType.Raw,
            Captures.ToLns(L2tpBuilder.Data(5, 9, [0xFF, 0x03, 0x00, 0x21, .. echo])),
            Captures.ToLns(L2tpBuilder.Data(5, 9, [0x00, 0x57, .. tcp])))).Text;
        Assert.Contains(" IP 100.64.0.2 > 203.0.113.9: ICMP echo request, id 17, seq 3, length 64\n", text, StringComparison.Ordinal);
        Assert.Contains(" IP6 2001:db8::2 > 2001:db8::9: TCP 50000 > 80 [S], seq ", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { "tunnel=7" }, 2)]
    [InlineData(new[] { "tunnel=7,5" }, 3)]
    [InlineData(new[] { "tunnel=7", "type=SCCRQ" }, 1)]
    [InlineData(new[] { "type=zlb" }, 1)]
    [InlineData(new[] { "type=control" }, 2)]
    [InlineData(new[] { "session=9", "type=data" }, 1)]
    [InlineData(new[] { "type=LCP" }, 1)]
    public void Filters_choose(string[] filter, int expected)
    {
        byte[] file = Captures.Pcap(
            LinkType.Raw,
            Captures.ToLns(L2tpBuilder.StartControlConnectionRequest(7)),
            Captures.ToLac(L2tpBuilder.Zlb(7, 0, 1)),
            Captures.ToLns(L2tpBuilder.Data(5, 9, [0xFF, 0x03, 0xC0, 0x21, 1, 1, 0, 4])));
        Assert.Equal(expected, Captures.Decode(file, filter: filter).Decoder.PrintedCount);
    }

    [Theory]
    [InlineData("tunnel=70000")]
    [InlineData("tunnel")]
    [InlineData("type=")]
    [InlineData("host=1")]
    public void Wrong_filters_are_refused_in_words(string term)
    {
        Assert.False(PacketFilter.TryParse([term], out _, out string problem));
        Assert.Contains($"'{term}' is not tunnel=ID", problem, StringComparison.Ordinal);
    }
}
