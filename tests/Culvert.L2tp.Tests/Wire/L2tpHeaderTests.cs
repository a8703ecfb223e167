using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class L2tpHeaderTests
{
    [Fact]
    public void A_control_header_gives_every_field()
    {
        Assert.True(L2tpHeader.TryRead(GoldenPackets.Icrp, out L2tpHeader header, out L2tpHeaderFault fault));

        Assert.Equal(L2tpHeaderFault.None, fault);
        Assert.Equal(L2tpHeaderFlags.Control | L2tpHeaderFlags.Length | L2tpHeaderFlags.Sequence, header.Flags);
        Assert.Equal((2, 28, 0x1234, 0x4321), (header.Version, header.Length, header.TunnelId, header.SessionId));
        Assert.Equal((1, 3), (header.Ns, header.Nr));
        Assert.Equal((12, 28), (header.PayloadStart, header.PayloadEnd));
        Assert.False(header.IsZeroLengthBody);
    }

    [Fact]
    public void A_control_message_without_body_is_a_ZLB()
    {
        Assert.True(L2tpHeader.TryRead(GoldenPackets.Zlb, out L2tpHeader header));
        Assert.True(header.IsZeroLengthBody);
    }

    [Fact]
    public void Octets_after_Length_are_tolerated_and_not_payload()
    {
        byte[] datagram = [.. GoldenPackets.Hello, 0xDE, 0xAD];

        Assert.True(L2tpHeader.TryRead(datagram, out L2tpHeader header));
        Assert.Equal(GoldenPackets.Hello.Length, header.PayloadEnd);
    }

    [Theory]
    [InlineData("", L2tpHeaderFault.Truncated)]
    [InlineData("c8", L2tpHeaderFault.Truncated)]
    [InlineData("c802 000c 0000 0000 0000 00", L2tpHeaderFault.Truncated)]
    [InlineData("0002 0001 00", L2tpHeaderFault.Truncated)]
    [InlineData("4b02 0018 beef 8765 0007 0000 00", L2tpHeaderFault.Truncated)]
    [InlineData("c801 000c 0000 0000 0000 0000", L2tpHeaderFault.VersionL2f)]
    [InlineData("c803 000c 0000 0000 0000 0000", L2tpHeaderFault.VersionL2tpV3)]
    [InlineData("0000 0001 0001", L2tpHeaderFault.UnknownVersion)]
    [InlineData("c80f 000c 0000 0000 0000 0000", L2tpHeaderFault.UnknownVersion)]
    [InlineData("8802 0000 0000 0000 0000", L2tpHeaderFault.ControlWithoutLength)]
    [InlineData("c002 0008 0000 0000", L2tpHeaderFault.ControlWithoutSequence)]
    [InlineData("ca02 000e 0000 0000 0000 0000 0000", L2tpHeaderFault.ControlWithOffset)]
    [InlineData("c802 000d 0000 0000 0000 0000", L2tpHeaderFault.BadLength)]
    [InlineData("c802 000b 0000 0000 0000 0000", L2tpHeaderFault.BadLength)]
    [InlineData("4002 0007 0001 0001 ff03", L2tpHeaderFault.BadLength)]
    [InlineData("0202 0001 0001 0003 ff03", L2tpHeaderFault.BadOffset)]
    [InlineData("4202 000c 0001 0001 0003 ff03 c021", L2tpHeaderFault.BadOffset)]
    public void What_is_wrong_is_named(string hex, L2tpHeaderFault expected)
    {
        Assert.False(L2tpHeader.TryRead(Hex.Parse(hex), out _, out L2tpHeaderFault fault));
        Assert.Equal(expected, fault);
    }

    [Fact]
    public void Reserved_bits_and_P_on_a_control_message_are_ignored()
    {
        Assert.True(L2tpHeader.TryRead(Hex.Parse("fdf2 000c 0007 0000 0001 0002"), out L2tpHeader header));
        Assert.Equal((7, 1, 2), (header.TunnelId, header.Ns, header.Nr));
        Assert.Equal(0x34F0, header.ReservedBits);
    }

    [Fact]
    public void An_offset_of_zero_is_an_offset_field()
    {
        Assert.True(L2tpHeader.TryRead(Hex.Parse("0202 0001 0002 0000 ff03"), out L2tpHeader header));
        Assert.True(header.HasOffset);
        Assert.Equal((0, 8, 10), (header.OffsetSize, header.PayloadStart, header.PayloadEnd));
    }

    [Fact]
    public void A_data_message_may_be_empty()
    {
        Assert.True(L2tpHeader.TryRead(Hex.Parse("0002 0001 0002"), out L2tpHeader header));
        Assert.Equal(0, header.PayloadLength);
        Assert.False(header.IsZeroLengthBody);
    }

    [Fact]
    public void Every_combination_of_optional_fields_reads_as_built_and_writes_the_same_octets()
    {
        byte[] frame = [0xFF, 0x03, 0x00, 0x21, 0x45];
        for (int bits = 0; bits < 32; bits++)
        {
            bool length = (bits & 1) != 0;
            (int Ns, int Nr)? sequence = (bits & 2) != 0 ? (0xFFFF, 0) : null;
            int? offset = (bits & 4) != 0 ? ((bits & 16) != 0 ? 6 : 0) : null;
            byte[] datagram = L2tpBuilder.Data(0x1122, 0x3344, frame, length, sequence, offset, priority: (bits & 8) != 0);

            Assert.True(L2tpHeader.TryRead(datagram, out L2tpHeader header), $"bits {bits}");
            Assert.Equal((0x1122, 0x3344), (header.TunnelId, header.SessionId));
            Assert.Equal((length, sequence is not null, offset is not null), (header.HasLength, header.HasSequence, header.HasOffset));
            Assert.Equal((sequence?.Ns ?? 0, offset ?? 0), (header.Ns, header.OffsetSize));
            Assert.Equal((bits & 8) != 0, header.IsPriority);
            Assert.Equal(frame, datagram[header.PayloadStart..header.PayloadEnd]);

            L2tpHeader rebuilt = L2tpHeader.ForData(0x1122, 0x3344, frame.Length, header.Flags, header.Ns, header.OffsetSize);
            byte[] written = new byte[64];
            Assert.True(rebuilt.TryWrite(written, out int size));
            Assert.Equal(datagram[..header.PayloadStart], written[..size]);
        }
    }

    [Fact]
    public void Writing_into_too_little_room_fails()
    {
        L2tpHeader header = L2tpHeader.ForControl(1, 0, 0, 0, 0);
        for (int room = 0; room < L2tpHeader.ControlSize; room++)
        {
            Assert.False(header.TryWrite(new byte[room], out int written));
            Assert.Equal(0, written);
        }

        Assert.True(header.TryWrite(new byte[L2tpHeader.ControlSize], out _));
    }

    [Fact]
    public void Patch_sets_tunnel_Ns_and_Nr_and_nothing_else()
    {
        byte[] message = [.. GoldenPackets.Icrp];
        L2tpHeader.Patch(message, 0xAAAA, 0xBBBB, 0xCCCC);

        Assert.Equal(Hex.Parse("c802 001c aaaa 4321 bbbb cccc  8008 0000 0000 000b  8008 0000 000e 8765"), message);
    }
}
