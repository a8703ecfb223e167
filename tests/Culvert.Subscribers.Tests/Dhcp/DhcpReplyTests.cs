using Culvert.Core;
using Culvert.Subscribers.Dhcp;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests.Dhcp;

/// <summary>The answer to DHCPINFORM, octet by octet (RFC 2131 section 4.3.5, RFC 2132, RFC 3397, RFC 3442).</summary>
public sealed class DhcpReplyTests
{
    private static readonly IpAddress Client = IpAddress.Parse("100.64.0.2");
    private static readonly IpAddress Server = IpAddress.Parse("100.64.0.1");

    private static readonly ClientParameters Parameters = Told(["198.18.0.0/15", "192.0.2.128/25"], "corp.example.com");

    [Fact]
    public void Windows_is_told_everything_in_its_order()
    {
        byte[] expected = Hex.Parse("""
            02 08 06 00  12 34 56 78  00 00 80 00   // BOOTREPLY, htype, hlen, hops; xid; secs, flags
            64 40 00 02                             // ciaddr: its own
            00 00 00 00  00 00 00 00  00 00 00 00   // yiaddr, siaddr, giaddr
            00 53 45 00 00 00 00 00 00 00 00 00 00 00 00 00
            """ + string.Concat(Enumerable.Repeat("00", 64 + 128)) + """
             63 82 53 63
            35 01 05                                // DHCPACK
            36 04 64 40 00 01                       // server identifier
            3d 07 08 00 53 45 00 00 00              // client identifier, as it came
            01 04 ff ff ff ff                       // subnet mask of a point-to-point link
            0f 10 63 6f 72 70 2e 65 78 61 6d 70 6c 65 2e 63 6f 6d
            06 08 c0 00 02 35 c0 00 02 36           // DNS servers
            79 10 0f c6 12 64 40 00 01 19 c0 00 02 80 64 40 00 01
            f9 10 0f c6 12 64 40 00 01 19 c0 00 02 80 64 40 00 01
            ff
            """);
        byte[] reply = Reply(DhcpBuilder.WindowsInform(Client), out bool isComplete);
        Assert.True(isComplete);
        Assert.Equal(Hex.Dump(expected), Hex.Dump(reply.AsSpan(0, expected.Length)));
        Assert.All(reply[expected.Length..], octet => Assert.Equal(0, octet));
        Assert.Equal(Math.Max(expected.Length, 300), reply.Length);
    }

    /// <summary>RFC 3442 "Classless Route Option Format": as many octets of the network as its length needs, from none to four.</summary>
    [Fact]
    public void A_route_has_as_many_octets_as_its_length_needs()
    {
        ClientParameters parameters = Told(["0.0.0.0/0", "198.0.0.0/7", "100.64.0.0/10", "100.64.0.0/16", "203.0.113.0/24", "203.0.113.128/25", "198.51.100.47/32"]);
        byte[] reply = Reply(DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(55, 121)), out _, parameters);
        const string Router = "64400001";
        byte[] expected = Hex.Parse(
            $"00{Router} 07c6{Router} 0a6440{Router} 106440{Router} 18cb0071{Router} 19cb007180{Router} 20c633642f{Router}");
        Assert.Equal(expected, Assert.Single(DhcpBuilder.OptionsOf(reply), o => o.Code == 121).Value);
    }

    [Fact]
    public void Several_suffixes_are_a_search_list_of_names()
    {
        byte[] reply = Reply(DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(55, 119, 15)), out _, Told([], "a.example", "b.example"));
        Assert.Equal([53, 54, 119, 15], DhcpBuilder.OptionsOf(reply).Select(o => o.Code));
        Assert.Equal(
            Hex.Parse("01 61 07 65 78 61 6d 70 6c 65 00  01 62 07 65 78 61 6d 70 6c 65 00"),
            DhcpBuilder.OptionsOf(reply).Single(o => o.Code == 119).Value);
        Assert.Equal("a.example"u8, DhcpBuilder.OptionsOf(reply).Single(o => o.Code == 15).Value);
    }

    /// <summary>No lease, no address, no router (RFC 2131 section 4.3.5, RFC 3442), whatever is asked for; nothing twice.</summary>
    [Theory]
    [InlineData(new byte[] { 1, 3, 51, 58, 59, 6, 6, 6, 50 }, new[] { 53, 54, 1, 6 })]
    [InlineData(new byte[] { 121 }, new[] { 53, 54, 121 })]
    [InlineData(new byte[] { 249, 121 }, new[] { 53, 54, 249, 121 })]
    [InlineData(new byte[] { 43 }, new[] { 53, 54 })]
    [InlineData(new byte[] { 53, 54, 61, 0, 255 }, new[] { 53, 54 })]
    public void Only_what_was_asked_for_is_told(byte[] list, int[] told) =>
        Assert.Equal(told, DhcpBuilder.OptionsOf(Reply(DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(55, list)), out _)).Select(o => o.Code));

    [Fact]
    public void Who_asks_for_nothing_in_particular_is_told_everything_standard() =>
        Assert.Equal([53, 54, 1, 6, 15, 121], DhcpBuilder.OptionsOf(Reply(DhcpBuilder.Message(8, Client), out _)).Select(o => o.Code));

    [Fact]
    public void Windows_gets_its_own_routes_even_if_its_list_forgets_them()
    {
        byte[] xp = DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(60, [.. "MSFT 5.0"u8]), DhcpBuilder.Option(55, 6));
        Assert.Equal([53, 54, 6, 249], DhcpBuilder.OptionsOf(Reply(xp, out _)).Select(o => o.Code));
    }

    [Fact]
    public void What_is_not_configured_is_not_told()
    {
        byte[] reply = Reply(DhcpBuilder.WindowsInform(Client), out bool isComplete, new ClientParameters([], [], []));
        Assert.True(isComplete);
        Assert.Equal([53, 54, 61, 1], DhcpBuilder.OptionsOf(reply).Select(o => o.Code));
    }

    /// <summary>As many routes as may be configured leave no room for the same again: the twin is left out, and the rest is told.</summary>
    [Theory]
    [InlineData(true, 249)]
    [InlineData(false, 121)]
    public void The_most_routes_fit_once_into_what_every_client_takes(bool isWindows, int kept)
    {
        ClientParameters parameters = Told([.. Enumerable.Range(0, ClientParameters.MostRoutes).Select(i => $"192.0.2.{i}/32")], "corp.example.com");
        byte[] ask = isWindows
            ? DhcpBuilder.WindowsInform(Client)
            : DhcpBuilder.Message(8, Client, null, DhcpBuilder.Option(55, 249, 121, 15, 6, 1));
        int room = DhcpResponder.Room(0, 1400) - 28;
        byte[] reply = Reply(ask, out bool isComplete, parameters, room);
        Assert.False(isComplete);
        Assert.InRange(reply.Length, 300, room);
        int[] told = [.. DhcpBuilder.OptionsOf(reply).Select(o => o.Code)];
        Assert.Equal(isWindows ? [53, 54, 61, 1, 15, 6, kept] : [53, 54, kept, 15, 6, 1], told);

        // With more room there is no such need.
        Assert.Equal(told.Length + 1, DhcpBuilder.OptionsOf(Reply(ask, out isComplete, parameters, 1000)).Count);
        Assert.True(isComplete);
    }

    [Theory]
    [InlineData(0, 1400, 576)]
    [InlineData(0, 500, 500)]
    [InlineData(300, 1400, 576)]
    [InlineData(1200, 1400, 1200)]
    [InlineData(1500, 1280, 1280)]
    [InlineData(65535, 65535, 1400)]
    public void The_client_the_session_and_we_bound_the_size(int client, int mtu, int expected) => Assert.Equal(expected, DhcpResponder.Room(client, mtu));

    [Fact]
    public void A_room_for_less_than_BOOTP_gets_nothing()
    {
        Assert.True(DhcpMessage.TryRead(DhcpBuilder.WindowsInform(Client), out DhcpMessage request));
        Assert.Equal(0, DhcpReply.Write(request, Server, Parameters, new byte[299], out _));
        Assert.Equal(0, DhcpResponder.WriteAnswer(request, default, Parameters, new byte[576], out _));
        Assert.Equal(0, DhcpResponder.WriteAnswer(request, Server, Parameters, new byte[20], out _));
    }

    private static ClientParameters Told(string[] routes, params string[] suffixes) =>
        new([IpAddress.Parse("192.0.2.53"), IpAddress.Parse("192.0.2.54")], suffixes, [.. routes.Select(IpPrefix.Parse)]);

    private static byte[] Reply(byte[] inform, out bool isComplete, ClientParameters? parameters = null, int room = 1372)
    {
        Assert.True(DhcpMessage.TryRead(inform, out DhcpMessage request));
        byte[] reply = new byte[room];
        reply.AsSpan().Fill(0xEE);
        return reply[..DhcpReply.Write(request, Server, parameters ?? Parameters, reply, out isComplete)];
    }
}
