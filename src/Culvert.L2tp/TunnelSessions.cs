using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>The book of a tunnel's sessions: entered, established, given up, ended.</summary>
public sealed partial class Tunnel
{
    // Most tunnels of an LNS for clients carry one session, so nothing is kept for a tunnel without any.
    private Dictionary<ushort, Session>? _sessions;
    private Dictionary<ushort, Session>? _sessionsByPeerId;

    // In the order of their deadlines, since all have the same patience; those that got established are skipped.
    private Queue<Session>? _beingSetUp;

    private Timestamp NextCallDeadline => _beingSetUp is { Count: > 0 } ? _beingSetUp.Peek().SetUpDeadline : Timestamp.Never;

    private void AddSession(Session session, Timestamp now)
    {
        session.SetUpDeadline = now + Settings.CallTimeout;
        (_sessions ??= []).Add(session.LocalSessionId, session);
        if (session.PeerSessionId != 0)
        {
            (_sessionsByPeerId ??= []).Add(session.PeerSessionId, session);
        }

        _endpoint.NoteSetUp(1);
        (_beingSetUp ??= new()).Enqueue(session);
    }

    private void OpenWaitingCalls(Timestamp now)
    {
        if (_sessions is null)
        {
            return;
        }

        // A call that the peer cannot place leaves the table.
        foreach (Session session in (Session[])[.. _sessions.Values])
        {
            OpenCall(session, now);
        }
    }

    private void Establish(Session session, Timestamp now)
    {
        _endpoint.NoteSetUp(-1);
        session.State = SessionState.Established;
        session.EstablishedAt = now;
        ForgetSetUps();
        Count(L2tpCounter.SessionsEstablished);
        _endpoint.Tell(new(L2tpEventKind.SessionEstablished, this, session));
    }

    private void End(Session session, Disconnect why)
    {
        _sessions!.Remove(session.LocalSessionId);
        if (session.PeerSessionId != 0)
        {
            _sessionsByPeerId?.Remove(session.PeerSessionId);
        }

        TellEnd(session, why);
        ForgetSetUps();
    }

    /// <summary>Ends all sessions without a word to the peer, whom a StopCCN tells everything (section 5.7).</summary>
    private void EndAllSessions(Disconnect why)
    {
        Dictionary<ushort, Session>? sessions = _sessions;
        _sessions = null;
        _sessionsByPeerId = null;
        _beingSetUp = null;
        if (sessions is null)
        {
            return;
        }

        foreach (Session session in sessions.Values)
        {
            TellEnd(session, why);
        }
    }

    private void TellEnd(Session session, Disconnect why)
    {
        if (session.IsBeingSetUp)
        {
            _endpoint.NoteSetUp(-1);
        }

        session.State = SessionState.Idle;
        session.Ended = why;
        session.RecordState(_endpoint.Now);
        _endpoint.Remember(this, session, why);
        _endpoint.ReleaseSession(this, session.LocalSessionId);
        Count(L2tpCounter.SessionsClosed);
        _endpoint.Tell(new(L2tpEventKind.SessionClosed, this, session, why));
    }

    private void ExpireCalls(Timestamp now)
    {
        while (_beingSetUp is { Count: > 0 } queue && queue.Peek().SetUpDeadline <= now)
        {
            Session session = queue.Peek();
            Disconnect why = Disconnect.OfSession(CdnResult.NotEstablishedInTime, $"in state {session.State}").AsTimeout();
            Apply(session, SessionInput.LocalClose, why, now);
        }
    }

    private void ForgetSetUps()
    {
        while (_beingSetUp is { Count: > 0 } queue && !queue.Peek().IsBeingSetUp)
        {
            queue.Dequeue();
        }

        if (_beingSetUp is { Count: 0 })
        {
            _beingSetUp = null;
        }
    }
}
