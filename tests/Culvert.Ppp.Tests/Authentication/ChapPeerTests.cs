using System.Security.Cryptography;
using System.Text;
using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

public class ChapPeerTests
{
    private static readonly byte[] ChallengeOne = Convert.FromHexString("0101001b104a22f8ff29b432aa58e795c569399ec66c3274706e73");
    private static readonly byte[] ChallengeTwo = Convert.FromHexString("0102001b104a22f8ff29b432aa58e795c569399ec66c3274706e73");

    public static TheoryData<AuthenticationMethod> Methods => [AuthenticationMethod.ChapMd5, AuthenticationMethod.MsChapV2];

    // RFC 1994 section 4.1, with the digest worked out here: identifier, secret, challenge.
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(23)]
    [InlineData(255)]
    public void Md5ResponseIsTheDigest(int size)
    {
        byte[] challenge = [.. Enumerable.Range(0, size).Select(i => (byte)(i + 1))];
        int total = 5 + size + 3;
        AuthenticationProtocol peer = Peer(AuthenticationMethod.ChapMd5, "пароль", name: "bob");
        peer.Open(Timestamp.Zero);
        peer.Receive([1, 42, (byte)(total >> 8), (byte)total, (byte)size, .. challenge, .. "lns"u8], Timestamp.Zero);
        byte[] digest = MD5.HashData([42, .. Encoding.UTF8.GetBytes("пароль"), .. challenge]);
        byte[] expected = [2, 42, 0, 24, 16, .. digest, .. "bob"u8];
        Assert.Equal(Convert.ToHexStringLower(expected), peer.Pull());
    }

    // l2tpns repeats its Challenge under the same identifier, and one value under several.
    [Theory]
    [MemberData(nameof(Methods))]
    public void TheSameChallengeGetsTheSameResponseAndAnotherIdentifierAnother(AuthenticationMethod method)
    {
        AuthenticationProtocol peer = Peer(method);
        peer.Open(Timestamp.Zero);
        peer.Receive(ChallengeOne, Timestamp.Zero);
        string first = peer.Pull();
        peer.Receive(ChallengeOne, Seconds(1));
        Assert.Equal(first, peer.Pull());
        peer.Receive(ChallengeTwo, Seconds(2));
        string second = peer.Pull();
        Assert.NotEqual(first[10..42], second[10..42]);
        peer.Receive(ChallengeOne, Seconds(3));
        Assert.Equal(first, peer.Pull());
    }

    [Fact]
    public void PeerChallengeDiffersBetweenLinks()
    {
        AuthenticationProtocol[] peers = [Peer(AuthenticationMethod.MsChapV2, seed: 1), Peer(AuthenticationMethod.MsChapV2, seed: 2)];
        foreach (AuthenticationProtocol peer in peers)
        {
            peer.Open(Timestamp.Zero);
            peer.Receive(ChallengeOne, Timestamp.Zero);
        }

        Assert.NotEqual(peers[0].Pull(), peers[1].Pull());
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void ResponseIsRepeatedUntilItIsAnsweredOrPatienceEnds(AuthenticationMethod method)
    {
        AuthenticationProtocol peer = Peer(method);
        peer.Open(Timestamp.Zero);
        Assert.Equal(Seconds(60), peer.NextDeadline);
        peer.Receive(ChallengeOne, Timestamp.Zero);
        string response = peer.Pull();
        int sent = 1;
        while (peer.NextDeadline != Timestamp.Never)
        {
            peer.Advance(peer.NextDeadline);
            if (peer.State == AuthenticationState.Pending && peer.PullOrNull() is { } again)
            {
                Assert.Equal(response, Convert.ToHexStringLower(again));
                sent++;
            }
        }

        Assert.Equal(10, sent);
        Assert.Equal(AuthenticationState.Failed, peer.State);
        Assert.Null(peer.PullOrNull());
    }

    [Fact]
    public void WithoutAnyChallengeThePeerGivesUp()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.ChapMd5);
        peer.Open(Timestamp.Zero);
        peer.Advance(Seconds(60));
        Assert.Equal("CHAP-MD5: no Challenge came", peer.Failure);
    }

    // Cisco ASA authenticates again in the middle of a session.
    [Theory]
    [MemberData(nameof(Methods))]
    public void ChallengesAreAnsweredDuringTheSession(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        AuthenticationProtocol peer = Peer(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        Converse(authenticator, peer, Timestamp.Zero);
        for (int i = 1; i < 600; i++)
        {
            authenticator.Rechallenge(Seconds(i));
            Converse(authenticator, peer, Seconds(i));
            Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
            Assert.Equal(Timestamp.Never, peer.NextDeadline);
        }
    }

    [Fact]
    public void ADelayedCopyOfTheFirstChallengeDoesNotBreakTheSession()
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.MsChapV2);
        AuthenticationProtocol peer = Peer(AuthenticationMethod.MsChapV2);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        byte[] challenge = authenticator.PullOrNull()!;
        peer.Receive(challenge, Timestamp.Zero);
        Converse(authenticator, peer, Timestamp.Zero);
        peer.Receive(challenge, Seconds(2));
        Converse(authenticator, peer, Seconds(2));
        Assert.Equal(AuthenticationState.Succeeded, peer.State);
    }

    [Theory]
    [InlineData("S=0000000000000000000000000000000000000000 M=Welcome")]
    [InlineData("")]
    [InlineData("Welcome")]
    [InlineData("S=")]
    public void ASuccessWithoutProofFailsTheLink(string message)
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.MsChapV2);
        peer.Open(Timestamp.Zero);
        peer.Receive(ChallengeOne, Timestamp.Zero);
        _ = peer.Pull();
        peer.Receive(Message(3, 1, message), Timestamp.Zero);
        Assert.Equal(AuthenticationState.Failed, peer.State);
        Assert.Contains("did not prove", peer.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAuthenticatorThatAcceptsAnythingIsFoundOut()
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.MsChapV2);
        AuthenticationProtocol peer = Peer(AuthenticationMethod.MsChapV2);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        peer.Receive(authenticator.PullOrNull(), Timestamp.Zero);
        authenticator.Receive(peer.PullOrNull(), Timestamp.Zero);
        authenticator.Decide(AuthenticationVerdict.Accept(new byte[20]), Timestamp.Zero);
        peer.Receive(authenticator.PullOrNull(), Timestamp.Zero);
        Assert.Equal(AuthenticationState.Failed, peer.State);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void VerdictsNobodyWaitsForAreIgnored(AuthenticationMethod method)
    {
        AuthenticationProtocol peer = Peer(method);
        peer.Open(Timestamp.Zero);
        peer.Receive(Message(3, 1, "Welcome"), Timestamp.Zero);
        peer.Receive(Message(4, 1, "E=691 R=0"), Timestamp.Zero);
        Assert.Equal((AuthenticationState.Pending, 2), (peer.State, peer.Discarded));
        peer.Receive(ChallengeOne, Timestamp.Zero);
        peer.Receive(Message(3, 9, "Welcome"), Timestamp.Zero);
        peer.Receive(Message(4, 9, "E=691 R=0"), Timestamp.Zero);
        Assert.Equal((AuthenticationState.Pending, 4), (peer.State, peer.Discarded));
    }

    [Theory]
    [InlineData("E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Try again")]
    [InlineData("E=691 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=Try again")]
    public void AnOfferedRetryIsNotTaken(string message)
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.MsChapV2);
        peer.Open(Timestamp.Zero);
        peer.Receive(ChallengeOne, Timestamp.Zero);
        _ = peer.Pull();
        peer.Receive(Message(4, 1, message), Timestamp.Zero);
        Assert.Null(peer.PullOrNull());
        Assert.Equal("MS-CHAPv2: the other end refused 'alice': authentication failure (E=691) Try again", peer.Failure);
        peer.Receive(ChallengeTwo, Timestamp.Zero);
        Assert.Null(peer.PullOrNull());
    }

    [Fact]
    public void TextFromTheOtherEndIsMadeHarmless()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.ChapMd5);
        peer.Open(Timestamp.Zero);
        peer.Receive(ChallengeOne, Timestamp.Zero);
        peer.Receive(Message(4, 1, "no\r\n\u001b[31mERROR\u202e" + new string('x', 2000)), Timestamp.Zero);
        Assert.DoesNotContain(peer.Failure!, c => char.IsControl(c) || c == '\u202e');
        Assert.True(peer.Failure!.Length < 400);
    }

    [Fact]
    public void MsChapV2TakesOnlyChallengesOfSixteenOctets()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.MsChapV2);
        peer.Open(Timestamp.Zero);
        for (int size = 0; size <= 255; size++)
        {
            byte[] value = new byte[size];
            peer.Receive([1, 1, (byte)((5 + size) >> 8), (byte)(5 + size), (byte)size, .. value], Timestamp.Zero);
            Assert.Equal(size == 16, peer.PullOrNull() is not null);
        }
    }

    [Theory]
    [InlineData("BIGCO\\alice", "пароль€😀")]
    [InlineData("alice@isp.example", "")]
    [InlineData("", "x")]
    public void NamesAndPasswordsOfEveryKind(string name, string password)
    {
        foreach (AuthenticationMethod method in AuthenticationTesting.Methods)
        {
            AuthenticationProtocol authenticator = Authenticator(method);
            AuthenticationProtocol peer = Peer(method, password, name: name);
            authenticator.Open(Timestamp.Zero);
            peer.Open(Timestamp.Zero);
            Converse(authenticator, peer, Timestamp.Zero, password);
            Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
        }
    }

    private static byte[] Message(byte code, byte identifier, string text)
    {
        byte[] octets = Encoding.UTF8.GetBytes(text);
        int total = 4 + octets.Length;
        return [code, identifier, (byte)(total >> 8), (byte)total, .. octets];
    }
}
