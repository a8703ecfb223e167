using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Simulation;

namespace Culvert.Subscribers.Tests;

/// <summary>Users whose PPP goes down and comes up again and again, at no cost to themselves.</summary>
public sealed class UnsteadyUserTests
{
    private const string Reason = "PPP comes up and goes down too often";

    private static readonly byte[] IpcpRequest = [0x80, 0x21, 1, 99, 0, 10, 3, 6, 0, 0, 0, 0];

    private readonly LacWorld _world = new(NodePair.LnsSettings());
    private LacLine _line = null!;

    [Fact]
    public void A_LAC_is_told_only_once_what_concerns_it()
    {
        var wishes = new LcpWishes(new byte[] { 1, 4, 5, 0x14 }, null);
        int told = 0;
        _world.World.Filter = packet =>
        {
            told += packet.Source == NodePair.LnsAt && IsSli(packet.Payload.Span) ? 1 : 0;
            return true;
        };
        Subscriber subscriber = Connect(new IncomingCall { LcpWishes = wishes });
        for (int i = 0; i < 5; i++)
        {
            Renew();
            Assert.True(_world.World.RunUntil(() => _line.IsUp && subscriber.IsUp, 10), _world.World.Trace.ToString());
        }

        // The magic numbers were others each time.
        Assert.Equal(1, told);
    }

    [Fact]
    public void Who_begins_IPCP_anew_without_end_is_disconnected_and_everybody_told_why()
    {
        Subscriber subscriber = Connect();
        for (int i = 0; i < 100 && !IsDown(subscriber); i++)
        {
            _world.Lns.Access.ReceivePpp(subscriber.Key, IpcpRequest, _world.World.Now);
            _world.World.Settle(_world.Lns);
            _world.World.Pass(0.02);
        }

        ExpectDisconnected(subscriber, mostTimesUp: 25);
    }

    [Fact]
    public void Who_begins_LCP_anew_without_end_is_disconnected_and_everybody_told_why()
    {
        Subscriber subscriber = Connect();
        for (int i = 0; i < 100 && !IsDown(subscriber); i++)
        {
            Renew();
            Assert.True(_world.World.RunUntil(() => IsDown(subscriber) || (_line.IsUp && subscriber.IsUp), 10), _world.World.Trace.ToString());
        }

        ExpectDisconnected(subscriber, mostTimesUp: 15);
    }

    [Fact]
    public void A_few_renegotiations_at_once_and_one_now_and_then_are_nobodys_fault()
    {
        Subscriber subscriber = Connect();
        for (int i = 0; i < 8; i++)
        {
            Renew();
            Assert.True(_world.World.RunUntil(() => _line.IsUp && subscriber.IsUp, 10), _world.World.Trace.ToString());
        }

        for (int i = 0; i < 100; i++)
        {
            _world.World.Pass(3);
            Renew();
            Assert.True(_world.World.RunUntil(() => _line.IsUp && subscriber.IsUp, 10), _world.World.Trace.ToString());
        }

        Assert.False(IsDown(subscriber));
    }

    private static bool IsSli(ReadOnlySpan<byte> datagram) =>
        L2tpHeader.TryRead(datagram, out L2tpHeader header) && header.IsControl && datagram.Length >= 20 && datagram[19] == 16;

    private Subscriber Connect(IncomingCall? call = null)
    {
        _line = _world.Lac.PlaceCall("alice", NodePair.Password, call);
        Assert.True(_world.World.RunUntil(() => _line.IsUp && _world.Lns.Subscribers.Any(s => s.IsUp), 20), _world.World.Trace.ToString());
        return _world.Lns.Subscribers[0];
    }

    private void Renew()
    {
        _world.Lac.RenewLink(0, "alice", NodePair.Password, _world.World.Now);
        _world.World.Settle(_world.Lac);
    }

    private bool IsDown(Subscriber subscriber) => _world.Lns.Told(NodeEventKind.SessionDown).Any(e => e.Subscriber == subscriber);

    private void ExpectDisconnected(Subscriber subscriber, int mostTimesUp)
    {
        Assert.True(_world.World.RunUntil(() => IsDown(subscriber), 30), $"up {_world.Lns.Told(NodeEventKind.SessionUp).Count()} times");
        Assert.Equal(Reason, _world.Lns.Told(NodeEventKind.SessionDown).First().Text);
        Assert.InRange(_world.Lns.Told(NodeEventKind.SessionUp).Count(e => e.Subscriber == subscriber), 3, mostTimesUp);

        Disconnect why = subscriber.Session.Ended!;
        Assert.Equal((DisconnectOrigin.Local, (ushort)CdnResult.Administrative, Reason), (why.Origin, (ushort)why.Result, why.Message));
        Assert.Equal(new PppDisconnectCause(1, 0, PppDisconnectDirection.Global), why.PppCause);
    }
}
