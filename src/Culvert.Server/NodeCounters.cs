using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Server.Control;
using Culvert.Subscribers.Dhcp;

namespace Culvert.Server;

/// <summary>All counters of a node under one kind of name: l2tp-hellos-sent, drop-unknown-session, ...</summary>
internal static class NodeCounters
{
    public static IEnumerable<CounterRow> Read(Shard shard)
    {
        yield return new CounterRow("tunnels", shard.Access.Tunnels.Count());
        yield return new CounterRow("sessions", shard.Access.SessionCount);
        yield return new CounterRow("authentications-in-flight", shard.Access.AuthenticationsInFlight);
        foreach (L2tpCounter counter in Enum.GetValues<L2tpCounter>())
        {
            yield return new CounterRow($"l2tp-{NodeNames.Kebab(counter.ToString())}", shard.Access.L2tpCounters[counter]);
        }

        foreach (DhcpOutcome outcome in Enum.GetValues<DhcpOutcome>())
        {
            yield return new CounterRow($"dhcp-{NodeNames.Kebab(outcome.ToString())}", shard.Access.DhcpCounters[outcome]);
        }

        ControlGate gate = shard.Access.ControlGate;
        yield return new CounterRow("control-waiting", gate.Waiting);
        yield return new CounterRow("control-deferred", gate.Deferred);
        yield return new CounterRow("control-dropped-of-established-tunnels", gate.DroppedOfEstablished);
        yield return new CounterRow("control-dropped-of-others", gate.DroppedOfOthers);
        foreach (L2tpNotice notice in Enum.GetValues<L2tpNotice>().Where(n => n != L2tpNotice.None))
        {
            yield return new CounterRow($"l2tp-quirk-{NodeNames.Kebab(notice.ToString())}", shard.Access.L2tpCounters[notice]);
        }

        foreach (DropReason reason in Enum.GetValues<DropReason>())
        {
            yield return new CounterRow($"drop-{NodeNames.Kebab(reason.ToString())}", shard.Drops(reason));
        }

        foreach ((string name, long value) in shard.TransportCounters())
        {
            yield return new CounterRow(name, value);
        }

        yield return new CounterRow("icmp-too-big-sent", shard.Icmp.Sent);
        yield return new CounterRow("icmp-too-big-suppressed", shard.Icmp.Suppressed);
        yield return new CounterRow("events-lost", shard.Access.EventsLost);
    }
}
