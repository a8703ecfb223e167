using Culvert.Core;
using Culvert.Ppp.Authentication;
using static Culvert.Ppp.Tests.Authentication.AuthenticationTesting;

namespace Culvert.Ppp.Tests.Authentication;

/// <summary>An authenticator and a peer over a path that loses, doubles, delays and reorders.</summary>
public class AuthenticationPairTests
{
    private const int Seeds = 150;

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void BothEndsSucceedOverABadPath(AuthenticationMethod method)
    {
        for (ulong seed = 0; seed < Seeds; seed++)
        {
            var path = new BadPath(method, seed, AuthenticationSettings.Default, "wonder");
            path.Run(Seconds(120));
            Assert.True(path.Authenticator.State == AuthenticationState.Succeeded, $"seed {seed}: {path.Authenticator.Failure}");
            Assert.True(path.Peer.State == AuthenticationState.Succeeded, $"seed {seed}: {path.Peer.Failure}");
        }
    }

    [Theory]
    [InlineData(AuthenticationMethod.Pap)]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void NobodySucceedsWithTheWrongPassword(AuthenticationMethod method)
    {
        for (ulong seed = 0; seed < Seeds; seed++)
        {
            var path = new BadPath(method, seed, AuthenticationSettings.Default, "wonder2");
            path.Run(Seconds(120));
            Assert.Equal(AuthenticationState.Failed, path.Authenticator.State);
            Assert.Equal(AuthenticationState.Failed, path.Peer.State);
            Assert.False(path.Authenticator.HasSucceeded || path.Peer.HasSucceeded);
        }
    }

    [Theory]
    [InlineData(AuthenticationMethod.ChapMd5)]
    [InlineData(AuthenticationMethod.MsChapV2)]
    public void ChallengesDuringTheSessionKeepItAliveOverABadPath(AuthenticationMethod method)
    {
        var settings = new AuthenticationSettings { RechallengeInterval = TimeSpan.FromSeconds(30) };
        for (ulong seed = 0; seed < 40; seed++)
        {
            var path = new BadPath(method, seed, settings, "wonder");
            path.Run(Seconds(1000));
            Assert.True(path.Authenticator.HasSucceeded && path.Authenticator.Failure is null, $"seed {seed}: {path.Authenticator.Failure}");
            Assert.True(path.Peer.State == AuthenticationState.Succeeded, $"seed {seed}: {path.Peer.Failure}");
            Assert.True(path.Verdicts > 15, $"seed {seed}: {path.Verdicts} verdicts");
        }
    }

    private sealed class BadPath
    {
        private const int LossPercent = 20;
        private const int DoublePercent = 20;
        private const int MaxDelayMilliseconds = 4000;

        private readonly List<(Timestamp At, bool ToPeer, byte[] Packet)> _flying = [];
        private readonly SeededRandom _random;
        private readonly string _password;
        private Timestamp _now;
        private Timestamp _verdictAt = Timestamp.Never;

        public BadPath(AuthenticationMethod method, ulong seed, AuthenticationSettings settings, string password)
        {
            _random = new SeededRandom(seed);
            _password = password;
            Authenticator = Authenticator(method, settings, seed + 1000);
            Peer = Peer(method, "wonder", settings, seed: seed + 2000);
        }

        public AuthenticationProtocol Authenticator { get; }

        public AuthenticationProtocol Peer { get; }

        public int Verdicts { get; private set; }

        public void Run(Timestamp until)
        {
            Authenticator.Open(_now);
            Peer.Open(_now);
            Drain();
            while (true)
            {
                Timestamp next = Timestamp.Min(Timestamp.Min(Authenticator.NextDeadline, Peer.NextDeadline), _verdictAt);
                next = _flying.Aggregate(next, (earliest, packet) => Timestamp.Min(earliest, packet.At));
                if (next > until)
                {
                    return;
                }

                _now = Timestamp.Max(_now, next);
                Step();
                Drain();
            }
        }

        private void Step()
        {
            Authenticator.Advance(_now);
            Peer.Advance(_now);
            if (_verdictAt <= _now)
            {
                _verdictAt = Timestamp.Never;
                Verdicts++;
                Authenticator.Decide(Authenticator.Request!.Check(_password), _now);
            }

            foreach ((Timestamp At, bool ToPeer, byte[] Packet) arrived in _flying.Where(p => p.At <= _now).ToArray())
            {
                _flying.Remove(arrived);
                (arrived.ToPeer ? Peer : Authenticator).Receive(arrived.Packet, _now);
                Drain();
            }
        }

        private void Drain()
        {
            Send(Authenticator, toPeer: true);
            Send(Peer, toPeer: false);
            if (Authenticator.State == AuthenticationState.AwaitingVerdict && _verdictAt == Timestamp.Never)
            {
                // A server takes its time to answer.
                _verdictAt = _now + TimeSpan.FromMilliseconds(_random.NextBelow(5000));
            }
        }

        private void Send(AuthenticationProtocol from, bool toPeer)
        {
            while (from.PullOrNull() is { } packet)
            {
                int copies = _random.NextBelow(100) < LossPercent ? 0 : _random.NextBelow(100) < DoublePercent ? 2 : 1;
                for (int i = 0; i < copies; i++)
                {
                    _flying.Add((_now + TimeSpan.FromMilliseconds(_random.NextBelow(MaxDelayMilliseconds)), toPeer, packet));
                }
            }
        }
    }
}
