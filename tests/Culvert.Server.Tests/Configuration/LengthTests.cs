using Culvert.Server.Configuration;

namespace Culvert.Server.Tests.Configuration;

/// <summary>
/// What is too long, or cannot name an interface, is refused where it is written. Otherwise it throws when it is used first, on the
/// shard, and the node ends with every session.
/// </summary>
public sealed class LengthTests
{
    private const string Profile = "profiles: [{ name: home }]\n";

    private static readonly string Longest = new('x', 255);
    private static readonly string TooLong = new('x', 256);

    /// <summary>Too long in octets, not in characters.</summary>
    private static readonly string TooWide = new('ä', 128);

    [Fact]
    public void What_just_fits_is_taken()
    {
        NodeConfiguration read = Good(Text(Longest, Longest, Longest, Longest, Longest, "a23456789012345"));
        Assert.Equal((Longest, Longest, "a23456789012345"), (read.Settings.Dial[0].User, read.Settings.Dial[0].Password, read.Settings.Dial[0].Interface));
        Assert.Equal((Longest, Longest), (read.Settings.Peers[0].OutgoingCalls.User, read.Settings.Peers[0].OutgoingCalls.Password));
        Assert.Equal(Longest, read.Settings.NodeName);
    }

    [Fact]
    public void Names_and_passwords_that_no_protocol_carries_are_refused_in_their_place()
    {
        Assert.Equal(
            [
                "culvert.yaml:2:7: node: these are 256 octets, and no more than 255 can be sent",
                "culvert.yaml:3:66: user: these are 256 octets, and no more than 255 can be sent",
                "culvert.yaml:3:334: password: these are 256 octets, and no more than 255 can be sent",
                "culvert.yaml:4:48: user: these are 256 octets, and no more than 255 can be sent",
                "culvert.yaml:4:188: password: these are 256 octets, and no more than 255 can be sent",
            ],
            Bad(Text(TooLong, TooLong, TooLong, TooWide, TooWide, "tun0")));
        Assert.Equal(["culvert.yaml:2:7: node: these are 256 octets, and no more than 255 can be sent"], Bad(Text(TooWide, "u", "p", "u", "p", "tun0")));
    }

    [Fact]
    public void A_password_file_that_is_the_wrong_one_is_named_and_not_shown()
    {
        string folder = Directory.CreateTempSubdirectory("culvert-test").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "wrong"), new string('s', 5000));
            string file = Path.Combine(folder, "culvert.yaml");
            IReadOnlyList<ConfigurationError> errors =
                ConfigurationFile.Parse(file, "dial: [{ name: office, lns: [vpn.example], user: u, password-file: wrong }]", out _);
            Assert.Equal(
                $"{file}:1:68: password-file: these are 5000 octets, and no more than 255 can be sent; is it the right file?", Assert.Single(errors).ToString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("a234567890123456")]
    [InlineData("office/0")]
    [InlineData("office 0")]
    [InlineData("office:0")]
    [InlineData("büro0")]
    [InlineData("..")]
    public void What_cannot_name_an_interface_is_refused_for_a_dial_as_for_the_subscribers(string name)
    {
        string error = $"'{name}' is no interface name: at most 15 ASCII characters, no slash, space or colon";
        Assert.Equal([$"culvert.yaml:1:77: interface: {error}"], Bad($"dial: [{{ name: office, lns: [vpn.example], user: u, password: p, interface: \"{name}\" }}]"));
        Assert.Equal([$"culvert.yaml:1:20: name: {error}"], Bad($"interface: {{ name: \"{name}\" }}"));
    }

    private static string Text(string node, string user, string password, string dialUser, string dialPassword, string dialInterface) =>
        $"{Profile}node: {node}\n" +
        $"peers: [{{ match: any, outgoing-calls: {{ handler: loopback, user: {user}, password: {password} }} }}]\n" +
        $"dial: [{{ name: office, lns: [a.example], user: {dialUser}, password: {dialPassword}, interface: {dialInterface} }}]\n";

    private static NodeConfiguration Good(string text)
    {
        Assert.Empty(ConfigurationFile.Parse("culvert.yaml", text, out NodeConfiguration? configuration));
        return configuration!;
    }

    private static string[] Bad(string text) => [.. ConfigurationFile.Parse("culvert.yaml", text, out _).Select(e => e.ToString())];
}
