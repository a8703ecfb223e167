using Culvert.L2tp;

namespace Culvert.Subscribers;

public enum NodeEventKind : byte
{
    TunnelUp,

    /// <summary>Every tunnel ends with this; <see cref="NodeEvent.Text"/> is the reason.</summary>
    TunnelDown,

    /// <summary>No rule fits a peer that wanted to open a tunnel.</summary>
    PeerRefused,

    /// <summary>The session has its addresses and forwards.</summary>
    SessionUp,

    /// <summary>Every session ends with this, whether it was up or not; <see cref="NodeEvent.Text"/> is the reason.</summary>
    SessionDown,

    /// <summary>Networks are routed to this session again: the newer one that had them has ended.</summary>
    RoutesReturned,

    /// <summary>A call that an LNS asked us to place is connected.</summary>
    CallConnected,

    /// <summary>A call that an LNS asked us to place is over, whether it was connected or not.</summary>
    CallEnded,

    /// <summary>Somebody could not prove who they are; <see cref="NodeEvent.UserName"/> is the name that was claimed.</summary>
    AuthenticationFailed,

    /// <summary>Worth a line in the log; nothing has ended.</summary>
    Notice,

    /// <summary>Only of interest when something does not work.</summary>
    Detail,

    /// <summary>Look up the hosts of <see cref="NodeEvent.Dial"/> and call <see cref="AccessNode.ResolveDial"/>.</summary>
    DialResolve,

    /// <summary>A dialled connection has its addresses: give its interface what <see cref="Subscriber"/> says.</summary>
    DialUp,

    /// <summary>The way to the LNS of a dialled connection takes larger or smaller packets now: give its interface the new MTU.</summary>
    DialMtuChanged,

    /// <summary>A dialled connection that was up is down: take its addresses and routes away.</summary>
    DialDown,

    /// <summary>No LNS of this dial could be connected; <see cref="NodeEvent.Text"/> says why and what comes next.</summary>
    DialFailed,
}

/// <summary>Something for the node to log or to do in the operating system.</summary>
/// <param name="UserName">AuthenticationFailed only.</param>
public readonly record struct NodeEvent(
    NodeEventKind Kind, string Text, Tunnel? Tunnel = null, Subscriber? Subscriber = null, Dial? Dial = null, string? UserName = null);
