using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>
/// One call in a tunnel (RFC 2661 section 7.4): offered by a LAC and accepted by its owner here, or placed from here as a LAC.
/// </summary>
public sealed class Session
{
    internal Session(Tunnel tunnel, ushort localSessionId, ushort peerSessionId, bool isPlacedHere, IncomingCall call, SessionState state)
    {
        Tunnel = tunnel;
        LocalSessionId = localSessionId;
        PeerSessionId = peerSessionId;
        IsPlacedHere = isPlacedHere;
        Call = call;
        State = state;
    }

    public Tunnel Tunnel { get; }

    /// <summary>The ID that the peer puts into headers; never 0. Free for others once the session has closed.</summary>
    public ushort LocalSessionId { get; }

    /// <summary>The ID that we put into headers; 0 until the peer has assigned it.</summary>
    public ushort PeerSessionId { get; internal set; }

    public SessionState State { get; internal set; }

    /// <summary>True in the LAC role: we placed the call.</summary>
    public bool IsPlacedHere { get; }

    /// <summary>What is known about the call; an LNS learns the rest with SessionEstablished.</summary>
    public IncomingCall Call { get; internal set; }

    /// <summary>When data could flow first; <see cref="Timestamp.Never"/> before that.</summary>
    public Timestamp EstablishedAt { get; internal set; } = Timestamp.Never;

    /// <summary>A place for the owner's own state.</summary>
    public object? Owner { get; set; }

    internal Timestamp SetUpDeadline { get; set; }

    internal bool IsBeingSetUp => State is not (SessionState.Idle or SessionState.Established);

    internal StateTable<SessionState, SessionInput, SessionAction> Table => IsPlacedHere ? IncomingCallTables.Lac : IncomingCallTables.Lns;

    /// <summary>Accepts an offered call: sends the ICRP. Without effect when the call is not offered any more.</summary>
    public void Accept(Timestamp now)
    {
        if (State == SessionState.Offered)
        {
            Tunnel.Apply(this, SessionInput.IcrqAcceptable, null, now);
        }
    }

    /// <summary>Refuses an offered call with a CDN. Without effect when the call is not offered any more.</summary>
    public void Refuse(Disconnect why, Timestamp now)
    {
        if (State == SessionState.Offered)
        {
            Tunnel.Apply(this, SessionInput.IcrqNotAcceptable, why, now);
        }
    }

    /// <summary>Ends the session with a CDN. Without effect once it has ended.</summary>
    public void Close(Disconnect why, Timestamp now)
    {
        if (State != SessionState.Idle)
        {
            Tunnel.Apply(this, SessionInput.LocalClose, why, now);
        }
    }

    public override string ToString() => $"{Tunnel} session {LocalSessionId}/{PeerSessionId}";
}
