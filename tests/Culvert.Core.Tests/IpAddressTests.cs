using System.Net;

namespace Culvert.Core.Tests;

public sealed class IpAddressTests
{
    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("0.0.0.0")]
    [InlineData("255.255.255.255")]
    [InlineData("2001:db8::1")]
    [InlineData("::")]
    public void Text_octets_and_framework_type_agree(string text)
    {
        IpAddress address = IpAddress.Parse(text);
        byte[] octets = new byte[address.Size];
        address.WriteTo(octets);

        Assert.Equal(text, address.ToString());
        Assert.Equal(IPAddress.Parse(text).GetAddressBytes(), octets);
        Assert.Equal(address, IpAddress.FromBytes(octets));
        Assert.Equal(address, IpAddress.From(address.ToIPAddress()));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("192.0.2")]
    [InlineData("192.0.2.256")]
    [InlineData("host")]
    [InlineData("")]
    [InlineData(null)]
    public void What_an_operator_did_not_mean_is_refused(string? text) => Assert.False(IpAddress.TryParse(text, out _));

    [Fact]
    public void An_IPv4_mapped_address_is_the_IPv4_address() =>
        Assert.Equal(IpAddress.Parse("192.0.2.9"), IpAddress.From(IPAddress.Parse("::ffff:192.0.2.9")));

    /// <summary>RFC 4007 section 11: one link-local address on two interfaces is two addresses. No other has a scope.</summary>
    [Fact]
    public void A_link_local_address_belongs_to_an_interface()
    {
        IpAddress first = IpAddress.Parse("fe80::1%1");
        IpAddress second = IpAddress.Parse("fe80::1%2");
        Assert.Equal((1u, 2u, true), (first.Scope, second.Scope, first.IsLinkLocal));
        Assert.NotEqual(first, second);
        Assert.True(first < second);
        Assert.Equal("fe80::1%2", second.ToString());
        Assert.Equal("[fe80::1%2]:1701", new PeerEndpoint(second, 1701).ToString());
        Assert.Equal(second, IpAddress.From(second.ToIPAddress()));
        Assert.Equal(first with { Scope = 0 }, IpAddress.Parse("fe80::1"));
        Assert.Equal(0u, IpAddress.Parse("fe80::1%no-such-link").Scope);
        Assert.True(IpPrefix.Parse("fe80::/10").Contains(second));
        Assert.Equal((IpAddress.Parse("2001:db8::1"), false), (IpAddress.Parse("2001:db8::1%2"), IpAddress.Parse("2001:db8::1").IsLinkLocal));
    }

    [Fact]
    public void The_unspecified_addresses_of_both_families_differ_from_each_other_and_from_none()
    {
        Assert.NotEqual(IpAddress.Parse("0.0.0.0"), IpAddress.Parse("::"));
        Assert.NotEqual(default, IpAddress.Parse("0.0.0.0"));
        Assert.True(default(IpAddress).IsNone);
    }

    [Theory]
    [InlineData("192.0.2.0/24", "192.0.2.255", true)]
    [InlineData("192.0.2.0/24", "192.0.3.0", false)]
    [InlineData("192.0.2.4/30", "192.0.2.7", true)]
    [InlineData("0.0.0.0/0", "203.0.113.9", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8:0:ff00::/56", "2001:db8:0:ffab::1", true)]
    [InlineData("2001:db8::ff00/120", "2001:db8::ff42", true)]
    [InlineData("2001:db8::ff00/120", "2001:db8::fe42", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    public void A_prefix_contains_what_begins_like_it(string prefix, string address, bool contains) =>
        Assert.Equal(contains, IpPrefix.Parse(prefix).Contains(IpAddress.Parse(address)));

    [Theory]
    [InlineData("192.0.2.1/24")]
    [InlineData("192.0.2.0/33")]
    [InlineData("192.0.2.0/-1")]
    [InlineData("192.0.2.0/")]
    [InlineData("/24")]
    [InlineData(null)]
    public void A_prefix_with_host_bits_or_a_wrong_length_is_refused(string? text) => Assert.False(IpPrefix.TryParse(text, out _));

    [Fact]
    public void Endpoints_print_with_brackets_only_where_needed()
    {
        Assert.Equal("192.0.2.1:1701", new PeerEndpoint(IpAddress.Parse("192.0.2.1"), 1701).ToString());
        Assert.Equal("[2001:db8::1]:1701%7", new PeerEndpoint(IpAddress.Parse("2001:db8::1"), 1701, 7).ToString());
    }
}
