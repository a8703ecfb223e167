namespace Culvert.Blast.Tests;

public sealed class PacketMixTests
{
    [Fact]
    public void Imix_is_seven_to_four_to_one()
    {
        PacketMix mix = PacketMix.Imix;
        int[] round = [.. Enumerable.Range(0, mix.Length).Select(i => mix.SizeAt((uint)i))];
        Assert.Equal(12, round.Length);
        Assert.Equal([7, 4, 1], new[] { 64, 576, 1450 }.Select(size => round.Count(r => r == size)));
        Assert.Equal(((7 * 64) + (4 * 576) + 1450) / 12.0, mix.AverageSize);
    }

    /// <summary>In no part of a round does a size run ahead of its share by more than one packet.</summary>
    [Theory]
    [InlineData("imix")]
    [InlineData("64:1,1400:1")]
    [InlineData("48:9,100:3,1500:5")]
    public void Sizes_are_interleaved(string text)
    {
        Assert.True(PacketMix.TryParse(text, out PacketMix mix));
        int[] round = [.. Enumerable.Range(0, mix.Length).Select(i => mix.SizeAt((uint)i))];
        foreach (int size in round.Distinct())
        {
            double share = (double)round.Count(r => r == size) / round.Length;
            for (int n = 1; n <= round.Length; n++)
            {
                Assert.InRange(round.Take(n).Count(r => r == size) - (share * n), -1.5, 1.5);
            }
        }
    }

    [Fact]
    public void The_round_repeats_for_ever()
    {
        Assert.True(PacketMix.TryParse("100:2,200:1", out PacketMix mix));
        Assert.Equal(mix.SizeAt(1), mix.SizeAt(1 + (3 * 1_000_000)));
        Assert.Equal(200, mix.Largest);
    }

    [Theory]
    [InlineData("")]
    [InlineData("47")]
    [InlineData("1501")]
    [InlineData("64:0")]
    [InlineData("64:7:1")]
    [InlineData("64:-1")]
    [InlineData("64:600,100:600")]
    [InlineData("small")]
    public void Nonsense_is_refused(string text) => Assert.False(PacketMix.TryParse(text, out _));
}
