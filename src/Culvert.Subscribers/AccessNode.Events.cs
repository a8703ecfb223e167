using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers.Outgoing;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>What the node does about the events of its tunnels and links.</summary>
public sealed partial class AccessNode
{
    /// <summary>
    /// How often LCP may open anew and IPCP come up in one session. Two frames of its user are enough for either, and cost a line in the log
    /// and changed routes. Peers begin anew once or twice (a client behind a LAC that had negotiated for it, a re-dialling modem), each
    /// time with LCP and IPCP: ten such times at once, and one in two seconds for ever.
    /// </summary>
    internal static readonly RateLimit ReturnPace = new(PerSecond: 1, Burst: 20);

    /// <summary>
    /// Sessions that are cleared away in one turn. A StopCCN ends tens of thousands at once, each of which costs some ten microseconds;
    /// what other peers send to this shard waits no longer than for so many.
    /// </summary>
    internal const int MostClearedPerTurn = 256;

    private void TellRefusal(PeerEndpoint peer, string hostName)
    {
        if (_now - _refusalsSince >= TimeSpan.FromSeconds(1))
        {
            if (_refusals > RefusalsToldPerSecond)
            {
                Tell(NodeEventKind.PeerRefused, $"{_refusals - RefusalsToldPerSecond} more SCCRQs were refused in that second", null);
            }

            _refusalsSince = _now;
            _refusals = 0;
        }

        if (++_refusals <= RefusalsToldPerSecond)
        {
            Tell(NodeEventKind.PeerRefused, $"tunnel from {peer} refused: no entry of 'peers' fits host name '{hostName}'", null);
        }
    }

    private void HandleL2tpEvents(Timestamp now)
    {
        while (true)
        {
            if (_l2tp.TryNextEvent(out L2tpEvent e))
            {
                Handle(e, now);
            }
            else if (_closing.TryDequeue(out Subscriber? subscriber))
            {
                subscriber.Session.Close(Disconnects.SessionClosed(subscriber.EndReason ?? "", subscriber.EndCause), now);
            }
            else
            {
                break;
            }
        }

        while (_l2tp.TryNextReport(now, out AdmissionReport report))
        {
            Tell(NodeEventKind.PeerRefused, report.ToString(), null);
        }
    }

    private void Handle(in L2tpEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case L2tpEventKind.TunnelEstablished:
                Tell(NodeEventKind.TunnelUp, "established", null, null, e.Tunnel);
                if (e.Tunnel.Owner is Dial dial)
                {
                    _dials.OnTunnelEstablished(dial, e.Tunnel, now);
                }

                break;
            case L2tpEventKind.TunnelClosed or L2tpEventKind.SessionClosed when MustWait(e):
                _ended.Enqueue(e);
                break;
            case L2tpEventKind.TunnelClosed:
                string reason = TextOf(e.Disconnect);
                Tell(NodeEventKind.TunnelDown, reason, null, null, e.Tunnel);
                if (e.Tunnel.Owner is Dial dialled)
                {
                    _dials.OnTunnelClosed(dialled, e.Tunnel, reason, now);
                }

                break;
            case L2tpEventKind.CallOffered:
                _lns.OnCallOffered(e.Session!, now);
                break;
            case L2tpEventKind.OutgoingCallRequested:
                _outgoing.OnRequested(e.Session!, PolicyOf(e.Tunnel)?.OutgoingCalls ?? new OutgoingCallPolicy(), now);
                break;
            case L2tpEventKind.SessionEstablished:
                OnSessionEstablished(e.Session!, now);
                break;
            case L2tpEventKind.SessionClosed:
                OnSessionClosed(e.Session!, e.Disconnect, now);
                break;
            case L2tpEventKind.LinkInfoChanged:
                TellOfLine(e);
                if (e.Session!.Owner is OutgoingLine line)
                {
                    line.Handler.OnLinkInfo(line, e.Session.Accm!, now);
                }

                break;
            case L2tpEventKind.Notice:
                Tell(NodeEventKind.Notice, NoticeText.Of(e.Notice), null, null, e.Tunnel);
                break;
            default:
                TellOfLine(e);
                break;
        }
    }

    /// <summary>What a peer tells about the line of a call: kept on the session, and of interest when something does not work.</summary>
    private void TellOfLine(in L2tpEvent e)
    {
        string text = LineText.Of(e);
        if (e.Session?.Owner is Subscriber subscriber)
        {
            Tell(NodeEventKind.Detail, text, subscriber);
        }
        else
        {
            Tell(NodeEventKind.Detail, e.Session is null ? text : $"{e.Session}: {text}", null, null, e.Tunnel);
        }
    }

    /// <summary>Goes on with a user that <see cref="HoldAuthentication"/> took away. Nothing happens when its request is not the one that waits.</summary>
    public void Judge(Subscriber subscriber, AuthenticationRequest request, Timestamp now)
    {
        if (subscriber.Session.Owner == subscriber && subscriber.Link.PendingRequest == request)
        {
            subscriber.Role.OnAuthenticationRequested(subscriber, request, now);
            Settle(subscriber, now);
            HandleL2tpEvents(now);
        }
    }

    private void Handle(Subscriber subscriber, in PppLinkEvent e, Timestamp now)
    {
        switch (e.Kind)
        {
            case PppLinkEventKind.AuthenticationRequested:
                if (HoldAuthentication?.Invoke(subscriber, e.Request!) != true)
                {
                    subscriber.Role.OnAuthenticationRequested(subscriber, e.Request!, now);
                }

                break;
            case PppLinkEventKind.NetworkRequested:
                subscriber.Role.OnNetworkRequested(subscriber, now);
                break;
            case PppLinkEventKind.LcpReopened:
                _ = MayReturn(subscriber, now);
                break;
            case PppLinkEventKind.NetworkUp when MayReturn(subscriber, now):
                subscriber.IsUp = true;
                subscriber.LastActivity = now;
                // Spread over the interval, so that sessions that came up together are not looked at together.
                subscriber.NextActivityCheck = now + (ActivityInterval * (1 + (Random.NextBelow(1000) / 1000.0)) / 2);
                Plane.Update(subscriber);
                subscriber.Role.OnNetworkUp(subscriber, e.Ipcp!, now);
                break;
            case PppLinkEventKind.NetworkDown when subscriber.IsUp:
                subscriber.IsUp = false;
                subscriber.NextActivityCheck = Timestamp.Never;
                Plane.Update(subscriber);
                subscriber.Role.OnNetworkDown(subscriber, now);
                break;
            case PppLinkEventKind.Identification:
                Tell(NodeEventKind.Detail, $"identifies itself as '{e.Text}'", subscriber);
                break;
            case PppLinkEventKind.ProxyJudged:
                Tell(NodeEventKind.Detail, e.Text, subscriber);
                break;
            case PppLinkEventKind.LcpAgreed:
                TellLac(subscriber, e.Agreement!, now);
                break;
            case PppLinkEventKind.Closed:
                subscriber.EndReason ??= e.Text;
                subscriber.EndCause ??= PppCauses.Of(e);
                subscriber.IsLinkClosed = true;
                break;
        }
    }

    /// <summary>False, and the link is being ended, when its PPP comes up too often.</summary>
    private static bool MayReturn(Subscriber subscriber, Timestamp now)
    {
        if (subscriber.Returns.TryTake(ReturnPace, now))
        {
            return true;
        }

        // No code of RFC 3145 section 3 means this: to the LAC it is our own decision (1), with these words beside it.
        const string Reason = "PPP comes up and goes down too often";
        subscriber.EndReason ??= Reason;
        subscriber.Link.Close(LinkCloseReason.Administrative, Reason, now);
        return false;
    }

    /// <summary>
    /// An SLI, if there is something new in it: it waits for the LAC's acknowledgements, which may be slower than a user who begins LCP
    /// anew without end, and the queue that it waits in is the whole tunnel's.
    /// </summary>
    private static void TellLac(Subscriber subscriber, LcpAgreement agreed, Timestamp now)
    {
        var accm = new Accm(agreed.SendAccm, agreed.ReceiveAccm);
        if (agreed.IsNewsAfter(subscriber.ToldAgreement)
            && subscriber.Session.TrySendAccm(accm, now, new ProxyLcp(null, agreed.LastSent, agreed.LastReceived)))
        {
            subscriber.ToldAgreement = agreed;
        }
    }

    private void OnSessionEstablished(Session session, Timestamp now)
    {
        if (session.Owner is Subscriber subscriber)
        {
            OnSessionEstablished(subscriber, now);
        }
        else if (session.Owner is OutgoingLine line)
        {
            _outgoing.OnEstablished(line, now);
        }
    }

    /// <summary>A session without an owner was refused before it got one, and its CDN says why.</summary>
    private void OnSessionClosed(Session session, Disconnect? disconnect, Timestamp now)
    {
        if (session.Owner is Subscriber subscriber)
        {
            Clear(subscriber, disconnect, now);
        }
        else if (session.Owner is OutgoingLine line)
        {
            _outgoing.OnClosed(line, TextOf(disconnect), now);
        }
        else
        {
            Tell(NodeEventKind.Detail, $"{session}: {TextOf(disconnect)}", null, null, session.Tunnel);
        }
    }

    /// <summary>
    /// The turn has had its share of ends; those of the tunnels come behind their sessions'. A dialled connection is never one of
    /// many, and redialling waits for it.
    /// </summary>
    private bool MustWait(in L2tpEvent e) =>
        (_ended.Count > 0 || _clearedInTurn >= MostClearedPerTurn)
        && (e.Session is null ? e.Tunnel.Owner is not Dial : e.Session.Owner is Subscriber subscriber && subscriber.Role == _lns);

    /// <summary>Once a turn.</summary>
    private void ClearEnded(Timestamp now)
    {
        _clearedInTurn = 0;
        for (int left = _ended.Count; left > 0 && _clearedInTurn < MostClearedPerTurn; left--)
        {
            L2tpEvent e = _ended.Dequeue();
            if (e.Kind == L2tpEventKind.TunnelClosed)
            {
                Tell(NodeEventKind.TunnelDown, TextOf(e.Disconnect), null, null, e.Tunnel);
            }
            else if (e.Session?.Owner is Subscriber subscriber)
            {
                Clear(subscriber, e.Disconnect, now);
            }
        }
    }

    /// <summary>All sessions of a tunnel end for one reason.</summary>
    private string TextOf(Disconnect? disconnect)
    {
        if (disconnect is not null && !ReferenceEquals(disconnect, _lastEnd.Why))
        {
            _lastEnd = (disconnect, disconnect.ToString());
        }

        return disconnect is null ? "closed" : _lastEnd.Text;
    }

    private void OnSessionEstablished(Subscriber subscriber, Timestamp now)
    {
        if (subscriber.Role is DialRole && !Plane.TryInstall(subscriber))
        {
            subscriber.EndReason = "the session table is full";
            CloseNow(subscriber, subscriber.EndReason);
            return;
        }

        Plane.Update(subscriber);
        subscriber.Role.OpenLink(subscriber, now);
        while (subscriber.EarlyFrames?.TryDequeue(out byte[] frame) == true)
        {
            subscriber.Link.Receive(frame, now);
        }

        subscriber.EarlyFrames = null;
        Settle(subscriber, now);
    }

    private void Clear(Subscriber subscriber, Disconnect? disconnect, Timestamp now)
    {
        _clearedInTurn++;
        string reason = TextOf(disconnect);
        subscriber.Link.LowerLayerDown(reason, now);
        while (subscriber.Link.TryNextEvent(out PppLinkEvent last))
        {
            if (last is { Kind: PppLinkEventKind.Closed, Reason: not LinkCloseReason.LowerLayerDown })
            {
                // PPP was ending by itself, and the LAC was faster than its last words.
                subscriber.EndReason ??= last.Text;
            }
        }

        if (subscriber.IsUp)
        {
            subscriber.IsUp = false;
            subscriber.Role.OnNetworkDown(subscriber, now);
        }

        Plane.Remove(subscriber);
        string why = subscriber.EndReason ?? reason;
        if (subscriber.EndReason is not null && disconnect is { Origin: DisconnectOrigin.Peer, PppCause: { } cause })
        {
            // Both ends were at it: what the peer says may be the cause of what was seen here.
            why += $"; the peer says {cause}";
        }

        Tell(NodeEventKind.SessionDown, why, subscriber);
        subscriber.Role.OnEnded(subscriber, why, now);
        _subscribers.Remove(subscriber);
        subscriber.Session.Owner = null;
        _gate.Leave(subscriber);
    }

    /// <summary>After every call into a link: what it tells, what it wants to send, when it wants to be woken.</summary>
    private void Settle(Subscriber subscriber, Timestamp now)
    {
        while (subscriber.Link.TryNextEvent(out PppLinkEvent e))
        {
            Handle(subscriber, e, now);
        }

        _gate.Note(subscriber);
        if (subscriber.Session.Owner is null)
        {
            return;
        }

        _subscribers.QueueToTransmit(subscriber);
        Timestamp next = Timestamp.Min(subscriber.Link.NextDeadline, Timestamp.Min(subscriber.NextActivityCheck, subscriber.MustEndAt));
        _subscribers.SetDeadline(subscriber, next);
    }

    /// <summary>Data proves that a peer lives: links and tunnels that carry some need no echo and no HELLO. Also ends idle sessions.</summary>
    private void CheckActivity(Subscriber subscriber, Timestamp now)
    {
        if (now >= subscriber.MustEndAt)
        {
            subscriber.MustEndAt = Timestamp.Never;
            Close(subscriber, "session timeout", now);
        }

        if (now < subscriber.NextActivityCheck)
        {
            return;
        }

        // In any case, or a check that cannot be made would be due for ever.
        subscriber.NextActivityCheck = now + ActivityInterval;
        if (!Plane.TryReadCounters(subscriber, out SessionCounters counters))
        {
            return;
        }

        SessionCounters before = subscriber.LastCounters;
        subscriber.LastCounters = counters;
        if (counters.PacketsReceived != before.PacketsReceived)
        {
            subscriber.Link.NoteDataReceived(now);
            subscriber.Tunnel.NoteDataReceived(now);
        }

        TimeSpan idle = subscriber.Role.IdleTimeout(subscriber);
        if (counters.PacketsReceived != before.PacketsReceived || counters.PacketsSent != before.PacketsSent)
        {
            subscriber.LastActivity = now;
        }
        else if (idle > TimeSpan.Zero && now - subscriber.LastActivity >= idle)
        {
            Close(subscriber, "idle timeout", now);
        }
    }
}
