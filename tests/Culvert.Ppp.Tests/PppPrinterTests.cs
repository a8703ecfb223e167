using System.Text;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Ppp.Tests;

public sealed class PppPrinterTests
{
    [Theory]
    [InlineData(
        "ff03c021 01 01 001e 01 04 05b3 03 05 c22305 05 06 6b028ab8 11 04 064e 13 07 02 cb007101",
        "LCP, Conf-Request (0x01), id 1, length 30, MRU 1459, Auth-Prot CHAP, MD5, Magic-Num 0x6b028ab8, MRRU 1614, Endpoint-Disc class 2 0xcb007101")]
    [InlineData("ff03c021 01 01 000e 02 06 00000000 07 02 08 02", "LCP, Conf-Request (0x01), id 1, length 14, ACCM 0x00000000, PFC, ACFC")]
    [InlineData("c021 09 00 0008 ded0d615", "LCP, Echo-Request (0x09), id 0, length 8, magic 0xded0d615")]
    [InlineData("ff03c021 0c 02 0012 00000000 4d5352415356352e3230", "LCP, Ident (0x0c), id 2, length 18, magic 0x00000000 \"MSRASV5.20\"")]
    [InlineData("ff03c021 05 02 0009 62796507 0a", "LCP, Term-Request (0x05), id 2, length 9 \"bye\\x07\\x0a\"")]
    [InlineData("ff03c021 08 03 000e 8057 01010008 01020000", "LCP, Prot-Reject (0x08), id 3, length 14, rejected IPV6CP")]
    [InlineData("ff03c021 07 03 000a 2a 05 0006 0102", "LCP, Code-Reject (0x07), id 3, length 10, rejected unknown code id 5")]
    [InlineData("ff038021 01 01 0010 03 06 00000000 81 06 00000000", "IPCP, Conf-Request (0x01), id 1, length 16, IP-Addr 0.0.0.0, Pri-DNS 0.0.0.0")]
    [InlineData("8021 03 01 000a 03 06 c6336464 0000", "IPCP, Conf-Nak (0x03), id 1, length 10, IP-Addr 198.51.100.100, padding 2")]
    [InlineData("ff038057 01 01 000e 01 0a f5a91c0e27859554", "IPV6CP, Conf-Request (0x01), id 1, length 14, Interface-ID f5a9:1c0e:2785:9554")]
    [InlineData("ff0380fd 01 01 000a 12 06 01000040", "CCP, Conf-Request (0x01), id 1, length 10, MPPC 0x01000040")]
    [InlineData(
        "ff03c223 01 01 001b 10 4a22f8ff29b432aa58e795c569399ec6 6c3274706e73",
        "CHAP, Challenge (0x01), id 1, length 27, value 16, name \"l2tpns\"")]
    [InlineData("ff03c223 03 40 0012 416363657373206772616e746564", "CHAP, Success (0x03), id 64, length 18, message 14")]
    [InlineData("ff03c023 01 01 0010 05 616c696365 05 7365637265", "PAP, Auth-Request (0x01), id 1, length 16, name \"alice\", password 5")]
    [InlineData("ff03c023 02 01 0005 00", "PAP, Auth-Ack (0x02), id 1, length 5 \"\"")]
    [InlineData("ff03c227 01 07 0005 01", "EAP, Request (0x01), id 7, length 5, type 1")]
    [InlineData("ff03c021 01 01 0008 01 09 05b3", "LCP, Conf-Request (0x01), id 1, length 8, malformed option 0x010905b3")]
    [InlineData("ff03c021 01 01 00ff", "LCP, malformed, length 4")]
    [InlineData("ff03c0", "PPP, malformed: 0xff03c0")]
    [InlineData("21 4500", "IP, length 2")]
    public void Prints(string frame, string expected) => Assert.Equal(expected, PppPrinter.Print(Hex.Parse(frame)));

    [Fact]
    public void Every_captured_frame_prints_without_a_complaint_and_reads_as_options()
    {
        Assert.True(CapturedFrames.All.Count > 400);
        foreach (byte[] frame in CapturedFrames.All)
        {
            string text = PppPrinter.Print(frame);
            Assert.DoesNotContain("malformed", text, StringComparison.Ordinal);
            Assert.DoesNotContain("PPP protocol 0x", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_captured_option_list_is_written_again_as_it_was()
    {
        var lists = 0;
        Span<byte> buffer = stackalloc byte[2048];
        foreach (byte[] frame in CapturedFrames.All)
        {
            Assert.True(PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> information));
            if (protocol is not (PppProtocol.Lcp or PppProtocol.Ipcp or PppProtocol.Ipv6cp or PppProtocol.CompressionControl)
                || !ControlPacket.TryRead(information, out ControlPacket packet)
                || packet.Code is not (>= ControlCode.ConfigureRequest and <= ControlCode.ConfigureReject))
            {
                continue;
            }

            lists++;
            var writer = new Culvert.Core.WireWriter(buffer);
            PppFrame.WriteHeader(ref writer, protocol, new PppFraming(Acfc: frame[0] != 0xFF, Pfc: false));
            int start = ControlPacket.Begin(ref writer, packet.Code, packet.Identifier);
            foreach (PppOption option in new PppOptionList(packet.Data))
            {
                writer.WriteOption(option.Type, option.Data);
            }

            ControlPacket.Finish(ref writer, start);
            Assert.Equal(frame.AsSpan(0, frame.Length - packet.Padding), writer.Written);
        }

        Assert.True(lists > 200);
    }

    [Fact]
    public void No_secret_is_printed()
    {
        string pap = PppPrinter.Print(Bench.Frame(PppProtocol.Pap, (ControlCode)1, 1, [5, .. "alice"u8, 6, .. "hunter"u8]));
        string cut = PppPrinter.Print(Bench.Frame(PppProtocol.Pap, (ControlCode)1, 1, [5, .. "alice"u8, 6, .. "hunter"u8]).AsSpan()[..^1]);
        string ack = PppPrinter.Print(Bench.Frame(PppProtocol.Pap, (ControlCode)1, 1, [200, .. "alicehunter"u8]));

        Assert.DoesNotContain("hunter", pap + cut + ack, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToHexStringLower("hunte"u8), pap + cut + ack, StringComparison.Ordinal);
    }

    [Fact]
    public void Takes_everything_and_prints_only_what_is_printable()
    {
        var mutator = new Mutator(4);
        var text = new StringBuilder();
        foreach (byte[] frame in CapturedFrames.All.SelectMany(Mutator.Truncations).Concat(mutator.Mutations(CapturedFrames.All, 100_000)))
        {
            _ = text.Clear();
            PppPrinter.Print(text, frame);
            Assert.True(text.Length is > 0 and < 20_000);
            foreach (ReadOnlyMemory<char> chunk in text.GetChunks())
            {
                Assert.False(chunk.Span.ContainsAnyExceptInRange(' ', '~'), Convert.ToHexString(frame));
            }
        }
    }
}
