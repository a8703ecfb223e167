namespace Culvert.Blast.Tests;

public sealed class NumberedTextTests
{
    [Theory]
    [InlineData("user{n}", "user1234")]
    [InlineData("{t}-{s}@isp.example", "7-42@isp.example")]
    [InlineData("u{n:6}", "u001234")]
    [InlineData("plain", "plain")]
    public void Numbers_stand_where_the_pattern_says(string pattern, string expected) =>
        Assert.Equal(expected, new NumberedText(pattern).ToString(1234, 7, 42));

    [Fact]
    public void A_text_without_numbers_is_constant()
    {
        Assert.True(new NumberedText("secret").IsConstant);
        Assert.False(new NumberedText("secret{s}").IsConstant);
    }

    [Theory]
    [InlineData("user{")]
    [InlineData("user{x}")]
    [InlineData("user{n:}")]
    [InlineData("user{n:99}")]
    [InlineData("user{}")]
    public void Other_braces_are_refused(string pattern) => Assert.Throws<FormatException>(() => new NumberedText(pattern));

    [Fact]
    public void A_text_that_could_become_too_long_is_refused() => Assert.Throws<FormatException>(() => new NumberedText(new string('x', 240) + "{n}"));
}
