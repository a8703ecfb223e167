using Culvert.Core;
using Culvert.Server.Configuration;

namespace Culvert.Server.Tests.Configuration;

public sealed class DurationTextTests
{
    [Theory]
    [InlineData("2h10m", 7_800_000)]
    [InlineData("1d02h", 93_600_000)]
    [InlineData("2m05s", 125_000)]
    [InlineData("1d2h3m4s5ms", 93_784_005)]
    [InlineData("1.5s", 1500)]
    [InlineData("1m01.25s", 61_250)]
    [InlineData("0s", 0)]
    public void Several_units_read(string text, long milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out TimeSpan duration));
        Assert.Equal(milliseconds, (long)duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("h")]
    [InlineData("10m2h")]
    [InlineData("1m1m")]
    [InlineData("1.5h")]
    [InlineData("1.s")]
    [InlineData(".5s")]
    [InlineData("1.2345s")]
    [InlineData("1.5.5s")]
    [InlineData("1 h")]
    [InlineData("-1s")]
    [InlineData("1hour")]
    [InlineData("9999999999999999999999d")]
    [InlineData("10675199d23h")]
    public void What_is_no_duration_is_not_read(string text)
    {
        Assert.False(DurationText.TryParse(text, out TimeSpan duration));
        Assert.Equal(TimeSpan.Zero, duration);
    }

    [Theory]
    [InlineData(86_400_000, "1d")]
    [InlineData(86_410_000, "1d00h00m10s")]
    [InlineData(86_460_000, "1d00h01m")]
    [InlineData(3_610_000, "1h00m10s")]
    [InlineData(61_250, "1m01.25s")]
    [InlineData(1_005, "1.005s")]
    [InlineData(0, "0s")]
    public void Everything_is_printed(long milliseconds, string text) => Assert.Equal(text, DurationText.Format(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData(86_410_000, "1d")]
    [InlineData(187_259_000, "2d04h")]
    [InlineData(3_725_500, "1h02m")]
    [InlineData(125_900, "2m05s")]
    [InlineData(45_250, "45.25s")]
    public void At_a_glance_two_units_are_printed(long milliseconds, string text) => Assert.Equal(text, DurationText.Brief(TimeSpan.FromMilliseconds(milliseconds)));

    /// <summary>For every number of milliseconds: read back it is the same, and the brief form is less by less than its least unit.</summary>
    [Fact]
    public void What_is_printed_is_read()
    {
        var random = new SeededRandom(1);
        for (int i = 0; i < 200_000; i++)
        {
            // All magnitudes alike, many round ones among them.
            long milliseconds = (long)(random.NextUInt32() | ((ulong)random.NextUInt32() << 32)) & ((1L << (1 + (i % 49))) - 1);
            milliseconds = (i % 3) switch { 0 => milliseconds, 1 => milliseconds / 1000 * 1000, _ => milliseconds / 60_000 * 60_000 };
            TimeSpan duration = TimeSpan.FromMilliseconds(milliseconds);
            Assert.True(DurationText.TryParse(DurationText.Format(duration), out TimeSpan again), DurationText.Format(duration));
            Assert.Equal(duration, again);
            Assert.True(DurationText.TryParse(DurationText.Brief(duration), out TimeSpan brief), DurationText.Brief(duration));
            Assert.InRange(duration - brief, TimeSpan.Zero, TimeSpan.FromHours(1) - TimeSpan.FromMilliseconds(1));
        }
    }
}
