using Culvert.L2tp.Wire;

namespace Culvert.L2tp.Tests.Wire;

public sealed class ControlMessageWriterTests
{
    [Fact]
    public void An_SCCRQ_is_written_as_typed_by_hand()
    {
        byte[] buffer = new byte[200];
        var writer = new ControlMessageWriter(buffer, MessageType.Sccrq);
        writer.WriteUInt16(AvpType.ProtocolVersion, 0x0100);
        writer.WriteUInt32(AvpType.FramingCapabilities, 3);
        writer.WriteUInt32(AvpType.BearerCapabilities, 2);
        writer.WriteUInt64(AvpType.TieBreaker, 0x0123456789ABCDEF);
        writer.WriteUInt16(AvpType.FirmwareRevision, 0x0690);
        writer.WriteText(AvpType.HostName, "lac1");
        writer.WriteText(AvpType.VendorName, "Acme!");
        writer.WriteUInt16(AvpType.AssignedTunnelId, 0x1234);
        writer.WriteUInt16(AvpType.ReceiveWindowSize, 16);
        writer.WriteBytes(AvpType.Challenge, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);

        Assert.True(writer.TryFinish(out int length));
        Assert.Equal(GoldenPackets.Sccrq, buffer[..length]);
    }

    [Fact]
    public void A_StopCCN_is_written_as_typed_by_hand()
    {
        byte[] buffer = new byte[200];
        var writer = new ControlMessageWriter(buffer, MessageType.StopCcn);
        writer.WriteUInt16(AvpType.AssignedTunnelId, 0x1234);
        writer.WriteResultCode(StopCcnResult.GeneralError, ErrorCode.UnknownMandatoryAvp, "unknown AVP 999");
        Assert.True(writer.TryFinish(out int length));
        L2tpHeader.Patch(buffer, 0xBEEF, 2, 1);

        Assert.Equal(GoldenPackets.StopCcn, buffer[..length]);
    }

    [Theory]
    [MemberData(nameof(GoldenPackets.Names), MemberType = typeof(GoldenPackets))]
    public void Every_golden_packet_is_its_own_encoding(string name)
    {
        byte[] packet = GoldenPackets.All[name];

        Assert.True(L2tpHeader.TryRead(packet, out L2tpHeader header));
        Assert.Equal(packet.Length, header.PayloadEnd);
        if (name != nameof(GoldenPackets.HiddenSccrq))
        {
            // Hiding again draws other padding, so a hidden AVP is not its own encoding.
            Assert.Equal(packet, Reencoding.Of(packet));
        }
    }

    [Fact]
    public void Too_little_room_is_a_failure_and_never_an_exception()
    {
        for (int room = 0; room < 48; room++)
        {
            var writer = new ControlMessageWriter(new byte[room], MessageType.Cdn, 9);
            writer.WriteResultCode(CdnResult.GeneralError, ErrorCode.TryAnother, "busy");
            writer.WriteUInt16(AvpType.AssignedSessionId, 5);
            Assert.Equal(room >= 42, writer.TryFinish(out int length));
            Assert.Equal(room >= 42 ? 42 : 0, length);
        }
    }

    [Fact]
    public void Hidden_AVPs_that_do_not_fit_are_a_failure()
    {
        for (int room = 0; room < 120; room++)
        {
            var writer = new ControlMessageWriter(new byte[room], MessageType.Iccn);
            writer.EnableHiding("secret"u8, new Core.SeededRandom(1));
            writer.WriteText(AvpType.ProxyAuthenName, "subscriber@carrier.example", hide: true);
            bool fits = writer.TryFinish(out int length);
            Assert.Equal(room >= 76, fits);
            Assert.True(length <= room);
        }
    }

    [Fact]
    public void A_value_longer_than_an_AVP_is_a_failure()
    {
        byte[] buffer = new byte[3000];
        var fits = new ControlMessageWriter(buffer, MessageType.Hello);
        fits.WriteBytes(AvpType.VendorName, new byte[Avp.MaximumValueSize]);
        Assert.True(fits.TryFinish(out _));

        var tooLong = new ControlMessageWriter(buffer, MessageType.Hello);
        tooLong.WriteBytes(AvpType.VendorName, new byte[Avp.MaximumValueSize + 1]);
        Assert.False(tooLong.TryFinish(out _));

        var textTooLong = new ControlMessageWriter(buffer, MessageType.Hello);
        textTooLong.WriteText(AvpType.VendorName, new string('x', 2000));
        Assert.False(textTooLong.TryFinish(out _));
    }

    [Fact]
    public void An_error_message_too_long_is_cut()
    {
        byte[] buffer = new byte[3000];
        var writer = new ControlMessageWriter(buffer, MessageType.StopCcn);
        writer.WriteResultCode(StopCcnResult.GeneralError, ErrorCode.VendorSpecific, new string('é', 2000));
        Assert.True(writer.TryFinish(out int length));

        Assert.True(ControlMessage.TryRead(buffer.AsSpan(12, length - 12), out ControlMessage message));
        Assert.True(message.TryGetResultCode(out ResultCodeValue code));
        Assert.InRange(code.Message.Length, 1000, Avp.MaximumValueSize - 4);
    }
}
