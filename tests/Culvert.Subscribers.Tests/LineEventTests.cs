using Culvert.L2tp;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>Nothing that the L2TP engine tells falls through silently.</summary>
public sealed class LineEventTests
{
    /// <summary>For each event of the engine: the event of the node in which it is told. A new kind needs a row here, and a place in AccessNode.</summary>
    private static readonly Dictionary<L2tpEventKind, (NodeEventKind Kind, string Text)> Told = new()
    {
        [L2tpEventKind.TunnelEstablished] = (NodeEventKind.TunnelUp, "established"),
        [L2tpEventKind.TunnelClosed] = (NodeEventKind.TunnelDown, "maintenance"),
        [L2tpEventKind.CallOffered] = (NodeEventKind.SessionUp, "up with address"),
        [L2tpEventKind.SessionEstablished] = (NodeEventKind.SessionUp, "up with address"),
        [L2tpEventKind.SessionClosed] = (NodeEventKind.SessionDown, "maintenance"),
        [L2tpEventKind.OutgoingCallRequested] = (NodeEventKind.CallConnected, "connected by 'loopback'"),
        [L2tpEventKind.LinkInfoChanged] = (NodeEventKind.Detail, "the LNS told the ACCM (SLI): send 00000000, receive 000a0000"),
        [L2tpEventKind.CallErrorsReported] = (NodeEventKind.Detail, "the LAC told its line's errors (WEN): 1 CRC, 2 framing, 3 hardware overruns, 4 buffer overruns, 5 time-outs, 6 alignment"),
        [L2tpEventKind.ConnectSpeedChanged] = (NodeEventKind.Detail, "the LAC told other connect speeds (CSUN): 50000000 bit/s to the user, 10000000 bit/s from it"),
        [L2tpEventKind.ModemStatusChanged] = (NodeEventKind.Detail, "the user's modem is on hold (8000) (MDMST)"),
        [L2tpEventKind.Notice] = (NodeEventKind.Notice, "control messages for it come from another address or port and are dropped"),
    };

    [Fact]
    public void Every_event_of_the_engine_is_told_in_words()
    {
        Assert.Equal(Enum.GetValues<L2tpEventKind>().Order(), Told.Keys.Order());
        var events = new List<NodeEvent>(OfAnLns());
        events.AddRange(OfALac());
        foreach ((NodeEventKind kind, string text) in Told.Values)
        {
            Assert.Contains(events, e => e.Kind == kind && e.Text.Contains(text, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(events, e => e.Text.Contains("please report it", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_notice_has_words()
    {
        foreach (L2tpNotice notice in Enum.GetValues<L2tpNotice>().Where(n => n != L2tpNotice.None))
        {
            Assert.NotEqual(notice.ToString(), NoticeText.Of(notice));
            Assert.True(NoticeText.Of(notice).Length > 20);
        }
    }

    private static List<NodeEvent> OfAnLns()
    {
        NodeSettings settings = NodePair.LnsSettings();
        var world = new LacWorld(settings with { Peers = [settings.Peers[0] with { ModemOnHold = true }] }, modemOnHold: true);
        world.Lac.Call = IncomingCall.Default with { SendsSpeedUpdates = true };
        LacLine line = world.Lac.PlaceCall("alice", NodePair.Password);
        Assert.True(world.World.RunUntil(() => line.IsUp, 30), world.World.Trace.ToString());
        Session session = line.Session!;
        var errors = new CallErrors { Crc = 1, Framing = 2, HardwareOverruns = 3, BufferOverruns = 4, Timeouts = 5, Alignment = 6 };
        Assert.True(session.TrySendCallErrors(errors, world.World.Now));
        Assert.True(session.TrySendConnectSpeed(50_000_000, 10_000_000, world.World.Now));
        Assert.True(session.TrySendModemStatus(0x8000, world.World.Now));
        world.World.Settle(world.Lac);
        world.World.Pass(1);

        Session mine = world.Lns.Subscribers.Single().Session;
        Assert.Equal(errors, mine.CallErrors);
        Assert.Equal((50_000_000u, 10_000_000u), (mine.Call.TxConnectSpeed, mine.Call.RxConnectSpeed!.Value));
        Assert.Equal(0x8000, mine.ModemStatus);

        // The tunnel's StopCCN, from a port that is not its own, brings a notice.
        world.World.Filter = d =>
        {
            if (d.Source == world.Lac.At)
            {
                world.World.Filter = null;
                world.World.Send(d.Source with { Port = 9999 }, d.Destination, d.Payload.Span);
            }

            return true;
        };
        world.Lac.CloseTunnel(world.World.Now);
        world.World.Settle(world.Lac);
        world.World.Pass(1);
        return [.. world.Lns.Events];
    }

    private static List<NodeEvent> OfALac()
    {
        var pair = new NodePair(NodePair.LnsSettings());
        pair.Connect(NodePair.DialOf("bob") with { OutgoingCalls = new OutgoingCallPolicy { Handler = OutgoingCallPolicy.Loopback, Password = NodePair.Password } });
        Assert.True(pair.Lns.Access.TryPlaceCall(
            pair.Lns.Access.Tunnels.Single(), new OutgoingCall { CalledNumber = "alice" }, pair.Now, out Subscriber? user, out string problem), problem);
        pair.World.Settle(pair.Lns);
        Assert.True(pair.World.RunUntil(() => user!.IsUp, 10));
        Assert.True(user!.Session.TrySendAccm(new Accm(0, 0x000A0000), pair.Now));
        pair.World.Settle(pair.Lns);
        pair.World.Pass(1);
        return [.. pair.Client.Events];
    }
}
