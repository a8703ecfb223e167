using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

/// <summary>Damaged packets into live engines: nothing is thrown, nobody gets in, and the next good packet is served.</summary>
public class AuthenticationRobustnessTests
{
    private const int Mutations = 100_000;

    public static TheoryData<AuthenticationMethod> Methods => [.. AuthenticationTesting.Methods];

    [Theory]
    [MemberData(nameof(Methods))]
    public void EveryTruncation(AuthenticationMethod method)
    {
        foreach (byte[] packet in Recorded(method))
        {
            for (int length = 0; length < packet.Length; length++)
            {
                (AuthenticationProtocol authenticator, AuthenticationProtocol peer) = Opened(method);
                authenticator.Receive(packet.AsSpan(0, length), Timestamp.Zero);
                peer.Receive(packet.AsSpan(0, length), Timestamp.Zero);
                Assert.Equal(AuthenticationState.Pending, authenticator.State);
                Assert.Equal(AuthenticationState.Pending, peer.State);
                Converse(authenticator, peer, Timestamp.Zero);
                Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void PaddingAfterThePacketIsIgnored(AuthenticationMethod method)
    {
        (AuthenticationProtocol authenticator, AuthenticationProtocol peer) = Opened(method);
        for (int i = 0; i < 5; i++)
        {
            if (authenticator.PullOrNull() is { } toPeer)
            {
                peer.Receive([.. toPeer, 0, 1, 2], Timestamp.Zero);
            }

            if (peer.PullOrNull() is { } toAuthenticator)
            {
                authenticator.Receive([.. toAuthenticator, 0, 1, 2], Timestamp.Zero);
            }

            if (authenticator.Request is { } request)
            {
                Assert.Equal("alice", request.Name);
                authenticator.Decide(request.Check("wonder"), Timestamp.Zero);
            }
        }

        Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void MutationsIntoTheAuthenticator(AuthenticationMethod method)
    {
        byte[][] recorded = Recorded(method);
        var random = new SeededRandom(5);
        AuthenticationProtocol authenticator = Authenticator(method);
        for (int i = 0; i < Mutations; i++)
        {
            if (authenticator.State is AuthenticationState.Initial or AuthenticationState.Failed || i % 50 == 0)
            {
                authenticator.Open(Timestamp.Zero);
            }

            authenticator.Receive(Mutate(recorded, random), Timestamp.Zero);
            if (authenticator.Request is { } request)
            {
                Assert.True(request.NameOctets.Length <= 255);
                // Nobody knows this password, so whatever was made of the packet, it must not be let in.
                AuthenticationVerdict verdict = request.Check("unknown to every recorded packet");
                Assert.False(verdict.IsAccepted);
                authenticator.Decide(i % 2 == 0 ? verdict : AuthenticationVerdict.Accept(new byte[20]), Timestamp.Zero);
            }

            Assert.True((authenticator.PullOrNull()?.Length ?? 0) <= AuthenticationProtocol.MaxPacketSize);
            Assert.Null(authenticator.PullOrNull());
        }

        AuthenticationProtocol peer = Peer(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        Converse(authenticator, peer, Timestamp.Zero);
        Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void MutationsIntoThePeer(AuthenticationMethod method)
    {
        byte[][] recorded = Recorded(method);
        var random = new SeededRandom(6);
        AuthenticationProtocol peer = Peer(method, seed: 99);
        for (int i = 0; i < Mutations; i++)
        {
            if (peer.State is AuthenticationState.Initial or AuthenticationState.Failed || i % 50 == 0)
            {
                peer.Open(Timestamp.Zero);
            }

            peer.Receive(Mutate(recorded, random), Timestamp.Zero);
            Assert.True((peer.PullOrNull()?.Length ?? 0) <= AuthenticationProtocol.MaxPacketSize);
            Assert.Null(peer.PullOrNull());
            Assert.True(method != AuthenticationMethod.MsChapV2 || peer.State != AuthenticationState.Succeeded);
        }

        AuthenticationProtocol authenticator = Authenticator(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        Converse(authenticator, peer, Timestamp.Zero);
        Assert.Equal((AuthenticationState.Succeeded, AuthenticationState.Succeeded), (authenticator.State, peer.State));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void AnEngineThatIsNotOpenAnswersNothing(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        AuthenticationProtocol peer = Peer(method);
        foreach (byte[] packet in Recorded(method))
        {
            authenticator.Receive(packet, Timestamp.Zero);
            peer.Receive(packet, Timestamp.Zero);
            authenticator.Decide(AuthenticationVerdict.Accept(), Timestamp.Zero);
            peer.Decide(AuthenticationVerdict.Accept(), Timestamp.Zero);
            authenticator.Advance(Seconds(1000));
            peer.Advance(Seconds(1000));
            Assert.Null(authenticator.PullOrNull());
            Assert.Null(peer.PullOrNull());
            Assert.Equal((AuthenticationState.Initial, AuthenticationState.Initial), (authenticator.State, peer.State));
        }
    }

    private static (AuthenticationProtocol Authenticator, AuthenticationProtocol Peer) Opened(AuthenticationMethod method)
    {
        AuthenticationProtocol authenticator = Authenticator(method);
        AuthenticationProtocol peer = Peer(method);
        authenticator.Open(Timestamp.Zero);
        peer.Open(Timestamp.Zero);
        return (authenticator, peer);
    }

    /// <summary>Every packet of a good and of a refused exchange.</summary>
    private static byte[][] Recorded(AuthenticationMethod method)
    {
        var packets = new List<byte[]>();
        foreach (string password in (string[])["wonder", "wonder2"])
        {
            (AuthenticationProtocol authenticator, AuthenticationProtocol peer) = Opened(method);
            for (int i = 0; i < 3; i++)
            {
                Carry(authenticator, peer, packets);
                Carry(peer, authenticator, packets);
                if (authenticator.Request is { } request)
                {
                    authenticator.Decide(request.Check(password), Timestamp.Zero);
                }
            }
        }

        Assert.Equal(method == AuthenticationMethod.Pap ? 4 : 6, packets.Count);
        return [.. packets];
    }

    private static void Carry(AuthenticationProtocol from, AuthenticationProtocol to, List<byte[]> record)
    {
        while (from.PullOrNull() is { } packet)
        {
            record.Add(packet);
            to.Receive(packet, Timestamp.Zero);
        }
    }

    /// <summary>Flips, overwrites, cuts or lengthens one of the packets in one to four places.</summary>
    private static byte[] Mutate(byte[][] packets, SeededRandom random)
    {
        byte[] packet = [.. packets[random.NextBelow(packets.Length)]];
        for (int edits = 1 + random.NextBelow(4); edits > 0 && packet.Length > 0; edits--)
        {
            int at = random.NextBelow(2) == 0 ? random.NextBelow(Math.Min(6, packet.Length)) : random.NextBelow(packet.Length);
            switch (random.NextBelow(5))
            {
                case 0:
                    packet[at] ^= (byte)(1 << random.NextBelow(8));
                    break;
                case 1:
                    packet[at] = (byte)random.NextBelow(256);
                    break;
                case 2:
                    packet[at] = random.NextBelow(2) == 0 ? (byte)0 : (byte)255;
                    break;
                case 3:
                    packet = packet[..at];
                    break;
                default:
                    packet = [.. packet, .. new byte[random.NextBelow(600)]];
                    break;
            }
        }

        return packet;
    }
}
