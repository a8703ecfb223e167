using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

public class PapTests
{
    private static readonly byte[] Request = Convert.FromHexString("0105001105616c69636506776f6e646572");

    [Fact]
    public void RequestIsRepeatedWithNewIdentifiersTenTimes()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.Pap);
        peer.Open(Timestamp.Zero);
        var identifiers = new HashSet<byte> { peer.PullOrNull()![1] };
        for (int i = 1; i < 10; i++)
        {
            peer.Advance(Seconds(3 * i));
            Assert.True(identifiers.Add(peer.PullOrNull()![1]));
        }

        peer.Advance(Seconds(30));
        Assert.Null(peer.PullOrNull());
        Assert.Equal("PAP: no answer to 10 Authenticate-Requests", peer.Failure);
    }

    [Fact]
    public void AnswerToAnyRequestOfTheExchangeCountsAndNoOther()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.Pap);
        peer.Open(Timestamp.Zero);
        byte first = peer.PullOrNull()![1];
        peer.Advance(Seconds(3));
        byte second = peer.PullOrNull()![1];
        peer.Receive([2, (byte)(first - 1), 0, 5, 0], Seconds(4));
        peer.Receive([2, (byte)(second + 1), 0, 5, 0], Seconds(4));
        Assert.Equal((AuthenticationState.Pending, 2), (peer.State, peer.Discarded));
        peer.Receive([2, first, 0, 5, 0], Seconds(4));
        Assert.Equal(AuthenticationState.Succeeded, peer.State);
        peer.Receive([3, first, 0, 5, 0], Seconds(4));
        Assert.Equal(AuthenticationState.Succeeded, peer.State);
        Assert.Equal(Timestamp.Never, peer.NextDeadline);
    }

    [Fact]
    public void RepliesWithoutMessageLengthCount()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.Pap);
        peer.Open(Timestamp.Zero);
        peer.Receive([3, peer.PullOrNull()![1], 0, 4], Timestamp.Zero);
        Assert.Equal("PAP: the other end refused 'alice': ", peer.Failure);
    }

    [Fact]
    public void RepeatedRequestMovesTheIdentifierOfTheAnswer()
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.Pap);
        authenticator.Open(Timestamp.Zero);
        authenticator.Receive(Request, Timestamp.Zero);
        AuthenticationRequest request = authenticator.Request!;
        authenticator.Receive([1, 6, .. Request.AsSpan(2)], Seconds(3));
        byte[] other = [1, 7, .. Request.AsSpan(2)];
        other[^1] ^= 1;
        authenticator.Receive(other, Seconds(4));
        Assert.Same(request, authenticator.Request);
        authenticator.Decide(AuthenticationVerdict.Accept(), Seconds(5));
        Assert.Equal("0206000500", authenticator.Pull());
    }

    // RFC 1334 section 2.2.1: the same code, whatever is asked after the verdict, under the identifier of the question.
    [Theory]
    [InlineData(true, "02")]
    [InlineData(false, "03")]
    public void RequestsAfterTheVerdictGetTheSameCode(bool isAccepted, string code)
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.Pap);
        authenticator.Open(Timestamp.Zero);
        authenticator.Receive(Request, Timestamp.Zero);
        authenticator.Decide(isAccepted ? AuthenticationVerdict.Accept("x") : AuthenticationVerdict.Reject("x"), Timestamp.Zero);
        Assert.Equal(code + "0500060178", authenticator.Pull());
        byte[] other = [1, 9, .. Request.AsSpan(2)];
        other[^1] ^= 1;
        authenticator.Receive(other, Seconds(4));
        Assert.Equal(code + "0900060178", authenticator.Pull());
        Assert.Equal(isAccepted ? AuthenticationState.Succeeded : AuthenticationState.Failed, authenticator.State);
    }

    [Fact]
    public void AuthenticatorGivesUpWithoutARequest()
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.Pap);
        authenticator.Open(Timestamp.Zero);
        Assert.Equal(Seconds(30), authenticator.NextDeadline);
        authenticator.Advance(Seconds(30));
        Assert.Equal("PAP: no Authenticate-Request came", authenticator.Failure);
        authenticator.Receive(Request, Seconds(31));
        Assert.Null(authenticator.PullOrNull());
    }

    [Fact]
    public void PasswordIsOverwrittenAfterTheVerdict()
    {
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.Pap);
        authenticator.Open(Timestamp.Zero);
        authenticator.Receive(Request, Timestamp.Zero);
        AuthenticationRequest request = authenticator.Request!;
        Assert.True(request.Password.SequenceEqual("wonder"u8));
        authenticator.Decide(AuthenticationVerdict.Accept(), Timestamp.Zero);
        Assert.True(request.Password.SequenceEqual(new byte[6]));
        Assert.Null(authenticator.Request);
    }

    [Fact]
    public void TheLongestRequestFitsTheBuffer()
    {
        AuthenticationProtocol peer = Peer(AuthenticationMethod.Pap, new string('p', 255), name: new string('n', 255));
        peer.Open(Timestamp.Zero);
        byte[] packet = peer.PullOrNull()!;
        Assert.Equal(AuthenticationProtocol.MaxPacketSize, packet.Length);
        AuthenticationProtocol authenticator = Authenticator(AuthenticationMethod.Pap);
        authenticator.Open(Timestamp.Zero);
        authenticator.Receive(packet, Timestamp.Zero);
        Assert.True(authenticator.Request!.Check(new string('p', 255)).IsAccepted);
        Assert.False(authenticator.Request.Check(new string('p', 254)).IsAccepted);
    }
}
