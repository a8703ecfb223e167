using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Dhcp;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers;

/// <summary>Sessions that LACs bring to us: judges users against the configuration and gives them addresses.</summary>
internal sealed class LnsRole(AccessNode node, AccessPolicy policy) : ISessionRole
{
    /// <summary>Checked when no such user exists, so that the answer takes as long as for one that does.</summary>
    private const string PasswordOfNobody = "no user has this password";

    private readonly Dictionary<(string Profile, int Mru), PppLinkSettings> _linkSettings = [];
    private readonly Dictionary<string, IpcpPolicy> _ipcpPolicies = new(StringComparer.Ordinal);
    private readonly Dictionary<Profile, ClientParameters> _clientParameters = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Subscriber, Profile> _profileOfUser = [];
    private readonly RoutedNetworks _routed = new();
    private readonly Dictionary<IpAddress, Subscriber> _holderOfFixedAddress = [];

    /// <summary>After a reload: sessions from now on are made by the new settings.</summary>
    public void ForgetSettings()
    {
        _linkSettings.Clear();
        _ipcpPolicies.Clear();
        _clientParameters.Clear();
    }

    /// <summary>Takes or refuses a call that a LAC offers.</summary>
    public void OnCallOffered(Session session, Timestamp now)
    {
        // The LAC may have taken the call back, or its tunnel away, in the same breath.
        if (session.State != SessionState.Offered)
        {
            return;
        }

        Tunnel tunnel = session.Tunnel;
        if (policy.FindProfile(policy.RuleOf(tunnel)?.Profile) is not { } profile)
        {
            node.Tell(NodeEventKind.Notice, "a call was refused: no profile is configured for its sessions", null, null, tunnel);
            session.Refuse(Refusals.NoProfile, now);
            return;
        }

        var link = new PppLink(LinkSettings(profile, node.ReceiveMtu(tunnel)), node.Random);
        Subscriber subscriber = node.AddSubscriber(session, this, link, now);
        if (node.Plane.TryInstall(subscriber))
        {
            session.Accept(now);
        }
        else
        {
            session.Refuse(Refusals.NoRoom, now);
        }
    }

    /// <summary>A call that we asked a LAC to place: its user is served like any other. Null when no profile or no room is there.</summary>
    public Subscriber? Serve(Session session, Timestamp now)
    {
        Tunnel tunnel = session.Tunnel;
        if (policy.FindProfile(policy.RuleOf(tunnel)?.Profile) is not { } profile)
        {
            return null;
        }

        var link = new PppLink(LinkSettings(profile, node.ReceiveMtu(tunnel)), node.Random);
        Subscriber subscriber = node.AddSubscriber(session, this, link, now);
        return node.Plane.TryInstall(subscriber) ? subscriber : null;
    }

    public string ProfileName(Subscriber subscriber) => ProfileOf(subscriber)?.Name ?? "";

    public TimeSpan IdleTimeout(Subscriber subscriber) => ProfileOf(subscriber)?.IdleTimeout ?? TimeSpan.Zero;

    /// <summary>PPP goes on where the LAC stopped, if it went anywhere and the rule allows it. What the LAC told is then forgotten.</summary>
    public void OpenLink(Subscriber subscriber, Timestamp now)
    {
        Session session = subscriber.Session;
        PppLink link = subscriber.Link;
        ProxyPolicy use = policy.RuleOf(session.Tunnel)?.ProxyAuthentication ?? ProxyPolicy.Accept;
        link.Guidance = ProxyFacts.GuidanceOf(session.Call);
        if (ProxyFacts.Of(session.Call, use) is { } proxied)
        {
            link.Open(proxied, now);
            session.Note(NoteOf(link.Proxy, use), now);
        }
        else
        {
            link.Open(now);
        }

        session.ForgetProxy();
    }

    private static SessionNote NoteOf(ProxyUse use, ProxyPolicy allowed) => use switch
    {
        ProxyUse.LcpAndAuthentication => SessionNote.LcpAndAuthenticationTakenOver,
        ProxyUse.Lcp => SessionNote.LcpTakenOver,
        _ => allowed == ProxyPolicy.Renegotiate ? SessionNote.ProxyDistrusted : SessionNote.LcpRenegotiated,
    };

    public void OnAuthenticationRequested(Subscriber subscriber, AuthenticationRequest request, Timestamp now)
    {
        bool known = policy.TryFindUser(request.Name, out User? user);
        AuthenticationVerdict verdict = request.Check(user?.Password ?? PasswordOfNobody);
        if (!known || !verdict.IsAccepted)
        {
            node.TellAuthenticationFailed(
                subscriber, request.Name, $"user '{request.Name}' {(known ? "gave a wrong password" : "is not known")} ({request.Method.DisplayName()})");
            subscriber.Link.Decide(AuthenticationVerdict.Reject("Access denied"), now);
            return;
        }

        if (subscriber.HoldsAddress && subscriber.UserName != request.Name)
        {
            // LCP began anew with somebody else at the other end: the address and the routes were the first user's.
            node.Plane.RemoveRoutes(subscriber);
            GiveBack(subscriber);
        }

        subscriber.UserName = request.Name;
        _profileOfUser.Remove(subscriber);
        if (user!.Profile is { } name && policy.FindProfile(name) is { } profile)
        {
            _profileOfUser[subscriber] = profile;
        }

        subscriber.Link.Decide(verdict, now);
    }

    public void OnNetworkRequested(Subscriber subscriber, Timestamp now)
    {
        Profile? profile = ProfileOf(subscriber);
        if (profile is null || !policy.TryFindUser(subscriber.UserName, out User? user))
        {
            Refuse(subscriber, "the user or the profile is no longer in the configuration", now);
            return;
        }

        // IPCP may come up a second time within one session: it keeps what it holds.
        if (!subscriber.HoldsAddress && !TryAssign(subscriber, user, profile, out string problem))
        {
            Refuse(subscriber, problem, now);
            return;
        }

        subscriber.Link.StartNetwork(new IpcpSettings(subscriber.LocalAddress, subscriber.PeerAddress, IpcpPolicyOf(profile)), now);
    }

    public void OnNetworkUp(Subscriber subscriber, IpcpResult result, Timestamp now)
    {
        Profile? profile = ProfileOf(subscriber);
        if (profile is { SessionTimeout.Ticks: > 0 } && !subscriber.HasBeenUp)
        {
            subscriber.MustEndAt = now + profile.SessionTimeout;
        }

        subscriber.HasBeenUp = true;
        node.Plane.AddRoutes(subscriber);
        _routed.Add(subscriber);
        node.Tell(
            NodeEventKind.SessionUp,
            $"up with address {subscriber.PeerAddress}, MTU {subscriber.Mtu}, {subscriber.Link.PeerMethod?.DisplayName() ?? "no authentication"}",
            subscriber);
    }

    public void OnNetworkDown(Subscriber subscriber, Timestamp now)
    {
        node.Plane.RemoveRoutes(subscriber);
        foreach ((IpPrefix prefix, Subscriber heir) in _routed.Remove(subscriber))
        {
            node.Plane.MoveRoute(prefix, heir);
        }
    }

    public void OnEnded(Subscriber subscriber, string reason, Timestamp now)
    {
        GiveBack(subscriber);
        _profileOfUser.Remove(subscriber);
        foreach (Subscriber holder in subscriber.Routes.Select(_routed.HolderOf).OfType<Subscriber>().Distinct())
        {
            // The node has just taken this session's networks off the interface.
            node.Tell(NodeEventKind.RoutesReturned, $"has the networks of its user again: {string.Join(", ", holder.Routes)}", holder);
        }
    }

    /// <summary>What a client of this session is told when it asks by DHCPINFORM; null when its profile is gone.</summary>
    public ClientParameters? ParametersOf(Subscriber subscriber)
    {
        if (ProfileOf(subscriber) is not { } profile)
        {
            return null;
        }

        if (!_clientParameters.TryGetValue(profile, out ClientParameters? parameters))
        {
            parameters = new ClientParameters(profile.Dns, profile.DnsSuffix, profile.ClientRoutes);
            _clientParameters.Add(profile, parameters);
        }

        return parameters;
    }

    private Profile? ProfileOf(Subscriber subscriber) =>
        _profileOfUser.TryGetValue(subscriber, out Profile? profile) ? profile : policy.FindProfile(policy.RuleOf(subscriber.Tunnel)?.Profile);

    private bool TryAssign(Subscriber subscriber, User user, Profile profile, out string problem)
    {
        AddressPool? pool = user.Ipv4 is { } wanted ? policy.PoolOf(wanted) : policy.FindPool(profile.Pool);
        if (user.Ipv4 is { } fixedAddress)
        {
            TakeFixed(subscriber, fixedAddress, pool);
        }
        else if (pool is null)
        {
            problem = $"profile '{profile.Name}' names no pool and the user has no fixed address; add pool: NAME to the profile";
            return false;
        }
        else if (pool.TryTake(user.Name, out IpAddress address))
        {
            Hold(subscriber, address, pool);
        }
        else
        {
            problem = $"pool '{pool.Name}' ({pool.Prefix}) is exhausted: all {pool.Capacity} addresses are out; make it larger";
            return false;
        }

        subscriber.LocalAddress = (pool ?? policy.FindPool(profile.Pool) ?? policy.Pools.FirstOrDefault())?.Gateway ?? default;
        subscriber.Routes = user.Routes;
        problem = "";
        return true;
    }

    /// <summary>A fixed address has one holder: whoever comes last, because the usual reason is that the earlier session is dead.</summary>
    private void TakeFixed(Subscriber subscriber, IpAddress address, AddressPool? pool)
    {
        if (_holderOfFixedAddress.TryGetValue(address, out Subscriber? earlier))
        {
            TakeFrom(earlier, $"replaced by a newer session of the same user ({subscriber})");
        }

        bool isTaken = pool?.TryTakeExactly(address, subscriber.UserName) == true;
        if (pool is not null && !isTaken)
        {
            // A reload made the address this user's own after the pool had given it to somebody else.
            foreach (Subscriber other in node.AllSubscribers().Where(s => s.HoldsAddress && s.PeerAddress == address))
            {
                TakeFrom(other, $"its address belongs to user '{subscriber.UserName}' since the configuration changed");
            }

            isTaken = pool.TryTakeExactly(address, subscriber.UserName);
        }

        _holderOfFixedAddress[address] = subscriber;
        Hold(subscriber, address, isTaken ? pool : null);
    }

    private void TakeFrom(Subscriber holder, string reason)
    {
        GiveBack(holder);
        node.Plane.RemoveRoutes(holder);
        node.CloseNow(holder, reason);
    }

    private static void Hold(Subscriber subscriber, IpAddress address, AddressPool? pool)
    {
        subscriber.PeerAddress = address;
        subscriber.Pool = pool;
        subscriber.HoldsAddress = true;
    }

    private void GiveBack(Subscriber subscriber)
    {
        if (!subscriber.HoldsAddress)
        {
            return;
        }

        subscriber.Pool?.Release(subscriber.PeerAddress);
        subscriber.HoldsAddress = false;
        if (_holderOfFixedAddress.TryGetValue(subscriber.PeerAddress, out Subscriber? holder) && holder == subscriber)
        {
            _holderOfFixedAddress.Remove(subscriber.PeerAddress);
        }
    }

    private static void Refuse(Subscriber subscriber, string problem, Timestamp now)
    {
        subscriber.EndReason = problem;
        subscriber.Link.RefuseNetwork(problem, now);
    }

    private PppLinkSettings LinkSettings(Profile profile, int receiveMtu)
    {
        // A path that reports next to nothing (a broken router) must not stop the link: packets will be fragmented below it.
        int mru = Math.Max(Math.Min(profile.Mru, receiveMtu), PppLinkSettings.MinMru);
        if (!_linkSettings.TryGetValue((profile.Name, mru), out PppLinkSettings? settings))
        {
            settings = new PppLinkSettings
            {
                AuthenticatePeer = [.. profile.Authentication],
                Authentication = new AuthenticationSettings { LocalName = policy.Settings.NodeName },
                Mru = (ushort)mru,
                ProxiedMruLimit = (ushort)profile.Mru,
                EchoInterval = profile.EchoInterval,
                EchoFailures = (byte)profile.EchoFailures,
            };
            _linkSettings.Add((profile.Name, mru), settings);
        }

        return settings;
    }

    private IpcpPolicy IpcpPolicyOf(Profile profile)
    {
        if (!_ipcpPolicies.TryGetValue(profile.Name, out IpcpPolicy? ipcp))
        {
            ipcp = new IpcpPolicy
            {
                PrimaryDns = profile.Dns.ElementAtOrDefault(0),
                SecondaryDns = profile.Dns.ElementAtOrDefault(1),
            };
            _ipcpPolicies.Add(profile.Name, ipcp);
        }

        return ipcp;
    }
}
