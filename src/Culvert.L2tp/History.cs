using System.Globalization;
using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>What a line of a <see cref="History"/> is about.</summary>
public enum HistoryKind : byte
{
    /// <summary>The state changed without a message: by the owner, or because time ran out.</summary>
    State = 0,

    /// <summary>A message was given to the control channel, which sends it when its turn comes.</summary>
    Sent,

    /// <summary>A message came, in its order.</summary>
    Received,

    /// <summary>A message came again.</summary>
    Repeated,

    /// <summary>The owner did something; <see cref="HistoryEntry.Note"/>.</summary>
    Note,
}

/// <summary>What the owner of a session did with the call, as far as it explains what happens next.</summary>
public enum SessionNote : byte
{
    None = 0,

    /// <summary>LCP goes on where the LAC stopped, and the user is asked anew who it is, if at all.</summary>
    LcpTakenOver,

    /// <summary>LCP and the user's answer to authentication were taken over from the LAC.</summary>
    LcpAndAuthenticationTakenOver,

    /// <summary>The LAC's LCP was not taken over: it did not fit.</summary>
    LcpRenegotiated,

    /// <summary>The LAC's LCP was not taken over: this node does not do so for this peer.</summary>
    ProxyDistrusted,
}

/// <summary>One control message or change of state.</summary>
/// <param name="At">When.</param>
/// <param name="Kind">Which way.</param>
/// <param name="Message">The message; 0 for a change of state alone.</param>
/// <param name="LocalSessionId">The session concerned; 0 for the tunnel.</param>
/// <param name="Ns">Its number.</param>
/// <param name="Nr">What it acknowledges; of a sent message, when it was queued.</param>
/// <param name="Length">Octets with the header.</param>
/// <param name="Result">The Result Code of a StopCCN or CDN; 0 for none.</param>
/// <param name="Error">Its Error Code.</param>
/// <param name="State">The <see cref="TunnelState"/> or, with a session, <see cref="SessionState"/> afterwards.</param>
public readonly record struct HistoryEntry(
    Timestamp At, HistoryKind Kind, MessageType Message, ushort LocalSessionId, ushort Ns, ushort Nr, ushort Length, ushort Result,
    ErrorCode Error, byte State)
{
    /// <summary>What the owner did, in an entry of that kind; otherwise none.</summary>
    public SessionNote Note => Kind == HistoryKind.Note ? (SessionNote)Message : SessionNote.None;
}

/// <summary>The last control messages and states of a tunnel or a session, oldest first, as they were when asked for.</summary>
public readonly struct History
{
    private readonly HistoryRing _ring;
    private readonly bool _isSession;

    internal History(HistoryRing ring, bool isSession)
    {
        _ring = ring;
        _isSession = isSession;
    }

    public int Count => _ring.Count;

    /// <summary>Entries that had to make room for later ones.</summary>
    public long Dropped => _ring.Dropped;

    public Enumerator GetEnumerator() => new(_ring);

    /// <summary>One line of text per entry, such as "  31.2 s ago  received ICRQ, Ns 2, Nr 1, 132 octets -> Offered".</summary>
    public IEnumerable<string> Lines(Timestamp now)
    {
        if (Dropped > 0)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"({Dropped} earlier ones are forgotten)");
        }

        for (int i = 0; i < Count; i++)
        {
            yield return Line(_ring[i], now);
        }
    }

    private string Line(in HistoryEntry entry, Timestamp now)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{(now - entry.At).TotalSeconds,9:0.0} s ago  ");
        if (entry.Kind == HistoryKind.Note)
        {
            return text.Append(Describe(entry.Note)).ToString();
        }

        if (entry.Kind != HistoryKind.State)
        {
            string way = entry.Kind switch { HistoryKind.Sent => "sent", HistoryKind.Received => "received", _ => "received again" };
            text.Append(CultureInfo.InvariantCulture, $"{way} {entry.Message.Name()}, Ns {entry.Ns}, Nr {entry.Nr}, {entry.Length} octets");
        }

        if (entry.Result != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $", result {entry.Result} {ResultCodes.Describe(entry.Message, entry.Result)}");
            text.Append(entry.Error == ErrorCode.None ? string.Empty : $", error {(ushort)entry.Error} {entry.Error.Describe()}");
        }

        if (!_isSession && entry.LocalSessionId != 0)
        {
            return text.Append(CultureInfo.InvariantCulture, $", session {entry.LocalSessionId}").ToString();
        }

        string state = entry.LocalSessionId != 0 ? ((SessionState)entry.State).ToString() : ((TunnelState)entry.State).ToString();
        return text.Append(entry.Kind == HistoryKind.State ? "state " : " -> ").Append(state).ToString();
    }

    private static string Describe(SessionNote note) => note switch
    {
        SessionNote.LcpTakenOver => "LCP taken over from the LAC, authentication done here",
        SessionNote.LcpAndAuthenticationTakenOver => "LCP and authentication taken over from the LAC",
        SessionNote.LcpRenegotiated => "LCP negotiated anew: what the LAC had agreed on does not fit",
        SessionNote.ProxyDistrusted => "LCP negotiated anew: this peer's proxied negotiation is not used",
        _ => note.ToString(),
    };

    /// <summary>Walks from the oldest entry to the newest.</summary>
    public struct Enumerator
    {
        private readonly HistoryRing _ring;
        private int _index;

        internal Enumerator(HistoryRing ring)
        {
            _ring = ring;
            _index = -1;
        }

        public readonly HistoryEntry Current => _ring[_index];

        public bool MoveNext() => ++_index < _ring.Count;
    }
}
