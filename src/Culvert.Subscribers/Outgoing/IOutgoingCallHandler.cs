using Culvert.Core;
using Culvert.L2tp;

namespace Culvert.Subscribers.Outgoing;

/// <summary>
/// Takes the calls that an LNS asks this node, as LAC, to place (OCRQ; RFC 2661 section 5.2.2): a modem bank, an ISDN card, a test
/// line. Called on the shard's thread only, and must return at once; what it waits for it learns by itself and tells through
/// <see cref="OutgoingLine"/>, on the same thread.
/// </summary>
public interface IOutgoingCallHandler
{
    /// <summary>The word by which <c>outgoing-calls</c> names it.</summary>
    string Name { get; }

    /// <summary><see cref="Timestamp.Never"/> when nothing is due.</summary>
    Timestamp NextDeadline { get; }

    /// <summary>
    /// A call is to be placed: answer with <see cref="OutgoingLine.Accept"/> and later <see cref="OutgoingLine.Connect"/>, or with
    /// <see cref="OutgoingLine.Refuse"/>.
    /// </summary>
    void OnRequested(OutgoingLine line, Timestamp now);

    /// <summary>The OCCN is out: frames may flow.</summary>
    void OnConnected(OutgoingLine line, Timestamp now);

    /// <summary>A PPP frame from the LNS for the called party, as it stood in the data message.</summary>
    void OnFrame(OutgoingLine line, ReadOnlySpan<byte> frame, Timestamp now);

    /// <summary>The LNS told the ACCM for an asynchronous line (SLI, section 6.14).</summary>
    void OnLinkInfo(OutgoingLine line, Accm accm, Timestamp now);

    /// <summary>The call is over, for this reason; the line must not be used any more.</summary>
    void OnClosed(OutgoingLine line, string reason, Timestamp now);

    void Advance(Timestamp now);
}
