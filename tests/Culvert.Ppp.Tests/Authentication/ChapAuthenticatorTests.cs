using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

public class ChapAuthenticatorTests
{
    public static TheoryData<AuthenticationMethod> Methods => [AuthenticationMethod.ChapMd5, AuthenticationMethod.MsChapV2];

    [Theory]
    [MemberData(nameof(Methods))]
    public void ChallengeIsRepeatedUnchangedTenTimesEveryThreeSeconds(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        authenticator.Open(Timestamp.Zero);
        string challenge = authenticator.Pull();
        for (int i = 1; i < 10; i++)
        {
            Assert.Equal(Seconds(3 * i), authenticator.NextDeadline);
            authenticator.Advance(Seconds((3 * i) - 0.001));
            Assert.Null(authenticator.PullOrNull());
            authenticator.Advance(Seconds(3 * i));
            Assert.Equal(challenge, authenticator.Pull());
        }

        authenticator.Advance(Seconds(30));
        Assert.Null(authenticator.PullOrNull());
        Assert.Equal(AuthenticationState.Failed, authenticator.State);
        Assert.Contains("10 Challenges", authenticator.Failure, StringComparison.Ordinal);
        Assert.Equal(Timestamp.Never, authenticator.NextDeadline);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void NoChallengeIsSentWhileTheVerdictIsAwaited(AuthenticationMethod method)
    {
        (AuthenticationProtocol authenticator, byte[] response) = AnsweredChallenge(method, "wonder");
        Assert.Equal(Timestamp.Never, authenticator.NextDeadline);
        authenticator.Advance(Seconds(100));
        authenticator.Receive(response, Seconds(100));
        Assert.Null(authenticator.PullOrNull());
        Assert.Equal(AuthenticationState.AwaitingVerdict, authenticator.State);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void RepeatedResponseGetsTheSameSuccess(AuthenticationMethod method)
    {
        (AuthenticationProtocol authenticator, byte[] response) = AnsweredChallenge(method, "wonder");
        authenticator.Decide(authenticator.Request!.Check("wonder"), Timestamp.Zero);
        string success = authenticator.Pull();
        Assert.StartsWith("03", success, StringComparison.Ordinal);
        for (int i = 0; i < 3; i++)
        {
            authenticator.Receive(response, Seconds(i));
            Assert.Equal(success, authenticator.Pull());
        }
    }

    // RFC 1994 section 4.1: nobody may try out secrets after the verdict, in either direction.
    [Theory]
    [MemberData(nameof(Methods))]
    public void AnotherResponseToTheSameChallengeChangesNothing(AuthenticationMethod method)
    {
        (AuthenticationProtocol authenticator, byte[] good) = AnsweredChallenge(method, "wonder");
        byte[] bad = [.. good];
        bad[10] ^= 1;
        authenticator.Decide(authenticator.Request!.Check("wonder"), Timestamp.Zero);
        string success = authenticator.Pull();
        authenticator.Receive(bad, Seconds(1));
        Assert.Equal(success, authenticator.Pull());
        Assert.Equal(AuthenticationState.Succeeded, authenticator.State);

        (authenticator, good) = AnsweredChallenge(method, "wonder");
        authenticator.Decide(AuthenticationVerdict.Reject("no"), Timestamp.Zero);
        string failure = authenticator.Pull();
        Assert.StartsWith("04", failure, StringComparison.Ordinal);
        authenticator.Receive(good, Seconds(1));
        Assert.Equal(failure, authenticator.Pull());
        Assert.Equal(AuthenticationState.Failed, authenticator.State);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void ResponseWithAnotherIdentifierIsIgnored(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        AuthenticationProtocol peer = Peer(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        peer.Receive(authenticator.PullOrNull(), Timestamp.Zero);
        byte[] response = peer.PullOrNull()!;
        response[1]++;
        authenticator.Receive(response, Timestamp.Zero);
        Assert.Equal((AuthenticationState.Pending, 1), (authenticator.State, authenticator.Discarded));
        response[1]--;
        authenticator.Receive(response, Timestamp.Zero);
        Assert.Equal(AuthenticationState.AwaitingVerdict, authenticator.State);
    }

    [Theory]
    [InlineData(AuthenticationMethod.ChapMd5, 16)]
    [InlineData(AuthenticationMethod.MsChapV2, 49)]
    public void OnlyTheMethodsOwnResponseSizeCounts(AuthenticationMethod method, int size)
    {
        for (int length = 0; length <= 255; length++)
        {
            AuthenticationProtocol authenticator = AuthenticationProtocol.CreateAuthenticator(
                method, AuthenticationSettings.Default, new SeededRandom(1), 9);
            authenticator.Open(Timestamp.Zero);
            byte[] value = new byte[length];
            authenticator.Receive([2, 9, (byte)((5 + length) >> 8), (byte)(5 + length), (byte)length, .. value], Timestamp.Zero);
            Assert.Equal(length == size ? AuthenticationState.AwaitingVerdict : AuthenticationState.Pending, authenticator.State);
        }
    }

    [Fact]
    public void NamesUpTo255OctetsAreTaken()
    {
        foreach (int length in (int[])[0, 1, 255, 256, 1000])
        {
            AuthenticationProtocol authenticator = AuthenticationProtocol.CreateAuthenticator(
                AuthenticationMethod.ChapMd5, AuthenticationSettings.Default, new SeededRandom(1), 9);
            authenticator.Open(Timestamp.Zero);
            int total = 21 + length;
            byte[] name = new byte[length];
            Array.Fill(name, (byte)'n');
            authenticator.Receive([2, 9, (byte)(total >> 8), (byte)total, 16, .. new byte[16], .. name], Timestamp.Zero);
            Assert.Equal(length <= 255 ? new string('n', length) : null, authenticator.Request?.Name);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void RechallengeHasANewIdentifierAndValueAndMayFail(AuthenticationMethod method)
    {
        var settings = new AuthenticationSettings { RechallengeInterval = TimeSpan.FromMinutes(5) };
        AuthenticationProtocol authenticator = Authenticator(method, settings);
        AuthenticationProtocol peer = Peer(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        Converse(authenticator, peer, Timestamp.Zero);
        Assert.Equal(Seconds(300), authenticator.NextDeadline);

        authenticator.Advance(Seconds(300));
        Assert.Equal(AuthenticationState.Pending, authenticator.State);
        Assert.True(authenticator.HasSucceeded);
        byte[] second = authenticator.PullOrNull()!;
        peer.Receive(second, Seconds(300));
        Converse(authenticator, peer, Seconds(300));
        Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));

        authenticator.Rechallenge(Seconds(400));
        byte[] third = authenticator.PullOrNull()!;
        Assert.NotEqual(second[1], third[1]);
        Assert.NotEqual(second.AsSpan(5, 16).ToArray(), third.AsSpan(5, 16).ToArray());
        peer.Receive(third, Seconds(400));
        Converse(authenticator, peer, Seconds(400), "changed meanwhile");
        Assert.Equal((AuthenticationState.Failed, AuthenticationState.Failed), (authenticator.State, peer.State));
    }

    [Fact]
    public void AnOldSuccessIsNotGivenToTheNextChallenge()
    {
        (AuthenticationProtocol authenticator, byte[] response) = AnsweredChallenge(AuthenticationMethod.ChapMd5, "wonder");
        authenticator.Decide(AuthenticationVerdict.Accept(), Timestamp.Zero);
        Assert.NotNull(authenticator.PullOrNull());
        authenticator.Rechallenge(Seconds(1));
        Assert.NotNull(authenticator.PullOrNull());
        authenticator.Receive(response, Seconds(1));
        Assert.Null(authenticator.PullOrNull());
        Assert.Equal(AuthenticationState.Pending, authenticator.State);
    }

    [Fact]
    public void MsChapV2FailureHasEveryFieldAndNoRetry()
    {
        (AuthenticationProtocol authenticator, _) = AnsweredChallenge(AuthenticationMethod.MsChapV2, "wonder");
        authenticator.Decide(AuthenticationVerdict.Reject("Go away", 647), Timestamp.Zero);
        string text = System.Text.Encoding.UTF8.GetString(authenticator.PullOrNull().AsSpan(4));
        Assert.Matches("^E=647 R=0 C=[0-9A-F]{32} V=3 M=Go away$", text);
        Assert.Equal("MS-CHAPv2: 'alice' was refused: Go away", authenticator.Failure);
    }

    [Fact]
    public void MsChapV2CannotBeAcceptedWithoutTheAuthenticatorResponse()
    {
        (AuthenticationProtocol authenticator, _) = AnsweredChallenge(AuthenticationMethod.MsChapV2, "wonder");
        authenticator.Decide(AuthenticationVerdict.Accept("fine"), Timestamp.Zero);
        Assert.StartsWith("04", authenticator.Pull(), StringComparison.Ordinal);
        Assert.Equal(AuthenticationState.Failed, authenticator.State);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void AVerdictOnAnEarlierRequestIsIgnored(AuthenticationMethod method)
    {
        (AuthenticationProtocol authenticator, _) = AnsweredChallenge(method, "wonder");
        AuthenticationRequest late = authenticator.Request!;
        AuthenticationVerdict verdict = late.Check("wonder");
        authenticator.Open(Seconds(5));
        authenticator.Decide(verdict, Seconds(5));
        Assert.Equal(AuthenticationState.Pending, authenticator.State);

        AuthenticationProtocol peer = Peer(method, "guess");
        peer.Open(Seconds(5));
        peer.Receive(authenticator.PullOrNull(), Seconds(5));
        authenticator.Receive(peer.PullOrNull(), Seconds(5));
        authenticator.Decide(late, verdict, Seconds(6));
        Assert.Equal(AuthenticationState.AwaitingVerdict, authenticator.State);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void AdoptedProxyRequestIsAnsweredUnderItsIdentifier(AuthenticationMethod method)
    {
        (AuthenticationProtocol accessConcentrator, byte[] response) = AnsweredChallenge(method, "wonder");
        AuthenticationRequest proxied = accessConcentrator.Request!;
        AuthenticationProtocol authenticator = Authenticator(method, seed: 77);
        Assert.False(Authenticator(AuthenticationMethod.Pap).TryAdopt(proxied));
        Assert.True(authenticator.TryAdopt(proxied));
        authenticator.Decide(proxied.Check("wonder"), Timestamp.Zero);
        string success = authenticator.Pull();
        Assert.Equal(response[1], Convert.FromHexString(success)[1]);
        authenticator.Receive(response, Seconds(1));
        Assert.Equal(success, authenticator.Pull());
        authenticator.Rechallenge(Seconds(2));
        Assert.Equal((byte)(response[1] + 1), authenticator.PullOrNull()![1]);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void ASmallBufferLosesNothing(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        authenticator.Open(Timestamp.Zero);
        Assert.False(authenticator.TryTransmit(new byte[20], out int length));
        Assert.Equal(0, length);
        Assert.StartsWith("01", authenticator.Pull(), StringComparison.Ordinal);
    }

    private static (AuthenticationProtocol Authenticator, byte[] Response) AnsweredChallenge(AuthenticationMethod method, string password)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        AuthenticationProtocol peer = Peer(method, password);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        peer.Receive(authenticator.PullOrNull(), Timestamp.Zero);
        byte[] response = peer.PullOrNull()!;
        authenticator.Receive(response, Timestamp.Zero);
        return (authenticator, response);
    }
}
