using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp.Tests.Engine;

/// <summary>A tunnel that has as many sessions as IDs allow.</summary>
public sealed class FullTunnelTests
{
    private const int IdCount = 65_535;

    /// <summary>
    /// With all IDs in use, the search for one that a refusal could carry went on for ever. So one is never given to a session.
    /// </summary>
    [Fact]
    public void Call_beyond_the_last_ID_is_refused_with_an_ID_that_is_nobodys()
    {
        var bench = new Bench(
            Bench.Plain with { CallRate = RateLimit.None },
            EndpointLimits.Default with { MaxSessions = 70_000, MaxHalfOpenSessions = 70_000, CallRate = RateLimit.None });
        HandPeer peer = HandPeer.Established(bench);
        for (int call = 1; call < IdCount; call++)
        {
            peer.Send(0, HandPeer.Icrq(call));
        }

        Assert.Equal(IdCount - 1, peer.Tunnel.SessionCount);
        bench.Outbox.Clear();
        peer.ForgetSeen();

        // The first must be refused before the second is sent: with every ID taken, that was the one to hang.
        ushort[] assigned = new ushort[2];
        for (int i = 0; i < assigned.Length; i++)
        {
            peer.Send(0, HandPeer.Icrq(IdCount));
            Sent cdn = Assert.Single(peer.Take());
            Assert.Equal((MessageType.Cdn, IdCount), (cdn.Type, cdn.Header.SessionId));
            Assert.Equal((4, 0), cdn.ResultCode());
            assigned[i] = cdn.Number(AvpType.AssignedSessionId);
            Assert.NotEqual(0, assigned[i]);
            Assert.False(peer.Tunnel.TryFindSession(assigned[i], out _));
        }

        Assert.Equal(assigned[0], assigned[1]); // the only one that is left
        Assert.Equal(2, bench.Endpoint.Counters[L2tpCounter.SessionLimit]);
    }
}
