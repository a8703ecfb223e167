using Culvert.Server.Configuration;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Tests.Configuration;

/// <summary>What clients are told when they ask by DHCPINFORM.</summary>
public sealed class ClientKeysTests
{
    [Theory]
    [InlineData("corp.example.com", "corp.example.com")]
    [InlineData("[corp.example.com, example.com.]", "corp.example.com example.com")]
    [InlineData("xn--bcher-kva.example", "xn--bcher-kva.example")]
    public void Suffixes_are_one_or_a_list(string written, string expected) =>
        Assert.Equal(expected.Split(' '), Good($"dns-suffix: {written}").DnsSuffix);

    [Fact]
    public void Routes_are_networks_and_the_default_route_is_one()
    {
        Profile profile = Good("client-routes: [198.18.0.0/15, 192.0.2.1, 0.0.0.0/0]");
        Assert.Equal(["198.18.0.0/15", "192.0.2.1/32", "0.0.0.0/0"], profile.ClientRoutes.Select(r => r.ToString()));
        Assert.Empty(Good("mru: 1400").ClientRoutes);
        Assert.Empty(Good("mru: 1400").DnsSuffix);
    }

    [Theory]
    [InlineData("dns-suffix: bücher.example", "'bücher.example' is not a domain")]
    [InlineData("dns-suffix: a..example", "'a..example' is not a domain")]
    [InlineData("dns-suffix: -a.example", "is not a domain")]
    [InlineData("client-routes: [2001:db8::/32]", "2001:db8::/32 is not an IPv4 network")]
    [InlineData("client-routes: 192.0.2.1/24", "'192.0.2.1/24' is not a network")]
    [InlineData("client-route: 192.0.2.0/24", "did you mean 'client-routes'?")]
    public void What_cannot_be_told_is_an_error(string keys, string error) => Assert.Contains(error, Assert.Single(Bad(keys)), StringComparison.Ordinal);

    [Fact]
    public void More_than_a_message_holds_is_an_error()
    {
        Assert.Contains("these are 25, and clients can be told 24", Assert.Single(Bad($"client-routes: [{Many(25, i => $"192.0.2.{i}")}]")), StringComparison.Ordinal);
        Assert.Equal(24, Good($"client-routes: [{Many(24, i => $"192.0.2.{i}")}]").ClientRoutes.Count);

        // 16 octets each: a length, 14 letters and dots behind lengths, the end.
        Assert.Contains("these need 256 octets", Assert.Single(Bad($"dns-suffix: [{Many(16, i => $"domain{i + 10:00}.tests")}]")), StringComparison.Ordinal);
        Assert.Equal(15, Good($"dns-suffix: [{Many(15, i => $"domain{i + 10:00}.tests")}]").DnsSuffix.Count);
        Assert.Contains("is not a domain", Assert.Single(Bad($"dns-suffix: {new string('a', 64)}.example")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_reload_says_what_changed()
    {
        NodeConfiguration before = Parse("dns-suffix: a.example", out _)!;
        NodeConfiguration after = Parse("dns-suffix: [a.example, b.example]\n    client-routes: 198.18.0.0/15", out _)!;
        Assert.Equal(
            ["profile 'home' changed: dns-suffix ['a.example'] becomes ['a.example', 'b.example'], client-routes [] becomes [198.18.0.0/15]"],
            ConfigurationChanges.Describe(before, after));
        Assert.Empty(ConfigurationChanges.Describe(after, Parse("dns-suffix: [a.example, b.example]\n    client-routes: 198.18.0.0/15", out _)!));
    }

    private static string Many(int count, Func<int, string> item) => string.Join(", ", Enumerable.Range(0, count).Select(item));

    private static Profile Good(string keys) => Parse(keys, out _)!.Settings.Profiles.Single();

    private static string[] Bad(string keys)
    {
        Assert.Null(Parse(keys, out string[] errors));
        return errors;
    }

    private static NodeConfiguration? Parse(string keys, out string[] errors)
    {
        errors = [.. ConfigurationFile.Parse(
            "culvert.yaml", $"peers: [{{ match: any }}]\nprofiles:\n  - name: home\n    {keys}\n", out NodeConfiguration? configuration).Select(e => e.ToString())];
        return configuration;
    }
}
