using Culvert.Core;
using Culvert.Dataplane;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Subscribers.Policy;
using SessionState = Culvert.L2tp.SessionState;

namespace Culvert.Subscribers.Outgoing;

/// <summary>A call that this node places for an LNS: what its handler answers, and the frames that go to the LNS.</summary>
public sealed class OutgoingLine : ISequencedSession
{
    /// <summary>Frames waiting for their turn; a handler is told no, and the link's own retransmission makes up for it.</summary>
    private const int MostFrames = 16;

    private readonly OutgoingCalls _calls;
    private readonly BoundedQueue<byte[]> _toSend = new(MostFrames);

    internal OutgoingLine(OutgoingCalls calls, Session session, IOutgoingCallHandler handler, OutgoingCallPolicy policy, Timestamp now)
    {
        _calls = calls;
        Session = session;
        Handler = handler;
        Policy = policy;
        Since = now;
        Key = new SessionKey(session.Tunnel.LocalTunnelId, session.LocalSessionId);
    }

    public Session Session { get; }

    public SessionKey Key { get; }

    /// <summary>The number to dial, and what line will do.</summary>
    public OutgoingCall Request => Session.OutgoingCall!;

    public OutgoingCallPolicy Policy { get; }

    /// <summary>When the LNS asked.</summary>
    public Timestamp Since { get; }

    /// <summary>A place for the handler's own state.</summary>
    public object? State { get; set; }

    internal IOutgoingCallHandler Handler { get; }

    internal bool IsQueued { get; set; }

    bool ISequencedSession.PeerSequences { get; set; }

    bool ISequencedSession.HasSequenced { get; set; }

    internal string? HangUpReason { get; private set; }

    /// <summary>A line is there and rings: sends the OCRP.</summary>
    /// <param name="channel">The Physical Channel ID, for the logs of both ends (section 4.4.4).</param>
    public void Accept(uint? channel, Timestamp now) => Session.Accept(now, channel);

    /// <summary>The called party answered: sends the OCCN.</summary>
    public void Connect(BearerConnection connection, Timestamp now) => Session.Connect(connection, now);

    /// <summary>Busy, no carrier, no line: sends a CDN that says so, before or after <see cref="Accept"/>.</summary>
    public void Refuse(Disconnect why, Timestamp now)
    {
        if (Session.State == SessionState.Offered)
        {
            Session.Refuse(why, now);
        }
        else
        {
            Session.Close(why, now);
        }
    }

    /// <summary>The called party hung up: ends the call once the frames that wait are sent.</summary>
    public void HangUp(string reason)
    {
        HangUpReason = reason;
        _calls.QueueToTransmit(this);
    }

    /// <summary>Sends a PPP frame to the LNS; false when the call is not connected or too many frames wait.</summary>
    public bool TrySend(ReadOnlySpan<byte> frame)
    {
        if (Session.State != SessionState.Established || !_toSend.TryEnqueue(frame.ToArray()))
        {
            return false;
        }

        _calls.QueueToTransmit(this);
        return true;
    }

    /// <summary>"call 1/2 to 5551234 for 192.0.2.1:1701".</summary>
    public override string ToString() => $"call {Key} to {SafeText(Request.CalledNumber)} for {Session.Tunnel.Path.Peer}";

    internal void CloseIfHungUp(Timestamp now)
    {
        if (HangUpReason is not null)
        {
            Session.Close(Disconnect.OfSession(CdnResult.LostCarrier, HangUpReason), now);
        }
    }

    internal bool TryTransmit(Plane plane, Span<byte> buffer, out int length, out byte trafficClass)
    {
        length = 0;
        trafficClass = 0;
        return _toSend.TryDequeue(out byte[] frame) && Session.State == SessionState.Established
            && DataFrame.TryWrite(plane, Session, frame, buffer, out length, out trafficClass);
    }

    private static string SafeText(string number) => number.Length == 0 ? "no number" : number;
}
