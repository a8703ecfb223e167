using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Ppp.Wire;
using Culvert.Subscribers.Policy;
using SessionState = Culvert.Dataplane.SessionState;

namespace Culvert.Subscribers;

/// <summary>
/// The narrow seam to the data plane: install, update, remove, counters. What a session's path, MTU, framing and addresses mean for
/// forwarding is worked out here and nowhere else.
/// </summary>
internal sealed class Plane(SessionTable sessions, RouteTable routes, IPathMtu paths, Func<Tunnel, DataPolicy> policyOf)
{
    // The most that a peer may put in front of a packet (with Length, FF 03 and a full protocol field): what our MRU must leave room for.
    private const int UsualPeerL2tpHeader = 8;
    private const int LongestPeerPppHeader = 4;

    /// <summary>RFC 1661 section 6.1: an implementation must always be able to receive 1500 octets, whatever its MRU.</summary>
    private const ushort LeastReceiveLimit = 1500;

    /// <summary>What a peer can send us in one piece, in octets of IP: the MRU to ask for.</summary>
    public int ReceiveMtu(Tunnel tunnel) =>
        TunnelMtu.For(
            paths.To(tunnel.Path.Peer.Address),
            tunnel.Path.Peer.Address.Family,
            tunnel.Settings.Sequencing == SequencingPolicy.Required ? TunnelMtu.LongestL2tpHeader : UsualPeerL2tpHeader,
            LongestPeerPppHeader);

    /// <summary>Lets PPP frames of a session pass to its link. False when the data plane has no room.</summary>
    public bool TryInstall(Subscriber subscriber) => sessions.TryInstall(Describe(subscriber, SessionState.Pending));

    /// <summary>The session's peer is known now, or its addresses are, or its path changed.</summary>
    public void Update(Subscriber subscriber)
    {
        subscriber.Mtu = TransmitMtu(subscriber);
        _ = sessions.TryUpdate(Describe(subscriber, subscriber.IsUp ? SessionState.Forwarding : SessionState.Pending));
    }

    public void Remove(Subscriber subscriber)
    {
        if (sessions.Remove(subscriber.Key, out SessionCounters final))
        {
            subscriber.LastCounters = final;
        }
    }

    /// <summary>Leads the subscriber's addresses to its session, which also lets it send from them.</summary>
    public void AddRoutes(Subscriber subscriber)
    {
        _ = routes.TryAdd(new IpPrefix(subscriber.PeerAddress, subscriber.PeerAddress.Size * 8), subscriber.Key);
        foreach (IpPrefix prefix in subscriber.Routes)
        {
            if (!routes.TryAdd(prefix, subscriber.Key))
            {
                // The user's earlier session has it, and is dead as a rule: the network is where the user was seen last.
                _ = routes.Remove(prefix);
                _ = routes.TryAdd(prefix, subscriber.Key);
            }
        }
    }

    /// <summary>Leads one network to the subscriber, whoever had it.</summary>
    public void MoveRoute(in IpPrefix prefix, Subscriber subscriber)
    {
        _ = routes.Remove(prefix);
        _ = routes.TryAdd(prefix, subscriber.Key);
    }

    public void RemoveRoutes(Subscriber subscriber) => routes.RemoveAll(subscriber.Key);

    public bool TryReadCounters(Subscriber subscriber, out SessionCounters counters) => sessions.TryReadCounters(subscriber.Key, out counters);

    /// <summary>The number that the next PPP frame must carry; false when the session does not sequence.</summary>
    public bool TryTakeNs(Session session, out ushort ns) => sessions.TryTakeNs(KeyOf(session), out ns);

    /// <summary>Before an update that lets data be put into order: which number comes next.</summary>
    public void ExpectNs(Session session, ushort ns) => sessions.ExpectNs(KeyOf(session), ns);

    /// <summary>How the data of a tunnel's sessions is to be written.</summary>
    public DataPolicy PolicyOf(Tunnel tunnel) => policyOf(tunnel);

    public SequenceCounters? ReadSequencing(Subscriber subscriber) =>
        sessions.TryReadSequencing(subscriber.Key, out SequenceCounters counters) ? counters : null;

    /// <summary>Lets PPP frames of a call that we placed for an LNS pass to its handler; IP does not. False when there is no room.</summary>
    public bool TryInstallLine(Session session) => sessions.TryInstall(DescribeLine(session));

    /// <summary>The peer's session ID or path is known now.</summary>
    public void UpdateLine(Session session) => _ = sessions.TryUpdate(DescribeLine(session));

    public void RemoveLine(SessionKey key) => _ = sessions.Remove(key, out _);

    private SessionForwarding DescribeLine(Session session) => new()
    {
        LocalTunnelId = session.Tunnel.LocalTunnelId,
        LocalSessionId = session.LocalSessionId,
        PeerTunnelId = session.Tunnel.PeerTunnelId,
        PeerSessionId = session.PeerSessionId,
        Path = session.Tunnel.Path,
        State = SessionState.Pending,
        Framing = TransmitFraming.AddressControl | HeaderFields(session),
        Policies = OrderPolicy(session),
        Marking = PlaneMarking.OfSession(session, policyOf(session.Tunnel)),
        Reorder = policyOf(session.Tunnel).Reorder,
        ReceiveLimit = LeastReceiveLimit,
    };

    private int TransmitMtu(Subscriber subscriber)
    {
        UdpPath path = subscriber.Tunnel.Path;
        int byPath = TunnelMtu.For(paths.To(path.Peer.Address), path.Peer.Address.Family, Framing(subscriber));
        return Math.Min(byPath, subscriber.Link.PeerMru);
    }

    private SessionForwarding Describe(Subscriber subscriber, SessionState state)
    {
        Session session = subscriber.Session;
        DataPolicy policy = policyOf(session.Tunnel);
        int mtu = subscriber.Mtu;
        int mss = Math.Min(mtu, subscriber.Link.LocalMru);
        return new SessionForwarding
        {
            LocalTunnelId = session.Tunnel.LocalTunnelId,
            LocalSessionId = session.LocalSessionId,
            PeerTunnelId = session.Tunnel.PeerTunnelId,
            PeerSessionId = session.PeerSessionId,
            Path = session.Tunnel.Path,
            State = state,
            Framing = Framing(subscriber),
            Policies = (subscriber.Role is DialRole ? SessionPolicies.AnySource : SessionPolicies.None) | OrderPolicy(session),
            Marking = PlaneMarking.OfSession(session, policy),
            Reorder = policy.Reorder,
            Mtu = (ushort)mtu,
            ReceiveLimit = Math.Max(subscriber.Link.LocalMru, LeastReceiveLimit),
            MssIPv4 = mtu == 0 ? (ushort)0 : TunnelMtu.MaximumSegmentSize(mss, IpFamily.IPv4),
            MssIPv6 = mtu == 0 ? (ushort)0 : TunnelMtu.MaximumSegmentSize(mss, IpFamily.IPv6),
            SourceIPv4 = subscriber.Role is DialRole ? default : subscriber.PeerAddress,
        };
    }

    private TransmitFraming Framing(Subscriber subscriber)
    {
        PppFraming ppp = subscriber.Link.TransmitFraming;
        return (ppp.Acfc ? TransmitFraming.None : TransmitFraming.AddressControl) |
            (ppp.Pfc ? TransmitFraming.CompressProtocol : TransmitFraming.None) |
            HeaderFields(subscriber.Session);
    }

    private TransmitFraming HeaderFields(Session session) =>
        (policyOf(session.Tunnel).LengthField ? TransmitFraming.Length : TransmitFraming.None) |
        (SendsNs(session) ? TransmitFraming.Sequence : TransmitFraming.None);

    // RFC 2661 section 5.4: what was agreed holds for good; else the LNS leads and the LAC follows.
    private static bool SendsNs(Session session) => session.SequencesData || (session.IsLac && PeerSequences(session));

    private static bool PeerSequences(Session session) => session.Owner is ISequencedSession { PeerSequences: true };

    private static SessionPolicies OrderPolicy(Session session)
    {
        if (session.SequencesData)
        {
            return SessionPolicies.OrderSequenced;
        }

        SessionPolicies follow = session.Tunnel.Settings.Sequencing == SequencingPolicy.Off ? SessionPolicies.None : SessionPolicies.FollowSequencing;
        return !PeerSequences(session) ? follow
            : session.IsLac ? follow | SessionPolicies.OrderSequenced
            : SessionPolicies.OrderSequenced;
    }

    private static SessionKey KeyOf(Session session) => new(session.Tunnel.LocalTunnelId, session.LocalSessionId);
}
