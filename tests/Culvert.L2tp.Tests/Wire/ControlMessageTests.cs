using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class ControlMessageTests
{
    [Fact]
    public void An_SCCRQ_gives_its_values()
    {
        Assert.True(ControlMessage.TryRead(GoldenPackets.BodyOf(GoldenPackets.Sccrq), out ControlMessage message));

        Assert.Equal(MessageType.Sccrq, message.Type);
        Assert.True(message.IsTypeMandatory);
        Assert.Equal((11, 0, 0, 0), (message.AvpCount, message.DuplicateCount, message.HiddenCount, message.IgnoredCount));
        Assert.Null(message.UnknownMandatory);
        Assert.Null(message.WrongLength);
        Assert.False(message.TryFindMissing(out _));
        Assert.True(message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort tunnelId));
        Assert.Equal(0x1234, tunnelId);
        Assert.True(message.TryGetUInt16(AvpType.ReceiveWindowSize, out ushort window));
        Assert.Equal(16, window);
        Assert.True(message.TryGetUInt32(AvpType.FramingCapabilities, out uint framing));
        Assert.Equal(3u, framing);
        Assert.True(message.TryGetUInt64(AvpType.TieBreaker, out ulong tieBreaker));
        Assert.Equal(0x0123456789ABCDEFul, tieBreaker);
        Assert.True(message.TryGetText(AvpType.HostName, out string host));
        Assert.Equal("lac1", host);
        Assert.True(message.TryGetBytes(AvpType.Challenge, out ReadOnlySpan<byte> challenge));
        Assert.Equal(13, challenge.Length);
        Assert.False(message.Contains(AvpType.ChallengeResponse));
    }

    [Fact]
    public void An_ICRQ_s_vendor_attributes_are_not_taken_for_the_IETF_s()
    {
        Assert.True(ControlMessage.TryRead(GoldenPackets.BodyOf(GoldenPackets.Icrq), out ControlMessage message));

        Assert.False(message.Contains(AvpType.ResultCode));
        Assert.True(message.TryGetText(AccessLineAvpType.AgentCircuitId, out string circuit));
        Assert.Equal("port 1", circuit);
        Assert.True(message.TryGetUInt64(AccessLineAvpType.ActualDataRateDownstream, out ulong rate));
        Assert.Equal(100_000_000ul, rate);
        Assert.True(message.TryGetBytes(AvpDefinitions.MicrosoftCorrelationId, out ReadOnlySpan<byte> correlation));
        Assert.Equal(16, correlation.Length);
        Assert.Equal(0, message.DuplicateCount);
    }

    [Fact]
    public void An_SLI_gives_both_maps()
    {
        Assert.True(ControlMessage.TryRead(GoldenPackets.BodyOf(GoldenPackets.Sli), out ControlMessage message));
        Assert.True(message.TryGetAccm(out uint send, out uint receive));
        Assert.Equal((0x000A0000u, 0xFFFFFFFFu), (send, receive));
    }

    [Theory]
    [InlineData("", ControlMessageFault.NoMessageType, AvpFault.None)]
    [InlineData("8008 0000 0009 0001", ControlMessageFault.NoMessageType, AvpFault.None)]
    [InlineData("8008 0009 0000 0001", ControlMessageFault.NoMessageType, AvpFault.None)]
    [InlineData("c008 0000 0000 0001", ControlMessageFault.NoMessageType, AvpFault.None)]
    [InlineData("8007 0000 0000 01", ControlMessageFault.NoMessageType, AvpFault.None)]
    [InlineData("8008 0000 00", ControlMessageFault.NoMessageType, AvpFault.Truncated)]
    [InlineData("8008 0000 0000 0006 8008 00", ControlMessageFault.MalformedAvp, AvpFault.Truncated)]
    [InlineData("8008 0000 0000 0006 8005 0000 0009 0001", ControlMessageFault.MalformedAvp, AvpFault.LengthTooSmall)]
    [InlineData("8008 0000 0000 0006 8000 0000 0009 0001", ControlMessageFault.MalformedAvp, AvpFault.LengthTooSmall)]
    [InlineData("8008 0000 0000 0006 8009 0000 0009 0001", ControlMessageFault.MalformedAvp, AvpFault.LengthTooLarge)]
    public void What_is_wrong_is_named(string hex, ControlMessageFault fault, AvpFault avpFault)
    {
        Assert.False(ControlMessage.TryRead(Hex.Parse(hex), out ControlMessage message));
        Assert.Equal((fault, avpFault), (message.Fault, message.AvpFault));
    }

    [Fact]
    public void More_AVPs_than_the_limit_are_a_fault()
    {
        TestAvp filler = TestAvp.OfText(8, "x", mandatory: false);
        TestAvp[] fits = [TestAvp.MessageType(6), .. Enumerable.Repeat(filler, AvpReader.MaximumPerMessage - 1)];

        Assert.True(ControlMessage.TryRead(L2tpBuilder.Control(1, 0, 0, 0, fits).AsSpan(12), out ControlMessage full));
        Assert.Equal(AvpReader.MaximumPerMessage, full.AvpCount);
        Assert.False(ControlMessage.TryRead(L2tpBuilder.Control(1, 0, 0, 0, [.. fits, filler]).AsSpan(12), out ControlMessage over));
        Assert.Equal(AvpFault.TooMany, over.AvpFault);
    }

    [Fact]
    public void The_first_unknown_mandatory_AVP_is_reported_and_optional_ones_are_counted()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0,
            TestAvp.MessageType(6),
            new TestAvp(1000, [1], Mandatory: false),
            new TestAvp(5, [1], Mandatory: false, Vendor: 9),
            new TestAvp(1001, [1]),
            new TestAvp(1002, [1]));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Equal(new AvpId(VendorId.Ietf, 1001), message.UnknownMandatory);
        Assert.Equal(2, message.IgnoredCount);
    }

    [Fact]
    public void A_vendor_s_mandatory_AVP_with_a_known_number_is_unknown()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(6), new TestAvp(9, [0, 1], Vendor: 9));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Equal(new AvpId(VendorId.Cisco, 9), message.UnknownMandatory);
        Assert.False(message.Contains(AvpType.AssignedTunnelId));
    }

    [Fact]
    public void An_extension_known_only_by_name_is_unknown_when_mandatory()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(1), new TestAvp(77, new byte[10]));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Equal(AvpType.TunnelRecovery, message.UnknownMandatory);
    }

    // Section 4.1: an AVP with a reserved bit is unrecognized.
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void A_reserved_bit_makes_an_AVP_unrecognized(int reserved)
    {
        TestAvp tunnelId = TestAvp.AssignedTunnelId(7) with { Reserved = reserved };

        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(1), tunnelId);
        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Equal(AvpType.AssignedTunnelId, message.UnknownMandatory);
        Assert.False(message.TryGetUInt16(AvpType.AssignedTunnelId, out _));

        TestAvp optional = tunnelId with { Mandatory = false };
        Assert.True(ControlMessage.TryRead(L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(1), optional).AsSpan(12), out message));
        Assert.Null(message.UnknownMandatory);
        Assert.Equal(1, message.IgnoredCount);
    }

    [Fact]
    public void Of_duplicates_the_first_wins_and_the_others_are_counted()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0,
            TestAvp.MessageType(10), TestAvp.AssignedSessionId(1), TestAvp.AssignedSessionId(2), TestAvp.AssignedSessionId(3),
            new TestAvp(1, [65, 66], Vendor: 3561), new TestAvp(1, [67, 68], Vendor: 3561));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.True(message.TryGetUInt16(AvpType.AssignedSessionId, out ushort session));
        Assert.Equal(1, session);
        Assert.True(message.TryGetText(AccessLineAvpType.AgentCircuitId, out string circuit));
        Assert.Equal("AB", circuit);
        Assert.Equal(3, message.DuplicateCount);
    }

    [Fact]
    public void A_wrong_M_bit_is_no_reason_to_refuse()
    {
        // Old Windows sets M on Physical Channel ID; others leave it out where it belongs.
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0,
            TestAvp.MessageType(10), TestAvp.Of16(14, 5, mandatory: false), TestAvp.Of32(15, 1, mandatory: false), TestAvp.Of32(25, 9));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Null(message.UnknownMandatory);
        Assert.False(message.TryFindMissing(out _));
    }

    [Fact]
    public void A_value_of_the_wrong_length_is_reported_and_not_found()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0, TestAvp.MessageType(1), new TestAvp(9, [1, 2, 3]), TestAvp.HostName(string.Empty));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.Equal(AvpType.AssignedTunnelId, message.WrongLength);
        Assert.False(message.TryGetUInt16(AvpType.AssignedTunnelId, out _));
        Assert.False(message.TryGetText(AvpType.HostName, out _));
    }

    [Theory]
    [InlineData(MessageType.Sccrq, AvpType.HostName)]
    [InlineData(MessageType.Sccrp, AvpType.ProtocolVersion)]
    [InlineData(MessageType.StopCcn, AvpType.ResultCode)]
    [InlineData(MessageType.Icrq, AvpType.CallSerialNumber)]
    [InlineData(MessageType.Iccn, AvpType.FramingType)]
    [InlineData(MessageType.Sli, AvpType.Accm)]
    public void A_missing_AVP_is_found(MessageType type, AvpType left)
    {
        byte[] original = GoldenPackets.All.Values.First(packet => packet.Length > 20 && packet[19] == (byte)type && packet[0] == 0xC8);
        var rest = new List<byte>();
        foreach (Avp avp in new AvpReader(GoldenPackets.BodyOf(original)))
        {
            if (avp.Id != left)
            {
                rest.AddRange(avp.Whole);
            }
        }

        Assert.True(ControlMessage.TryRead(rest.ToArray(), out ControlMessage message));
        Assert.True(message.TryFindMissing(out AvpId missing));
        Assert.Equal(left, missing);
    }

    [Fact]
    public void Text_is_safe_to_log()
    {
        byte[] packet = L2tpBuilder.Control(1, 0, 0, 0,
            TestAvp.MessageType(1), new TestAvp(7, [.. "a\nb\u001b[31m"u8, 0xFF, .. "\u202Eé"u8]));

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), out ControlMessage message));
        Assert.True(message.TryGetText(AvpType.HostName, out string host));
        Assert.Equal("a\\x0ab\\x1b[31m\\xff\\xe2\\x80\\xaeé", host);
    }

    [Theory]
    [InlineData(MessageType.Cdn, "0003", 3, 0, false, false, "")]
    [InlineData(MessageType.Cdn, "0002 0004", 2, 4, true, false, "")]
    [InlineData(MessageType.StopCcn, "0002 0008 4156 50", 2, 8, true, false, "AVP")]
    [InlineData(MessageType.StopCcn, "0100 0000", 1, 0, true, true, "")]
    [InlineData(MessageType.Cdn, "0200 0600", 2, 6, true, true, "")]
    [InlineData(MessageType.Cdn, "0300", 3, 0, false, true, "")]
    [InlineData(MessageType.StopCcn, "ff00 0000", 0xFF00, 0, true, false, "")]
    [InlineData(MessageType.StopCcn, "0100 0001", 0x0100, 1, true, false, "")]
    [InlineData(MessageType.Cdn, "0001 00", 1, 0, false, false, "")]
    public void Result_codes_of_every_peer_are_understood(
        MessageType type, string value, int result, int error, bool hasError, bool swapped, string text)
    {
        Assert.True(ResultCodeValue.TryRead(type, Hex.Parse(value), out ResultCodeValue code));

        Assert.Equal((result, error), (code.Result, (int)code.Error));
        Assert.Equal((hasError, swapped), (code.HasError, code.IsByteSwapped));
        Assert.Equal(text, Encoding.ASCII.GetString(code.Message));
    }

    [Fact]
    public void Codes_are_printed_in_words()
    {
        Assert.Equal("requester is being shut down", StopCcnResult.ShuttingDown.Describe());
        Assert.Equal("administrative reasons", CdnResult.Administrative.Describe());
        Assert.Equal("unknown AVP with the M bit set", ErrorCode.UnknownMandatoryAvp.Describe());
        Assert.Equal("result 400", ((CdnResult)400).Describe());
        Assert.All(Enum.GetValues<StopCcnResult>(), code => Assert.DoesNotContain("result", code.Describe(), StringComparison.Ordinal));
        Assert.All(Enum.GetValues<ErrorCode>(), code => Assert.NotEqual($"error {(ushort)code}", code.Describe()));
    }
}
