using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

/// <summary>What xl2tpd, l2tpns and SoftEther really sent. (The captures of L2TP inside IPsec show nothing of it in clear.)</summary>
public sealed class CaptureTests
{
    private const ushort L2tpPort = 1701;
    private const string Snapshot = "xl2tpd-xl2tpd-tunnelauth";

    // The secret that was configured on both sides when the captures were made.
    private static readonly byte[] Secret = "s3kr1t"u8.ToArray();

    // The number of control messages is tshark's count.
    [Theory]
    [InlineData("l2tpns-as-lac", 21)]
    [InlineData("l2tpns-xl2tpd", 10)]
    [InlineData("many", 110)]
    [InlineData("softether-raw", 13)]
    [InlineData("softether-raw-eap-refused", 32)]
    [InlineData("xl2tpd-loss10", 13)]
    [InlineData("xl2tpd-xl2tpd", 11)]
    [InlineData("xl2tpd-xl2tpd-mschapv2-mppe", 11)]
    [InlineData("xl2tpd-xl2tpd-pap", 11)]
    [InlineData("xl2tpd-xl2tpd-tunnelauth", 11)]
    public void Every_packet_parses_prints_and_encodes_to_the_same_octets(string capture, int controlMessages)
    {
        int control = 0;
        foreach (CapturedDatagram datagram in ReadL2tp(capture))
        {
            byte[] packet = datagram.Payload;
            Assert.True(L2tpHeader.TryRead(packet, out L2tpHeader header), Hex.Dump(packet));
            Assert.Equal(packet[..header.PayloadEnd], Reencoding.Of(packet));
            string line = L2tpPrinter.ToLine(packet);
            Assert.DoesNotContain(line, char.IsControl);
            Assert.DoesNotContain("wrong length", line, StringComparison.Ordinal);
            Assert.DoesNotContain("attribute", line, StringComparison.Ordinal);
            if (header.IsControl)
            {
                control++;
                CheckControl(packet.AsSpan(header.PayloadStart..header.PayloadEnd), line);
            }
        }

        Assert.Equal(controlMessages, control);
    }

    [Fact]
    public void Every_challenge_in_the_captures_was_answered_as_we_would()
    {
        string[] captures = ["l2tpns-as-lac", "l2tpns-xl2tpd", "xl2tpd-xl2tpd-tunnelauth"];
        Assert.Equal(5, captures.Sum(CheckChallenges));
    }

    [Fact]
    public void A_session_prints_as_it_did()
    {
        var text = new StringBuilder();
        foreach (CapturedDatagram datagram in ReadL2tp(Snapshot))
        {
            text.Append($"{datagram.Source} > {datagram.Destination}: {L2tpPrinter.ToLine(datagram.Payload)}\n");
            if ((datagram.Payload[0] & 0x80) != 0)
            {
                L2tpPrinter.AppendVerbose(text, datagram.Payload);
            }
        }

        string expected = File.ReadAllText(VectorPath($"{Snapshot}.txt"));
        Assert.Equal(expected, text.ToString());
    }

    private static void CheckControl(ReadOnlySpan<byte> body, string line)
    {
        if (body.IsEmpty)
        {
            Assert.EndsWith(" ZLB", line, StringComparison.Ordinal);
            return;
        }

        Assert.True(ControlMessage.TryRead(body, out ControlMessage message));
        Assert.True(message.Type.IsDefined());
        Assert.Contains($" *Message Type({message.Type.Name()})", line, StringComparison.Ordinal);
        Assert.Null(message.UnknownMandatory);
        Assert.Null(message.WrongLength);
        Assert.Equal(0, message.DuplicateCount);
        Assert.False(message.TryFindMissing(out AvpId missing), $"{line} lacks {missing}");
    }

    private static int CheckChallenges(string capture)
    {
        var challenges = new List<byte[]>();
        int answered = 0;
        foreach (CapturedDatagram datagram in ReadL2tp(capture))
        {
            if (!L2tpHeader.TryRead(datagram.Payload, out L2tpHeader header) ||
                !ControlMessage.TryRead(datagram.Payload.AsSpan(header.PayloadStart..header.PayloadEnd), out ControlMessage message))
            {
                continue;
            }

            if (message.TryGetBytes(AvpType.ChallengeResponse, out ReadOnlySpan<byte> response))
            {
                byte[] octets = response.ToArray();
                MessageType carrier = message.Type;
                Assert.Contains(challenges, challenge => TunnelAuthentication.Verify(carrier, Secret, challenge, octets));
                answered++;
            }

            if (message.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> asked))
            {
                challenges.Add(asked.ToArray());
            }
        }

        return answered;
    }

    private static IEnumerable<CapturedDatagram> ReadL2tp(string capture) => PcapFile.ReadUdp(VectorPath($"{capture}.pcap"))
        .Where(datagram => datagram.Source.Port == L2tpPort || datagram.Destination.Port == L2tpPort);

    private static string VectorPath(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", name);
}
