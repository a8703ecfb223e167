using Culvert.Core;
using Culvert.L2tp;
using Culvert.Subscribers.Policy;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers.Outgoing;

/// <summary>The LAC's side of outgoing calls: hands each to the handler that the configuration names for its peer.</summary>
internal sealed class OutgoingCalls
{
    private readonly AccessNode _node;
    private readonly Dictionary<string, IOutgoingCallHandler> _handlers;
    private readonly HashSet<OutgoingLine> _lines = [];
    private readonly Queue<OutgoingLine> _toTransmit = new();

    public OutgoingCalls(AccessNode node, IEnumerable<IOutgoingCallHandler> handlers)
    {
        _node = node;
        _handlers = handlers.ToDictionary(h => h.Name, StringComparer.Ordinal);
    }

    public IReadOnlyCollection<OutgoingLine> Lines => _lines;

    public Timestamp NextDeadline
    {
        get
        {
            Timestamp next = Timestamp.Never;
            foreach (IOutgoingCallHandler handler in _handlers.Values)
            {
                next = Timestamp.Min(next, handler.NextDeadline);
            }

            return next;
        }
    }

    public void OnRequested(Session session, OutgoingCallPolicy policy, Timestamp now)
    {
        // The LNS may have taken the call back, or its tunnel away, in the same breath.
        if (session.State != SessionState.Offered)
        {
            return;
        }

        if (!_handlers.TryGetValue(policy.Handler, out IOutgoingCallHandler? handler))
        {
            _node.Tell(NodeEventKind.Notice, $"a call was refused: there is no handler '{policy.Handler}' for outgoing calls", null, null, session.Tunnel);
            session.Refuse(Refusals.NoHandler, now);
        }
        else if (!_node.Plane.TryInstallLine(session))
        {
            session.Refuse(Refusals.NoRoom, now);
        }
        else
        {
            var line = new OutgoingLine(this, session, handler, policy, now);
            session.Owner = line;
            _lines.Add(line);
            handler.OnRequested(line, now);
        }
    }

    public void OnEstablished(OutgoingLine line, Timestamp now)
    {
        _node.Plane.UpdateLine(line.Session);
        _node.Tell(NodeEventKind.CallConnected, $"{line} connected by '{line.Handler.Name}', {line.Session.Call.TxConnectSpeed} bit/s", null, null, line.Session.Tunnel);
        line.Handler.OnConnected(line, now);
    }

    public void OnClosed(OutgoingLine line, string reason, Timestamp now)
    {
        _node.Plane.RemoveLine(line.Key);
        _lines.Remove(line);
        line.Session.Owner = null;
        _node.Tell(NodeEventKind.CallEnded, $"{line} ended: {reason}", null, null, line.Session.Tunnel);
        line.Handler.OnClosed(line, reason, now);
    }

    public void Advance(Timestamp now)
    {
        foreach (IOutgoingCallHandler handler in _handlers.Values)
        {
            if (handler.NextDeadline <= now)
            {
                handler.Advance(now);
            }
        }
    }

    public void QueueToTransmit(OutgoingLine line)
    {
        if (!line.IsQueued)
        {
            line.IsQueued = true;
            _toTransmit.Enqueue(line);
        }
    }

    public bool TryTransmit(Span<byte> buffer, Timestamp now, out int length, out UdpPath path, out byte trafficClass)
    {
        while (_toTransmit.TryPeek(out OutgoingLine? line))
        {
            if (line.TryTransmit(_node.Plane, buffer, out length, out trafficClass))
            {
                path = line.Session.Tunnel.Path;
                return true;
            }

            _toTransmit.Dequeue().IsQueued = false;
            line.CloseIfHungUp(now);
        }

        length = 0;
        path = default;
        trafficClass = 0;
        return false;
    }
}
