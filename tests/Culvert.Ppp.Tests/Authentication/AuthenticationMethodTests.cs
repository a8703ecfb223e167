using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp.Tests.Authentication;

public class AuthenticationMethodTests
{
    [Theory]
    [InlineData(AuthenticationMethod.Pap, "c023", 0xC023, "PAP")]
    [InlineData(AuthenticationMethod.ChapMd5, "c22305", 0xC223, "CHAP-MD5")]
    [InlineData(AuthenticationMethod.MsChapV2, "c22381", 0xC223, "MS-CHAPv2")]
    public void LcpOption(AuthenticationMethod method, string data, int protocol, string name)
    {
        Assert.Equal(data, Convert.ToHexStringLower(method.OptionData()));
        Assert.Equal(protocol, method.ProtocolNumber());
        Assert.Equal(name, method.DisplayName());
        Assert.True(AuthenticationMethods.TryFromOptionData(Convert.FromHexString(data), out AuthenticationMethod read));
        Assert.Equal(method, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("c0")]
    [InlineData("c02300")]
    [InlineData("c223")]
    [InlineData("c22380")]
    [InlineData("c2230500")]
    [InlineData("c227")]
    public void OtherOptionsAreNotKnown(string data) =>
        Assert.False(AuthenticationMethods.TryFromOptionData(Convert.FromHexString(data), out _));

    [Fact]
    public void LimitsAreEnforced()
    {
        Assert.Throws<ArgumentException>(() => new AuthenticationCredentials(new string('n', 256), "x"));
        Assert.Throws<ArgumentException>(() => new AuthenticationCredentials("n", new string('п', 128)));
        Assert.Throws<ArgumentException>(() => new AuthenticationSettings { LocalName = new string('n', 256) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AuthenticationSettings { RetransmitInterval = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AuthenticationSettings { MaxTransmissions = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new AuthenticationSettings { MaxTransmissions = 256 });
        Assert.Throws<ArgumentException>(() => AuthenticationVerdict.Accept(new byte[19]));
        Assert.False(AuthenticationRequest.TryCreatePap(1, new byte[256], default, out _));
        Assert.False(AuthenticationRequest.TryCreatePap(1, default, new byte[256], out _));
    }

    [Fact]
    public void NothingPrintsAPassword()
    {
        var credentials = new AuthenticationCredentials("alice", "wonder");
        Assert.Equal("alice:***", credentials.ToString());
        Assert.True(AuthenticationRequest.TryCreatePap(3, "al\nice"u8, "wonder"u8, out AuthenticationRequest? request));
        Assert.Equal("PAP request 3 of 'al\uFFFDice'", request!.ToString());
    }

    [Fact]
    public void ClearedCredentialsAuthenticateNoMore()
    {
        var credentials = new AuthenticationCredentials("alice", "wonder");
        credentials.Clear();
        AuthenticationProtocol peer = AuthenticationProtocol.CreatePeer(
            AuthenticationMethod.Pap, credentials, AuthenticationSettings.Default, new SeededRandom(1));
        peer.Open(Timestamp.Zero);
        Assert.EndsWith("06000000000000", peer.Pull(), StringComparison.Ordinal);
    }
}
