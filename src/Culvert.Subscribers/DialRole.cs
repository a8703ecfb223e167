using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>Connections that we open: a tunnel with one incoming call, in which we are the PPP client.</summary>
internal sealed class DialRole(AccessNode node) : ISessionRole
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    private readonly List<Dial?> _dials = [];
    private readonly DeadlineHeap _deadlines = new();

    public Timestamp NextDeadline => _deadlines.Next;

    public IEnumerable<Dial> Dials => _dials.OfType<Dial>();

    public Dial Start(DialSettings settings, string nodeName)
    {
        int index = _dials.IndexOf(null);
        if (index < 0)
        {
            index = _dials.Count;
            _dials.Add(null);
        }

        var dial = new Dial(index, settings, EngineSettings.Of(nodeName, settings));
        _dials[index] = dial;
        Resolve(dial);
        return dial;
    }

    /// <summary>Takes a dial away for good: what it holds is closed, and it is not dialled again.</summary>
    public void Stop(Dial dial, string reason, Disconnect why, Timestamp now)
    {
        dial.State = DialState.Ended;
        _deadlines.Remove(dial.Index);
        _dials[dial.Index] = null;
        if (dial.Subscriber is { } subscriber)
        {
            subscriber.EndReason = reason;
        }

        dial.Tunnel?.Close(why, now);
    }

    public void Resolved(Dial dial, IReadOnlyList<PeerEndpoint> candidates, string problem, Timestamp now)
    {
        if (dial.State != DialState.Resolving)
        {
            return;
        }

        dial.Candidates = candidates;
        dial.NextCandidate = 0;
        dial.LastProblem = problem;
        TryNext(dial, now);
    }

    public void Advance(Timestamp now)
    {
        while (_deadlines.TryTakeDue(now, out int index))
        {
            if (_dials[index] is { State: DialState.Waiting } dial)
            {
                Resolve(dial);
            }
        }
    }

    public void OnTunnelEstablished(Dial dial, Tunnel tunnel, Timestamp now)
    {
        var call = new IncomingCall { SerialNumber = node.Random.NextUInt32() };
        if (!tunnel.TryPlaceIncomingCall(call, now, out Session? session))
        {
            dial.LastProblem = "no session could be made; the node's limits are reached";
            tunnel.Close(Disconnects.TunnelClosed(dial.LastProblem), now);
            return;
        }

        var link = new PppLink(LinkSettings(dial, node.ReceiveMtu(tunnel)), node.Random);
        Subscriber subscriber = node.AddSubscriber(session!, this, link, now);
        subscriber.UserName = dial.Settings.User;
        dial.Subscriber = subscriber;
    }

    public void OnTunnelClosed(Dial dial, Tunnel tunnel, string reason, Timestamp now)
    {
        if (dial.Tunnel != tunnel)
        {
            return;
        }

        dial.Tunnel = null;
        bool wasUp = dial.State == DialState.Up;
        if (dial.State == DialState.Ended)
        {
            return;
        }

        if (dial.LastProblem.Length == 0)
        {
            dial.LastProblem = reason;
        }

        if (wasUp)
        {
            dial.FailedRounds = 0;
            Wait(dial, now);
        }
        else
        {
            dial.State = DialState.Connecting;
            TryNext(dial, now);
        }
    }

    public string ProfileName(Subscriber subscriber) => DialOf(subscriber)?.Settings.Name ?? "";

    public TimeSpan IdleTimeout(Subscriber subscriber) => TimeSpan.Zero;

    public void OpenLink(Subscriber subscriber, Timestamp now) => subscriber.Link.Open(now);

    /// <summary>We ask nobody who they are, so nobody can show it.</summary>
    public void OnAuthenticationRequested(Subscriber subscriber, AuthenticationRequest request, Timestamp now) =>
        subscriber.Link.Decide(AuthenticationVerdict.Reject("not asked"), now);

    public void OnNetworkRequested(Subscriber subscriber, Timestamp now) => subscriber.Link.StartNetwork(IpcpSettings.ForClient, now);

    public void OnNetworkUp(Subscriber subscriber, IpcpResult result, Timestamp now)
    {
        if (DialOf(subscriber) is not { } dial)
        {
            return;
        }

        subscriber.LocalAddress = result.Local;
        subscriber.PeerAddress = result.Peer;
        subscriber.Dns = [.. new[] { result.PrimaryDns, result.SecondaryDns }.Where(a => !a.IsNone && !a.IsUnspecified)];
        dial.State = DialState.Up;
        dial.FailedRounds = 0;
        dial.LastProblem = "";
        node.Tell(
            NodeEventKind.DialUp,
            $"up with address {result.Local}, peer {result.Peer}, MTU {subscriber.Mtu}{(subscriber.Dns.Count == 0 ? "" : $", DNS {string.Join(' ', subscriber.Dns)}")}",
            subscriber,
            dial);
    }

    public void OnNetworkDown(Subscriber subscriber, Timestamp now)
    {
        if (DialOf(subscriber) is { } dial)
        {
            node.Tell(NodeEventKind.DialDown, "down", subscriber, dial);
        }
    }

    public void OnEnded(Subscriber subscriber, string reason, Timestamp now)
    {
        if (DialOf(subscriber) is not { } dial)
        {
            return;
        }

        dial.Subscriber = null;
        dial.LastProblem = reason;
        // One call is all that such a tunnel is for. Its end brings the next attempt. The StopCCN overtakes a CDN that is not sent
        // yet, so it is what tells the peer why.
        dial.Tunnel?.Close(Disconnects.TunnelClosed($"its only session has ended: {reason}"), now);
    }

    private static Dial? DialOf(Subscriber subscriber) => subscriber.Tunnel.Owner as Dial;

    private void Resolve(Dial dial)
    {
        dial.State = DialState.Resolving;
        node.Tell(NodeEventKind.DialResolve, "", null, dial);
    }

    private void TryNext(Dial dial, Timestamp now)
    {
        dial.State = DialState.Connecting;
        while (dial.NextCandidate < dial.Candidates.Count)
        {
            PeerEndpoint peer = dial.Candidates[dial.NextCandidate++];
            if (node.TryConnect(new UdpPath(default, peer), dial.TunnelSettings, now, out Tunnel? tunnel))
            {
                dial.LastProblem = "";
                dial.Tunnel = tunnel;
                tunnel!.Owner = dial;
                node.Tell(NodeEventKind.Detail, $"connecting to {peer}", null, dial);
                return;
            }

            dial.LastProblem = "no tunnel could be made; the node's limits are reached";
        }

        dial.FailedRounds++;
        Wait(dial, now);
    }

    private void Wait(Dial dial, Timestamp now)
    {
        if (!dial.Settings.Redial)
        {
            dial.State = DialState.Ended;
            node.Tell(NodeEventKind.DialFailed, dial.LastProblem, null, dial);
            return;
        }

        TimeSpan wait = FirstWait * Math.Pow(2, Math.Clamp(dial.FailedRounds - 1, 0, 6));
        wait = wait < LongestWait ? wait : LongestWait;
        // Up to a quarter more or less, so that a thousand branches do not come back at the same moment.
        wait = wait * (0.75 + (0.5 * node.Random.NextBelow(1000) / 1000));
        dial.State = DialState.Waiting;
        dial.NextAttempt = now + wait;
        _deadlines.Set(dial.Index, dial.NextAttempt);
        node.Tell(NodeEventKind.DialFailed, $"{dial.LastProblem}; dialling again in {wait.TotalSeconds:0.0} s", null, dial);
    }

    private static PppLinkSettings LinkSettings(Dial dial, int receiveMtu)
    {
        int mru = Math.Max(Math.Min(dial.Settings.Mru, receiveMtu), PppLinkSettings.MinMru);
        if (!dial.LinkSettingsByMru.TryGetValue(mru, out PppLinkSettings? settings))
        {
            settings = new PppLinkSettings
            {
                Credentials = new AuthenticationCredentials(dial.Settings.User, dial.Settings.Password),
                AcceptedMethods = [.. dial.Settings.Authentication],
                Mru = (ushort)mru,
                EchoInterval = dial.Settings.EchoInterval,
                EchoFailures = (byte)dial.Settings.EchoFailures,
            };
            dial.LinkSettingsByMru.Add(mru, settings);
        }

        return settings;
    }
}
