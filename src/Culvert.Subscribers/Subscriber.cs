using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Subscribers.Dhcp;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers;

/// <summary>One PPP session over L2TP: the place where a session, a link, a user and an address meet. Belongs to one shard.</summary>
public sealed class Subscriber : ISequencedSession
{
    /// <summary>Data can overtake ICCN on the way; a peer sends one or two LCP packets before it waits.</summary>
    internal const int MostEarlyFrames = 4;

    /// <summary>
    /// Longest of them, in octets: as much as a link sends itself, a control packet of the default MRU with its headers in front. Without
    /// it, the sessions that a peer may have half open would hold datagrams of 64 kB each.
    /// </summary>
    internal const int LargestEarlyFrame = 1508;

    internal Subscriber(int index, Session session, ISessionRole role, PppLink link, Timestamp now)
    {
        Index = index;
        Session = session;
        Role = role;
        Link = link;
        Since = now;
        Key = new SessionKey(session.Tunnel.LocalTunnelId, session.LocalSessionId);
    }

    public Session Session { get; }

    public Tunnel Tunnel => Session.Tunnel;

    public PppLink Link { get; }

    public SessionKey Key { get; }

    /// <summary>The name that the peer proved, or under which we dialled; empty until authentication.</summary>
    public string UserName { get; internal set; } = "";

    /// <summary>The name of the profile, or of the dialled connection.</summary>
    public string ProfileName => Role.ProfileName(this);

    /// <summary>The other end's address inside the tunnel.</summary>
    public IpAddress PeerAddress { get; internal set; }

    /// <summary>Our address inside the tunnel.</summary>
    public IpAddress LocalAddress { get; internal set; }

    /// <summary>Networks behind the peer.</summary>
    public IReadOnlyList<IpPrefix> Routes { get; internal set; } = [];

    /// <summary>DNS servers that the peer told us; only when we dialled.</summary>
    public IReadOnlyList<IpAddress> Dns { get; internal set; } = [];

    /// <summary>Largest IP packet that fits towards the peer, in octets; 0 until the session is up.</summary>
    public int Mtu { get; internal set; }

    /// <summary>When the call began.</summary>
    public Timestamp Since { get; }

    /// <summary>It has addresses and forwards.</summary>
    public bool IsUp { get; internal set; }

    public SessionCounters LastCounters { get; internal set; }

    internal int Index { get; }

    internal ISessionRole Role { get; }

    /// <summary>Where <see cref="PeerAddress"/> came from and goes back to; null for an address that no pool holds.</summary>
    internal AddressPool? Pool { get; set; }

    /// <summary>An address is held although the session may not be up yet.</summary>
    internal bool HoldsAddress { get; set; }

    /// <summary>Why we ended it, once we did; told in the log instead of what the layers below saw.</summary>
    internal string? EndReason { get; set; }

    /// <summary>Why PPP ended, for the LAC; null while it has not, and when it was not PPP that ended.</summary>
    internal PppDisconnectCause? EndCause { get; set; }

    /// <summary>PPP is over; once its last frames are out, the session below it is closed.</summary>
    internal bool IsLinkClosed { get; set; }

    /// <summary>Somebody is judging who the user is, and has not answered yet.</summary>
    internal bool IsBeingJudged { get; set; }

    internal bool IsQueuedToTransmit { get; set; }

    internal BoundedQueue<byte[]>? EarlyFrames { get; set; }

    internal Timestamp NextActivityCheck { get; set; } = Timestamp.Never;

    /// <summary>When data last passed, as far as the activity checks saw.</summary>
    internal Timestamp LastActivity { get; set; }

    /// <summary>See <see cref="DhcpResponder.Pace"/>.</summary>
    internal TokenBucket DhcpRequests;

    /// <summary>How often its PPP comes up: see <see cref="AccessNode.ReturnPace"/>.</summary>
    internal TokenBucket Returns;

    /// <summary>What its LAC was last told of LCP in an SLI (RFC 3437 section 2.3); null when nothing was.</summary>
    internal LcpAgreement? ToldAgreement { get; set; }

    bool ISequencedSession.PeerSequences { get; set; }

    bool ISequencedSession.HasSequenced { get; set; }

    /// <summary>It was up before: what is granted once for a session's life has been granted.</summary>
    internal bool HasBeenUp { get; set; }

    internal Timestamp MustEndAt { get; set; } = Timestamp.Never;

    /// <summary>"session 1/2 of alice at 192.0.2.1:1701".</summary>
    public override string ToString() =>
        $"session {Key}{(UserName.Length == 0 ? "" : $" of {UserName}")} at {Tunnel.Path.Peer}";
}
