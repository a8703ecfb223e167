using Culvert.Core;

namespace Culvert.Testing.Tests;

/// <summary>The builders are the tests' ruler, so they are held against octets worked out elsewhere.</summary>
public sealed class BuilderTests
{
    [Fact]
    public void Sccrq_has_the_octets_of_RFC_2661() => Assert.Equal(
        Hex.Parse("""
            c802 0038 0000 0000 0000 0000   # T, L, S, version 2; tunnel 0, session 0, Ns 0, Nr 0
            8008 0000 0000 0001             # Message Type: SCCRQ
            8008 0000 0002 0100             # Protocol Version 1.0
            800a 0000 0003 00000003         # Framing Capabilities: both
            800a 0000 0007 6c61 6331        # Host Name: lac1
            8008 0000 0009 1234             # Assigned Tunnel ID
            """),
        L2tpBuilder.StartControlConnectionRequest(0x1234, "lac1"));

    [Fact]
    public void Data_headers_carry_what_is_asked_for()
    {
        Assert.Equal(Hex.Parse("0002 0001 0002 aa"), L2tpBuilder.Data(1, 2, [0xAA]));
        Assert.Equal(Hex.Parse("4a02 0013 0001 0002 0003 0004 0002 0000 aabbcc"), L2tpBuilder.Data(1, 2, [0xAA, 0xBB, 0xCC], true, (3, 4), 2));
    }

    [Fact]
    public void Checksums_close_to_zero()
    {
        IpAddress a = IpAddress.Parse("192.0.2.1"), b = IpAddress.Parse("198.51.100.2");
        byte[] tcp = IpBuilder.TcpPacket(a, 1, b, 2, IpBuilder.Syn, [1, 2, 3], maximumSegmentSize: 1460);
        Assert.Equal(0, IpBuilder.Checksum(tcp.AsSpan(0, 20)));
        Assert.Equal(0, IpBuilder.PseudoChecksum(a, b, IpBuilder.Tcp, tcp[20..]));

        // RFC 1071 section 3's example: the sum of 00 01 f2 03 f4 f5 f6 f7 is ddf2.
        Assert.Equal(0xFFFF - 0xDDF2, IpBuilder.Checksum([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]));
    }

    [Fact]
    public void Mutations_repeat_and_truncations_are_complete()
    {
        byte[] packet = L2tpBuilder.StartControlConnectionRequest(1);
        Assert.Equal(packet.Length, Mutator.Truncations(packet).Count());
        Assert.Equal(new Mutator(3).Mutations([packet], 500).Select(m => Hex.Dump(m)), new Mutator(3).Mutations([packet], 500).Select(m => Hex.Dump(m)));
        Assert.True(new Mutator(3).Mutations([packet], 500).Count(m => !m.AsSpan().SequenceEqual(packet)) > 480);
    }

    [Fact]
    public void A_failing_seed_is_named()
    {
        SeedFailedException failure = Assert.Throws<SeedFailedException>(() => Repeat.Seeds(10, seed => Assert.NotEqual(4ul, seed)));
        Assert.Equal(4ul, failure.Seed);
    }
}
