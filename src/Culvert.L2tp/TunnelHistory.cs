using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>What a tunnel remembers of its last messages and states, to say why it is as it is.</summary>
public sealed partial class Tunnel
{
    private HistoryRing _history;
    private HistoryEntry _received;

    /// <summary>The last control messages of the tunnel and all its sessions, and its states.</summary>
    public History History => new(_history, isSession: false);

    private void RecordReceived(in L2tpHeader header, MessageType type, in ResultCodeValue result, HistoryKind kind, Timestamp now)
    {
        _ = TryFindSession(header.SessionId, out Session? session);
        ushort length = (ushort)Math.Min(header.PayloadEnd, ushort.MaxValue);
        _received = new(now, kind, type, header.SessionId, header.Ns, header.Nr, length, result.Result, result.Error, (byte)State);
        _history.Add(_received, HistoryRing.TunnelCapacity);
        session?.Record(_received with { State = (byte)session.State });
    }

    private void RecordRepeated(in L2tpHeader header, ReadOnlySpan<byte> message, Timestamp now)
    {
        if (StartFacts.TryRead(message[header.PayloadStart..header.PayloadEnd], out StartFacts facts))
        {
            RecordReceived(header, facts.Type, default, HistoryKind.Repeated, now);
        }
    }

    /// <summary>The request that made a session is the first thing in its history.</summary>
    private void RecordRequest(Session session) =>
        session.Record(_received with { LocalSessionId = session.LocalSessionId, State = (byte)session.State });

    private void RecordSent(byte[] message, Session? session, Disconnect? why)
    {
        var entry = new HistoryEntry(
            _endpoint.Now, HistoryKind.Sent, ControlMessages.TypeOf(message), session?.LocalSessionId ?? 0, Channel.NextNs, Channel.Nr,
            (ushort)message.Length, why?.Result ?? 0, why?.Error ?? ErrorCode.None, (byte)State);
        _history.Add(entry, HistoryRing.TunnelCapacity);
        session?.Record(entry with { State = (byte)session.State });
    }

    private void RecordState() => _history.NoteState((byte)State, 0, _endpoint.Now, HistoryRing.TunnelCapacity);
}
