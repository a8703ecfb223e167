using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class AvpHidingTests
{
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes(GoldenPackets.Secret);
    private static readonly byte[] RandomVector = Hex.Parse("000102030405060708090a0b0c0d0e0f");

    // Worked out with another program's MD5 from the formula of section 4.3: one short block, and three blocks with padding.
    [Theory]
    [InlineData(9, "1234", "", "9b7afb1f")]
    [InlineData(30, "737562736372696265724063617272696572 2e6578616d706c65", "aaaaaaaaaaaa",
        "247ee7081a8ea35c9d0a2603c7667f6b 0ab85b022ae119011924b3aa6facc8ca ac9c")]
    public void The_formula_of_section_4_3_gives_these_octets(int type, string value, string padding, string hidden)
    {
        byte[] plain = Hex.Parse(value);
        byte[] subformat = [(byte)(plain.Length >> 8), (byte)plain.Length, .. plain, .. Hex.Parse(padding)];

        AvpHiding.Hide(subformat, (ushort)type, Secret, RandomVector);
        Assert.Equal(Hex.Parse(hidden), subformat);

        AvpHidingFault fault = AvpHiding.Unhide(subformat, (ushort)type, Secret, RandomVector, new byte[64], out ReadOnlySpan<byte> clear);
        Assert.Equal(AvpHidingFault.None, fault);
        Assert.Equal(plain, clear);
    }

    [Fact]
    public void Whatever_is_hidden_is_found_again()
    {
        Repeat.Seeds(500, (_, random) =>
        {
            byte[] value = Octets(random, random.NextBelow(200));
            byte[] secret = Octets(random, 1 + random.NextBelow(700));
            byte[] vector = Octets(random, 1 + random.NextBelow(100));
            ushort type = random.NextUInt16();
            byte[] padding = Octets(random, random.NextBelow(40));
            byte[] subformat = [(byte)(value.Length >> 8), (byte)value.Length, .. value, .. padding];

            AvpHiding.Hide(subformat, type, secret, vector);

            byte[] room = new byte[subformat.Length];
            AvpHidingFault fault = AvpHiding.Unhide(subformat, type, secret, vector, room, out ReadOnlySpan<byte> clear);
            Assert.Equal(AvpHidingFault.None, fault);
            Assert.True(clear.SequenceEqual(value));
        });
    }

    [Fact]
    public void A_hidden_value_without_secret_vector_or_length_is_refused()
    {
        byte[] room = new byte[64];
        byte[] hidden = Hex.Parse("9b7afb1f");

        Assert.Equal(AvpHidingFault.NoSecret, AvpHiding.Unhide(hidden, 9, default, RandomVector, room, out _));
        Assert.Equal(AvpHidingFault.NoRandomVector, AvpHiding.Unhide(hidden, 9, Secret, default, room, out _));
        Assert.Equal(AvpHidingFault.TooShort, AvpHiding.Unhide(hidden.AsSpan(0, 1), 9, Secret, RandomVector, room, out _));
        Assert.Equal(AvpHidingFault.TooShort, AvpHiding.Unhide(default, 9, Secret, RandomVector, room, out _));
    }

    [Fact]
    public void A_length_beyond_what_was_hidden_is_refused()
    {
        byte[] subformat = [0, 3, 0x12, 0x34];
        AvpHiding.Hide(subformat, 9, Secret, RandomVector);

        Assert.Equal(AvpHidingFault.BadLength, AvpHiding.Unhide(subformat, 9, Secret, RandomVector, new byte[64], out _));
    }

    [Fact]
    public void A_message_with_hidden_AVPs_is_read_with_the_secret()
    {
        byte[] scratch = new byte[256];

        Assert.True(ControlMessage.TryRead(GoldenPackets.BodyOf(GoldenPackets.HiddenSccrq), Secret, scratch, out ControlMessage message));

        Assert.Equal((1, 0), (message.HiddenCount, message.UnreadableCount));
        Assert.True(message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort tunnelId));
        Assert.Equal(0x1234, tunnelId);
        Assert.False(message.TryFindMissing(out _));
    }

    [Fact]
    public void Each_hidden_AVP_goes_by_the_Random_Vector_before_it()
    {
        byte[] first = [1, 2, 3];
        byte[] second = [.. Enumerable.Range(50, 20).Select(i => (byte)i)];
        byte[] packet = L2tpBuilder.Control(0, 0, 0, 0,
            TestAvp.MessageType(1),
            TestAvp.RandomVector(first),
            TestAvp.AssignedTunnelId(0x0A0B).Hide(GoldenPackets.Secret, first, padding: 5),
            TestAvp.RandomVector(second),
            TestAvp.VendorName("twenty-six octets of text.").Hide(GoldenPackets.Secret, second, padding: 17),
            TestAvp.FramingCapabilities(2).Hide(GoldenPackets.Secret, second));
        byte[] scratch = new byte[packet.Length];

        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), Secret, scratch, out ControlMessage message));

        Assert.True(message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort tunnelId));
        Assert.Equal(0x0A0B, tunnelId);
        Assert.True(message.TryGetText(AvpType.VendorName, out string vendor));
        Assert.Equal("twenty-six octets of text.", vendor);
        Assert.True(message.TryGetUInt32(AvpType.FramingCapabilities, out uint framing));
        Assert.Equal(2u, framing);
        Assert.Equal((3, 0), (message.HiddenCount, message.DuplicateCount));
    }

    [Fact]
    public void A_mandatory_AVP_that_stays_hidden_fails_the_message_and_an_optional_one_does_not()
    {
        ReadOnlySpan<byte> body = GoldenPackets.BodyOf(GoldenPackets.HiddenSccrq);
        Assert.False(ControlMessage.TryRead(body, out ControlMessage mandatory));
        Assert.Equal(ControlMessageFault.UnreadableHiddenAvp, mandatory.Fault);
        Assert.Equal(AvpHidingFault.NoSecret, mandatory.HidingFault);
        Assert.Equal(AvpType.AssignedTunnelId, mandatory.FaultyAvp);
        Assert.Equal(MessageType.Sccrq, mandatory.Type);

        byte[] packet = L2tpBuilder.Control(0, 0, 0, 0, TestAvp.MessageType(1), TestAvp.VendorName("hidden").Hide("x", [1]));
        Assert.True(ControlMessage.TryRead(packet.AsSpan(12), Secret, new byte[64], out ControlMessage optional));
        Assert.Equal(AvpHidingFault.NoRandomVector, optional.HidingFault);
        Assert.Equal(1, optional.UnreadableCount);
        Assert.False(optional.Contains(AvpType.VendorName));
    }

    [Fact]
    public void Too_little_scratch_is_a_fault()
    {
        ReadOnlySpan<byte> body = GoldenPackets.BodyOf(GoldenPackets.HiddenSccrq);
        Assert.False(ControlMessage.TryRead(body, Secret, new byte[10], out ControlMessage message));
        Assert.Equal(ControlMessageFault.ScratchTooSmall, message.Fault);
    }

    [Fact]
    public void What_the_writer_hides_a_reader_with_the_same_secret_finds()
    {
        Repeat.Seeds(200, (_, random) =>
        {
            byte[] buffer = new byte[1500];
            byte[] name = Octets(random, random.NextBelow(300));
            var writer = new ControlMessageWriter(buffer, MessageType.Iccn, 5);
            writer.EnableHiding(Secret, random, AvpHidingScope.Everything);
            writer.WriteUInt32(AvpType.TxConnectSpeed, 1_000_000);
            writer.WriteEmpty(AvpType.SequencingRequired);
            writer.WriteRandomVector();
            writer.WriteBytes(AvpType.ProxyAuthenName, name);
            Assert.True(writer.TryFinish(out int length));

            Assert.True(ControlMessage.TryRead(buffer.AsSpan(12, length - 12), Secret, new byte[1500], out ControlMessage message));
            Assert.Equal(2, message.HiddenCount);
            Assert.True(message.TryGetUInt32(AvpType.TxConnectSpeed, out uint speed));
            Assert.Equal(1_000_000u, speed);
            Assert.True(message.Contains(AvpType.SequencingRequired));
            Assert.True(message.TryGetBytes(AvpType.ProxyAuthenName, out ReadOnlySpan<byte> read));
            Assert.True(read.SequenceEqual(name));
        });
    }

    [Fact]
    public void A_request_to_hide_without_secret_fails_the_message_rather_than_send_in_clear()
    {
        var writer = new ControlMessageWriter(new byte[500], MessageType.Iccn);
        writer.WriteText(AvpType.ProxyAuthenName, "alice", hide: true);

        Assert.True(writer.Failed);
        Assert.False(writer.TryFinish(out _));
    }

    private static byte[] Octets(SeededRandom random, int length)
    {
        byte[] octets = new byte[length];
        random.Fill(octets);
        return octets;
    }
}
