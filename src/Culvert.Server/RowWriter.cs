using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Linux;
using Culvert.Server.Control;
using Culvert.Subscribers;
using Culvert.Subscribers.Outgoing;
using Culvert.Subscribers.Pools;

namespace Culvert.Server;

/// <summary>What the shard holds, as rows of the control API. On the shard's thread.</summary>
internal sealed class RowWriter(Node node, AccessNode access)
{
    public TunnelRow Describe(Tunnel tunnel) => new()
    {
        Id = tunnel.LocalTunnelId,
        PeerId = tunnel.PeerTunnelId,
        State = tunnel.State.ToString().ToLowerInvariant(),
        Role = tunnel.Owner is Dial ? "lac" : "lns",
        Peer = tunnel.Path.Peer.ToString(),
        Local = tunnel.Path.Local.ToString(),
        HostName = tunnel.PeerHostName,
        Vendor = tunnel.PeerVendorName,
        Rule = access.RuleName(tunnel),
        Sessions = tunnel.SessionCount,
        Uptime = SecondsSince(tunnel.EstablishedAt),
        Silence = SecondsSince(tunnel.LastHeard),
        Authenticated = tunnel.IsPeerAuthenticated,
        Window = tunnel.PeerReceiveWindow,
        Retransmitted = tunnel.Retransmitted,
        Sequencing = NodeNames.Kebab(tunnel.Settings.Sequencing.ToString()),
        Phb = LineFacts.Phb(tunnel.ControlPhb),
        Ecn = tunnel.IsEcnAgreed,
        Quirks = [.. tunnel.NoticesGiven.Select(n => NodeNames.Kebab(n.ToString()))],
    };

    public SessionRow Describe(Subscriber subscriber)
    {
        SessionCounters counters = access.CountersOf(subscriber);
        SequenceCounters sequence = access.SequencingOf(subscriber) ?? default;
        return Describe(subscriber.Session, subscriber.Key, subscriber.Since) with
        {
            State = subscriber.IsUp ? "up" : subscriber.Link.Phase.ToString().ToLowerInvariant(),
            User = subscriber.UserName,
            Address = subscriber.PeerAddress.IsNone ? null : subscriber.PeerAddress.ToString(),
            Gateway = subscriber.LocalAddress.IsNone ? "" : subscriber.LocalAddress.ToString(),
            Routes = [.. subscriber.Routes.Select(r => r.ToString())],
            Method = NodeNames.Method(subscriber.Link),
            Profile = subscriber.ProfileName,
            Interface = node.InterfaceNameOf(subscriber),
            Mtu = subscriber.Mtu,
            RxPackets = counters.PacketsReceived,
            RxOctets = counters.OctetsReceived,
            TxPackets = counters.PacketsSent,
            TxOctets = counters.OctetsSent,
            Dropped = counters.DropsTotal,
            SequenceLost = sequence.Lost,
            SequenceLate = sequence.Late,
            SequenceDuplicates = sequence.Duplicates,
            SequenceReordered = sequence.Reordered,
        };
    }

    /// <summary>A call that we place for an LNS: the handler's name stands where a profile does.</summary>
    public static SessionRow Describe(OutgoingLine line) => Describe(line.Session, line.Key, line.Since) with { Profile = line.Policy.Handler };

    public LifeRow Describe(LifeStory life) => new(
        life.Id,
        life.Summary,
        life.Ended,
        life.Session is null && life.Tunnel is { } tunnel ? Describe(tunnel) : null,
        life.Session?.Owner switch
        {
            Subscriber subscriber => Describe(subscriber),
            OutgoingLine line => Describe(line),
            _ => null,
        },
        LineFacts.Of(life),
        life.History);

    public static PoolRow Describe(AddressPool pool) =>
        new(pool.Name, pool.Prefix.ToString(), pool.Gateway.ToString(), pool.InUse, pool.Capacity, pool.Exhausted);

    private static SessionRow Describe(Session session, SessionKey key, Timestamp since) => new()
    {
        Id = key.ToString(),
        PeerId = $"{session.Tunnel.PeerTunnelId}/{session.PeerSessionId}",
        State = NodeNames.Kebab(session.State.ToString()),
        Role = session.IsLac ? "lac" : "lns",
        Call = session.Direction.ToString().ToLowerInvariant(),
        User = "",
        Peer = session.Tunnel.Path.Peer.ToString(),
        HostName = session.Tunnel.PeerHostName,
        SerialNumber = session.Call.SerialNumber,
        CallingNumber = session.Call.CallingNumber ?? "",
        CalledNumber = session.Call.CalledNumber ?? "",
        SubAddress = session.Call.SubAddress,
        TxSpeed = session.Call.TxConnectSpeed,
        RxSpeed = session.Call.RxConnectSpeed ?? session.Call.TxConnectSpeed,
        CircuitId = session.Call.AccessLine?.AgentCircuitId,
        RemoteId = session.Call.AccessLine?.AgentRemoteId,
        LineUp = session.Call.AccessLine?.ActualDataRateUpstream,
        LineDown = session.Call.AccessLine?.ActualDataRateDownstream,
        LineErrors = session.CallErrors is null ? null : LineText.Errors(session.CallErrors),
        Accm = session.Accm is null ? null : LineText.Accm(session.Accm),
        Modem = session.Tunnel.Settings.ModemOnHoldCapable ? LineText.ModemStatus(session.ModemStatus) : null,
        Sequenced = session.SequencesData || AccessNode.PeerSequences(session),
        Phb = LineFacts.Phb(session.Phb),
        Uptime = SecondsSince(since),
    };

    private static double SecondsSince(Timestamp at) => at == Timestamp.Never ? 0 : Math.Round((MonotonicClock.Now - at).TotalSeconds, 3);
}
