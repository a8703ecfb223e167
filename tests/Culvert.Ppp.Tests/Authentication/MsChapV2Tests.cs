using System.Text;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp.Tests.Authentication;

/// <summary>RFC 2759 section 9.2: user name "User", password "clientPass", every intermediate value.</summary>
public class MsChapV2Tests
{
    private static readonly byte[] AuthenticatorChallenge = Convert.FromHexString("5B5D7C7D7B3F2F3E3C2C602132262628");
    private static readonly byte[] PeerChallenge = Convert.FromHexString("21402324255E262A28295F2B3A337C7E");
    private static readonly byte[] PasswordHash = Convert.FromHexString("44EBBA8D5312B8D611474411F56989AE");
    private static readonly byte[] NtResponse = Convert.FromHexString("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF");

    [Fact]
    public void ChallengeHash()
    {
        var challenge = new byte[8];
        MsChapV2.ChallengeHash(PeerChallenge, AuthenticatorChallenge, "User"u8, challenge);
        Assert.Equal("D02E4386BCE91226", Convert.ToHexString(challenge));
    }

    [Fact]
    public void NtPasswordHashAndItsHash()
    {
        var hash = new byte[16];
        MsChapV2.NtPasswordHash("clientPass"u8, hash);
        Assert.Equal(PasswordHash, hash);
        MsChapV2.HashNtPasswordHash(hash, hash);
        Assert.Equal("41C00C584BD2D91C4017A2A12FA59F3F", Convert.ToHexString(hash));
    }

    // UTF-16LE of characters of one, two, three and four octets of UTF-8; MD4 by another implementation.
    [Theory]
    [InlineData("MyPw", "fc156af7edcd6c0edde3337d427f4eac")]
    [InlineData("wonder", "0ad559acb402ac61bba87ab92c3bf35d")]
    [InlineData("пароль", "507e3ee80df7db7c1fdd8d50ae8db606")]
    [InlineData("pässwörd€", "7f20bf6e69d97371914a8807579cab5c")]
    [InlineData("😀x", "4239d4dcd7148a5ea8f750b376cfdbd6")]
    [InlineData("", "31d6cfe0d16ae931b73c59d7e0c089c0")]
    public void NtPasswordHashIsOverUtf16(string password, string expected)
    {
        var hash = new byte[16];
        MsChapV2.NtPasswordHash(Encoding.UTF8.GetBytes(password), hash);
        Assert.Equal(expected, Convert.ToHexStringLower(hash));
    }

    [Fact]
    public void NtPasswordHashTakesPasswordsOfAnyLength()
    {
        foreach (int length in (int[])[255, 512, 513, 5000])
        {
            string password = new('p', length);
            var expected = new byte[16];
            var actual = new byte[16];
            Md4.Hash(Encoding.Unicode.GetBytes(password), expected);
            MsChapV2.NtPasswordHash(Encoding.UTF8.GetBytes(password), actual);
            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void ChallengeResponse()
    {
        var response = new byte[24];
        MsChapV2.ChallengeResponse(Convert.FromHexString("D02E4386BCE91226"), PasswordHash, response);
        Assert.Equal(NtResponse, response);
        MsChapV2.GenerateNtResponse(AuthenticatorChallenge, PeerChallenge, "User"u8, PasswordHash, response);
        Assert.Equal(NtResponse, response);
    }

    [Fact]
    public void AuthenticatorResponse()
    {
        var response = new byte[20];
        MsChapV2.GenerateAuthenticatorResponse(PasswordHash, NtResponse, PeerChallenge, AuthenticatorChallenge, "User"u8, response);
        Assert.Equal("407A5589115FD0D6209F510FE9C04566932CDA56", Convert.ToHexString(response));
    }

    /// <summary>A hash that ends in two zero octets makes the third DES key all zeros, which is weak.</summary>
    [Fact]
    public void PasswordWithAWeakKeyAuthenticates()
    {
        string password = Enumerable.Range(0, 2_000_000).Select(i => $"weak{i}").First(HasWeakThirdKey);
        var hash = new byte[16];
        MsChapV2.NtPasswordHash(Encoding.UTF8.GetBytes(password), hash);
        var value = new byte[MsChapV2.ResponseSize];
        PeerChallenge.CopyTo(value, 0);
        MsChapV2.GenerateNtResponse(AuthenticatorChallenge, PeerChallenge, "User"u8, hash, value.AsSpan(24, 24));

        Assert.True(AuthenticationRequest.TryCreateChap(
            AuthenticationMethod.MsChapV2, 1, "User"u8, AuthenticatorChallenge, value, out AuthenticationRequest? request));
        Assert.True(request!.Check(password).IsAccepted);
        Assert.False(request.Check(password + "x").IsAccepted);
    }

    [Theory]
    [InlineData("User", "User")]
    [InlineData("BIGCO\\johndoe", "johndoe")]
    [InlineData("johndoe@bigco.example", "johndoe@bigco.example")]
    [InlineData("\\", "")]
    [InlineData("", "")]
    public void OnlyTheNamePartIsHashed(string name, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(MsChapV2.UserNameOf(Encoding.UTF8.GetBytes(name))));

    [Fact]
    public void CheckAcceptsTheRfcsResponseWithAndWithoutDomain()
    {
        byte[] value = [.. PeerChallenge, .. new byte[8], .. NtResponse, 0];
        foreach (string name in (string[])["User", "BIGCO\\User"])
        {
            Assert.True(AuthenticationRequest.TryCreateChap(
                AuthenticationMethod.MsChapV2,
                7,
                Encoding.UTF8.GetBytes(name),
                AuthenticatorChallenge,
                value,
                out AuthenticationRequest? request));
            AuthenticationVerdict verdict = request!.Check("clientPass");
            Assert.True(verdict.IsAccepted);
            Assert.Equal("407A5589115FD0D6209F510FE9C04566932CDA56", Convert.ToHexString(verdict.AuthenticatorResponse!));
            Assert.True(request.CheckNtPasswordHash(PasswordHash).IsAccepted);
            Assert.False(request.Check("clientpass").IsAccepted);
            Assert.False(request.CheckNtPasswordHash(PeerChallenge).IsAccepted);
        }
    }

    [Fact]
    public void ServersSuccessTextIsRead()
    {
        Assert.True(AuthenticationVerdict.TryParseMsChapV2Success(
            "S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome"u8, out AuthenticationVerdict? verdict));
        Assert.Equal("Welcome", verdict!.Message);
        Assert.Equal("407A5589115FD0D6209F510FE9C04566932CDA56", Convert.ToHexString(verdict.AuthenticatorResponse!));
        Assert.True(AuthenticationVerdict.TryParseMsChapV2Success("S=407A5589115FD0D6209F510FE9C04566932CDA56"u8, out _));
        Assert.False(AuthenticationVerdict.TryParseMsChapV2Success("S=407A5589115FD0D6209F510FE9C04566932CDA5"u8, out _));
        Assert.False(AuthenticationVerdict.TryParseMsChapV2Success("S=407A5589115FD0D6209F510FE9C04566932CDA5G"u8, out _));
        Assert.False(AuthenticationVerdict.TryParseMsChapV2Success("M=407A5589115FD0D6209F510FE9C04566932CDA56"u8, out _));
        Assert.False(AuthenticationVerdict.TryParseMsChapV2Success(default, out _));
    }

    [Theory]
    [InlineData("E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Wrong password", 691, "Wrong password")]
    [InlineData("E=648 R=0 C=00112233445566778899AABBCCDDEEFF V=3", 648, "")]
    [InlineData("E=0000000647 R=0", 647, "")]
    [InlineData("M=E=700", 691, "E=700")]
    [InlineData("E=99999999999999", 691, "")]
    [InlineData("", 691, "")]
    public void ServersFailureTextIsRead(string text, int errorCode, string message)
    {
        AuthenticationVerdict verdict = AuthenticationVerdict.ParseMsChapV2Failure(Encoding.UTF8.GetBytes(text));
        Assert.False(verdict.IsAccepted);
        Assert.Equal((errorCode, message), (verdict.ErrorCode, verdict.Message));
    }

    private static bool HasWeakThirdKey(string password)
    {
        Span<byte> hash = stackalloc byte[16];
        MsChapV2.NtPasswordHash(Encoding.UTF8.GetBytes(password), hash);
        return hash[14] == 0 && hash[15] == 0;
    }
}
