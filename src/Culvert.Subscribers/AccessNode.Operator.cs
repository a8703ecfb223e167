using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Subscribers.Outgoing;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers;

/// <summary>What an operator does with a node: change its settings, end what it serves, ask why something is as it is.</summary>
public sealed partial class AccessNode
{
    /// <summary>Replaces the settings: for new tunnels and sessions. Of the limits those that <see cref="NodeLimits.TakeOver"/> takes.</summary>
    public void Apply(NodeSettings settings)
    {
        _policy.Apply(settings);
        _l2tp.Apply(EngineSettings.Of(settings.Limits));
        _gate.Limit = settings.Limits.AuthenticationsInFlight;
        _lns.ForgetSettings();
        MoveAddressesToNewPools();
    }

    /// <summary>Opens a connection and keeps it open.</summary>
    public Dial StartDial(DialSettings settings) => _dials.Start(settings, _policy.Settings.NodeName);

    public void StopDial(Dial dial, string reason, Timestamp now)
    {
        _dials.Stop(dial, reason, Disconnects.TunnelClosed(reason), now);
        HandleL2tpEvents(now);
    }

    /// <summary>
    /// LNS role: asks the LAC at the other end of a tunnel to dial (RFC 2661 section 5.2.2); whoever answers is served as a user of the
    /// tunnel's profile. False, with the reason, when the call cannot be asked for.
    /// </summary>
    public bool TryPlaceCall(Tunnel tunnel, OutgoingCall call, Timestamp now, out Subscriber? subscriber, out string problem)
    {
        subscriber = null;
        if (!tunnel.TryPlaceOutgoingCall(call, now, out Session? session))
        {
            problem = "the tunnel has ended, or no session is free";
            return false;
        }

        problem = session.Ended?.Message ?? "";
        subscriber = session.Ended is null ? _lns.Serve(session, now) : null;
        if (subscriber is null && session.Ended is null)
        {
            problem = "no profile is configured for sessions of this tunnel, or the session table is full";
            session.Close(Disconnects.SessionClosed(problem), now);
        }

        HandleL2tpEvents(now);
        return subscriber is not null;
    }

    /// <summary>The answer to <see cref="NodeEventKind.DialResolve"/>: where to try, in order; <paramref name="problem"/> says why there is nothing.</summary>
    public void ResolveDial(Dial dial, IReadOnlyList<PeerEndpoint> candidates, string problem, Timestamp now)
    {
        _dials.Resolved(dial, candidates, problem, now);
        HandleL2tpEvents(now);
    }

    /// <summary>The way to a peer takes larger or smaller packets than before.</summary>
    public void OnPathMtuChanged(IpAddress peer)
    {
        foreach (Subscriber subscriber in AllSubscribers())
        {
            if (subscriber.Tunnel.Path.Peer.Address == peer && subscriber.IsUp)
            {
                Plane.Update(subscriber);
                if (subscriber.Tunnel.Owner is Dial dial)
                {
                    Tell(NodeEventKind.DialMtuChanged, $"MTU {subscriber.Mtu}", subscriber, dial);
                }
            }
        }
    }

    /// <summary>Ends a tunnel and everything in it; false when there is no such tunnel.</summary>
    public bool CloseTunnel(ushort localTunnelId, string reason, Timestamp now)
    {
        if (!_l2tp.TryFind(localTunnelId, out Tunnel? tunnel) || tunnel.Ended is not null)
        {
            return false;
        }

        tunnel.Close(Disconnects.TunnelClosed(reason), now);
        HandleL2tpEvents(now);
        return true;
    }

    /// <summary>Ends a session, PPP first so that the user's end hears why; false when there is no such session.</summary>
    public bool CloseSession(SessionKey key, string reason, Timestamp now)
    {
        if (TryFind(key, out Subscriber? subscriber))
        {
            Close(subscriber, reason, now);
        }
        else if (TryFindLine(key, out OutgoingLine? line))
        {
            line.Session.Close(Disconnects.SessionClosed(reason), now);
        }
        else
        {
            return false;
        }

        HandleL2tpEvents(now);
        return true;
    }

    /// <summary>Ends all sessions of a user and says how many.</summary>
    public int CloseUser(string name, string reason, Timestamp now)
    {
        List<Subscriber> all = AllSubscribers();
        all.RemoveAll(s => s.UserName != name);
        foreach (Subscriber subscriber in all)
        {
            Close(subscriber, reason, now);
        }

        HandleL2tpEvents(now);
        return all.Count;
    }

    /// <summary>The end of the node: StopCCN to every peer. Go on until <see cref="IsAtRest"/>, or long enough.</summary>
    public void CloseAll(string reason, Timestamp now)
    {
        foreach (Dial dial in _dials.Dials.ToArray())
        {
            _dials.Stop(dial, reason, Disconnects.ShuttingDown(reason), now);
        }

        _l2tp.CloseAll(Disconnects.ShuttingDown(reason), now);
        HandleL2tpEvents(now);
    }

    /// <summary>A page of sessions; the index to go on with, or -1 after the last.</summary>
    public int PageOfSubscribers(int first, int most, ICollection<Subscriber> page) => _subscribers.Page(first, most, page);

    /// <summary>What is remembered of the tunnels that have or lately had an ID, the latest first.</summary>
    public IReadOnlyList<LifeStory> ExplainTunnel(ushort localTunnelId, Timestamp now)
    {
        var lives = new List<LifeStory>();
        if (_l2tp.TryFind(localTunnelId, out Tunnel? tunnel) && tunnel.Ended is null)
        {
            lives.Add(new LifeStory($"{localTunnelId}", tunnel.ToString(), null, [.. tunnel.History.Lines(now)]) { Tunnel = tunnel });
        }

        lives.AddRange(_l2tp.EndedTunnels.Where(e => e.LocalTunnelId == localTunnelId).Select(e => Story($"{localTunnelId}", e, now)));
        return lives;
    }

    /// <summary>What is remembered of the sessions that have or lately had an ID, the latest first.</summary>
    public IReadOnlyList<LifeStory> ExplainSession(SessionKey key, Timestamp now)
    {
        var lives = new List<LifeStory>();
        if (TryFind(key, out Subscriber? subscriber))
        {
            string ppp = $"PPP: {subscriber.Link}";
            lives.Add(new LifeStory(
                key.ToString(), subscriber.ToString(), null, [.. subscriber.Session.History.Lines(now), ppp, .. SequencingLines(subscriber)])
            {
                Session = subscriber.Session,
            });
        }

        if (_outgoing.Lines.FirstOrDefault(l => l.Key == key) is { } line)
        {
            lives.Add(new LifeStory(key.ToString(), line.ToString(), null, [.. line.Session.History.Lines(now)]) { Session = line.Session });
        }

        lives.AddRange(_l2tp.EndedSessions
            .Where(e => new SessionKey(e.LocalTunnelId, e.LocalSessionId) == key)
            .Select(e => Story(key.ToString(), e, now)));
        return lives;
    }

    /// <summary>Counters of a session that is up.</summary>
    public SessionCounters CountersOf(Subscriber subscriber) =>
        Plane.TryReadCounters(subscriber, out SessionCounters counters) ? counters : subscriber.LastCounters;

    private IEnumerable<string> SequencingLines(Subscriber subscriber)
    {
        if (SequencingOf(subscriber) is { } c)
        {
            yield return $"sequenced data: {c.Lost} lost, {c.Late} late, {c.Duplicates} duplicates, {c.Reordered} put into order";
        }
    }

    private static LifeStory Story(string id, EndedRecord ended, Timestamp now)
    {
        string name = ended.PeerHostName.Length == 0 ? "peer" : ended.PeerHostName;
        string lived = ended.EstablishedAt == Timestamp.Never
            ? "never established"
            : $"after {(ended.EndedAt - ended.EstablishedAt).TotalSeconds:0.0} s";
        return new LifeStory(
            id,
            $"{(ended.LocalSessionId == 0 ? "tunnel" : "session")} {id} with {name} at {ended.Peer}",
            $"{(now - ended.EndedAt).TotalSeconds:0.0} s ago, {lived}: {ended.Why}",
            [.. ended.History.Lines(now)])
        { EndedCall = ended.Call, Cause = ended.Why };
    }

    private void Close(Subscriber subscriber, string reason, Timestamp now)
    {
        subscriber.EndReason ??= reason;
        if (subscriber.Link.Phase == PppPhase.Dead)
        {
            subscriber.Session.Close(Disconnects.SessionClosed(reason), now);
            return;
        }

        subscriber.Link.Close(LinkCloseReason.Administrative, reason, now);
        Settle(subscriber, now);
    }

    private void MoveAddressesToNewPools()
    {
        foreach (Subscriber subscriber in AllSubscribers())
        {
            // Also an address that no pool held so far: a fixed one, which a new pool must not give to somebody else.
            if (subscriber.HoldsAddress && (subscriber.Pool is not { } old || !_policy.Pools.Contains(old)))
            {
                AddressPool? pool = _policy.PoolOf(subscriber.PeerAddress);
                subscriber.Pool = pool?.TryTakeExactly(subscriber.PeerAddress, subscriber.UserName) == true ? pool : null;
            }
        }
    }
}
