using System.Diagnostics;
using Culvert.Core;
using Culvert.Testing;

namespace Culvert.Capture.Tests;

/// <summary>Both file formats: what we write we read, and so does tshark; what is wrong in a file is said and never thrown.</summary>
public sealed class FileTests
{
    private static readonly byte[][] Datagrams =
    [
        L2tpBuilder.StartControlConnectionRequest(7),
        L2tpBuilder.StartControlConnectionReply(7, 5, 0, 1),
        L2tpBuilder.Data(5, 9, [0xFF, 0x03, 0xC0, 0x21, 1, 1, 0, 8, 1, 4, 5, 0x78]),
        L2tpBuilder.Zlb(7, 1, 2),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_is_read(bool isIPv6)
    {
        CaptureReader reader = CaptureReader.Open(new MemoryStream(Captures.PcapNg(isIPv6, Datagrams)));
        for (int i = 0; i < Datagrams.Length; i++)
        {
            Assert.True(reader.TryRead(out CapturedFrame frame), reader.Problem);
            Assert.Equal(LinkType.Raw, frame.LinkType);
            Assert.Equal((1_700_000_000L + i) * 1_000_000_000 + 123_456_789, frame.At.Nanoseconds);
            Assert.Equal(i % 2 == 1 ? FrameDirection.Sent : FrameDirection.Received, frame.Direction);
            Assert.Equal(i == 0 ? "session 7/9 of alice" : "", System.Text.Encoding.UTF8.GetString(frame.Comment));
            Assert.Equal((uint)frame.Octets.Length, frame.OriginalLength);
            Assert.Equal(Datagrams[i], frame.Octets[(isIPv6 ? 48 : 28)..].ToArray());
        }

        Assert.False(reader.TryRead(out _));
        Assert.Null(reader.Problem);
        Assert.Equal(5, reader.LostCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Outer_checksums_are_right(bool isIPv6)
    {
        IpAddress from = IpAddress.Parse(isIPv6 ? "2001:db8::1" : "192.0.2.1");
        IpAddress to = IpAddress.Parse(isIPv6 ? "2001:db8::2" : "198.51.100.1");
        byte[] packet = new byte[200];
        int length = OuterHeaders.Write(packet, new PeerEndpoint(from, 1701), new PeerEndpoint(to, 40_000), Datagrams[0]);
        int header = isIPv6 ? 40 : 20;
        byte[] udp = packet[header..length];
        byte[] expected = IpBuilder.UdpPacket(from, 1701, to, 40_000, Datagrams[0]);
        Assert.Equal(expected[header..], udp);
        Assert.True(isIPv6 || IpBuilder.Checksum(packet.AsSpan(0, 20)) is 0 or 0xFFFF);
    }

    [Fact]
    public void An_end_without_address_is_unspecified()
    {
        byte[] packet = new byte[200];
        _ = OuterHeaders.Write(packet, new PeerEndpoint(default, 1701), new PeerEndpoint(Captures.Lac, 1701), Datagrams[0]);
        Assert.Equal(new byte[4], packet[12..16]);
        Assert.Equal(IpBuilder.Octets(Captures.Lac), packet[16..20]);
    }

    /// <summary>Both byte orders, both clocks of the classic format.</summary>
    [Theory]
    [InlineData("a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000065 00000002 00000003 00000002 00000009 4500", 2_000_003_000)]
    [InlineData("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000 02000000 03000000 02000000 09000000 4500", 2_000_003_000)]
    [InlineData("a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000065 00000002 00000003 00000002 00000009 4500", 2_000_000_003)]
    [InlineData("4d3cb2a1 0200 0400 00000000 00000000 ffff0000 65000000 02000000 03000000 02000000 09000000 4500", 2_000_000_003)]
    public void Classic_files_of_every_kind_are_read(string hex, long nanoseconds)
    {
        CaptureReader reader = CaptureReader.Open(new MemoryStream(Hex.Parse(hex)));
        Assert.True(reader.TryRead(out CapturedFrame frame), reader.Problem);
        Assert.Equal((nanoseconds, LinkType.Raw, 9u, 2), (frame.At.Nanoseconds, frame.LinkType, frame.OriginalLength, frame.Octets.Length));
        Assert.False(reader.TryRead(out _));
        Assert.Null(reader.Problem);
    }

    /// <summary>A big-endian section, a clock of 2^-20 seconds with an offset, a simple packet, a block of unknown type in between.</summary>
    [Fact]
    public void Pcapng_of_other_programs_is_read()
    {
        byte[] file = Hex.Parse("""
            0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
            00000001 0000002c 0065 0000 00000000  0009 0001 94000000  000e 0008 0000000000000064  0000 0000  0000002c
            00000bad 00000010 12345678 00000010
            00000006 00000024 00000000 00000000 00180000 00000002 00000002 45000000 00000024
            00000003 00000014 00000002 60000000 00000014
            """);
        CaptureReader reader = CaptureReader.Open(new MemoryStream(file));
        Assert.True(reader.TryRead(out CapturedFrame frame), reader.Problem);
        Assert.Equal(101_500_000_000, frame.At.Nanoseconds);
        Assert.Equal([0x45, 0], frame.Octets.ToArray());
        Assert.True(reader.TryRead(out frame), reader.Problem);
        Assert.Equal([0x60, 0], frame.Octets.ToArray());
        Assert.False(reader.TryRead(out _));
        Assert.Null(reader.Problem);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("1f8b0800", "is compressed with gzip")]
    [InlineData("00010203", "is neither pcap nor pcapng: it begins with 00010203")]
    [InlineData("a1b2c3d4 0002", "ends at offset 6")]
    [InlineData("a1b2c3d4 00020004 00000000 00000000 0000ffff 00000065 00000002 00000003 7fffffff 00000009", "is corrupt: the record at offset 24")]
    [InlineData("a1b2c3d4 00020004 00000000 00000000 0000ffff 00000065 00000002 00000003 00000004 00000004 45", "ends in the record at offset 24: 1 of 4")]
    [InlineData("0a0d0d0a 0000001c 00000000 00010000 ffffffffffffffff 0000001c", "is corrupt: the section header at offset 0")]
    [InlineData("0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000006 00000007", "is corrupt: the block at offset 28 says that it has 7 octets")]
    [InlineData("0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c 00000003 00000014 00000002 60000000 00000014", "names interface 0")]
    public void What_is_wrong_is_said(string hex, string expected)
    {
        string? problem = Captures.Decode(Hex.Parse(hex)).Reader.Problem;
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Truncations_never_throw_and_are_told()
    {
        byte[][] files = [Captures.PcapNg(false, Datagrams), Captures.Pcap(LinkType.Raw, [.. Datagrams.Select(d => Captures.ToLns(d))])];
        foreach (byte[] file in files)
        {
            int clean = Mutator.Truncations(file).Count(cut => Captures.Decode(cut, PacketStyle.Tree).Reader.Problem is null);

            // Only a cut between two records or blocks cannot be told.
            Assert.InRange(clean, 4, 8);
        }
    }

    [Fact]
    public void Mutations_never_throw()
    {
        byte[] real = File.ReadAllBytes(Captures.VectorPath("xl2tpd-xl2tpd-pap.pcap"))[..4000];
        byte[][] files = [Captures.PcapNg(true, Datagrams), Captures.Pcap(LinkType.Raw, [.. Datagrams.Select(d => Captures.ToLns(d))]), real];
        Repeat.Seeds(30, seed =>
        {
            foreach (byte[] file in new Mutator(seed).Mutations(files, 60))
            {
                foreach (PacketStyle style in Enum.GetValues<PacketStyle>())
                {
                    (string text, CaptureReader reader, CaptureDecoder decoder) = Captures.Decode(file, style, secrets: "s3kr1t");
                    Assert.True(decoder.PrintedCount <= reader.FrameCount);
                    Assert.DoesNotContain('\u001b', text);
                }
            }
        });
    }

    /// <summary>A pipe gives octets as it likes, and never ends: what is needed is kept, the rest forgotten.</summary>
    [Fact]
    public void A_trickling_pipe_reads_like_a_file()
    {
        byte[] file = Captures.PcapNg(false, Datagrams);
        CaptureReader reader = CaptureReader.Open(new TricklingStream(file));
        int frames = 0;
        while (reader.TryRead(out _))
        {
            frames++;
        }

        Assert.Null(reader.Problem);
        Assert.Equal(Datagrams.Length, frames);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tshark_reads_what_is_written(bool isIPv6)
    {
        string path = Path.Combine(Path.GetTempPath(), $"culvert-{Guid.NewGuid():n}.pcapng");
        File.WriteAllBytes(path, Captures.PcapNg(isIPv6, Datagrams));
        try
        {
            string output = Tshark("-r", path, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields",
                "-e", "_ws.expert.message", "-e", "udp.checksum.status", "-e", "l2tp.version", "-e", "frame.comment");
            string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(Datagrams.Length, lines.Length);
            Assert.All(lines, line => Assert.Equal(["1", "2"], line.Split('\t')[1..3]));
            Assert.All(lines, line => Assert.DoesNotContain("checksum", line, StringComparison.OrdinalIgnoreCase));
            Assert.EndsWith("session 7/9 of alice", lines[0], StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Tshark(params string[] arguments)
    {
        var start = new ProcessStartInfo("tshark", arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("NOT TESTED: the program tshark is missing here.");
            throw;
        }

        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors.GetAwaiter().GetResult());
            return output;
        }
    }

    private sealed class TricklingStream(byte[] content) : MemoryStream(content)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 3));
    }
}
