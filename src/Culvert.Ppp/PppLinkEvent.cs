using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Ppp.Wire;

namespace Culvert.Ppp;

/// <summary>Phases of a link (RFC 1661 section 3.2).</summary>
public enum PppPhase : byte
{
    Dead,
    Establish,
    Authenticate,
    Network,
    Terminate,
}

public enum PppLinkEventKind : byte
{
    None,

    /// <summary>
    /// The peer showed who it is: judge <see cref="PppLinkEvent.Request"/> and call
    /// <see cref="PppLink.Decide(AuthenticationRequest, AuthenticationVerdict, Timestamp)"/>.
    /// </summary>
    AuthenticationRequested,

    /// <summary>Authentication is done in both directions (or none was agreed on). Once per establishment.</summary>
    Authenticated,

    /// <summary>The network phase begins: call <see cref="PppLink.StartNetwork"/> or <see cref="PppLink.RefuseNetwork"/>.</summary>
    NetworkRequested,

    /// <summary>IPCP is open; <see cref="PppLinkEvent.Ipcp"/> is what was agreed on.</summary>
    NetworkUp,

    /// <summary>IPCP is no longer open. The link itself may go on: IPCP may come up again.</summary>
    NetworkDown,

    /// <summary>The peer said what it is (RFC 1570 section 2.1); <see cref="PppLinkEvent.Text"/>.</summary>
    Identification,

    /// <summary>The negotiation of an access concentrator was taken over or not; <see cref="PppLinkEvent.Text"/> says what and why.</summary>
    ProxyJudged,

    /// <summary>LCP is open under a <see cref="PppLink.Guidance"/>; <see cref="PppLinkEvent.Agreement"/> is what the LAC waits for.</summary>
    LcpAgreed,

    /// <summary>LCP is open again: one of the two ends began anew. Before whatever follows from it; the owner decides how often that may be.</summary>
    LcpReopened,

    /// <summary>The end; <see cref="PppLinkEvent.Reason"/> and <see cref="PppLinkEvent.Text"/> say why. The last event.</summary>
    Closed,
}

/// <summary>Why a link ended. The text beside it has the particulars.</summary>
public enum LinkCloseReason : byte
{
    None,

    /// <summary>This end was told to.</summary>
    Administrative,

    /// <summary>This end refused the peer's identity.</summary>
    PeerAuthenticationFailed,

    /// <summary>The peer refused this end's identity, or could not prove its own.</summary>
    LocalAuthenticationFailed,

    /// <summary>No method in common, or the peer will not authenticate at all.</summary>
    AuthenticationRefused,

    /// <summary>Authentication was not finished in time.</summary>
    AuthenticationTimeout,

    /// <summary>The peer no longer answers echo requests.</summary>
    NoEchoAnswer,

    /// <summary>The peer sent a Terminate-Request.</summary>
    PeerTerminated,

    /// <summary>The two ends do not agree on an option.</summary>
    NegotiationFailed,

    /// <summary>The peer does not answer (enough) during negotiation.</summary>
    NoAnswer,

    /// <summary>The link answers with what was sent into it.</summary>
    LoopDetected,

    /// <summary>No network protocol came up.</summary>
    NetworkTimeout,

    /// <summary>The peer knows none of the network protocols of this end.</summary>
    NetworkRejected,

    /// <summary>This end has no address (or no permission) for the peer.</summary>
    NetworkRefused,

    /// <summary>The session below is gone.</summary>
    LowerLayerDown,
}

/// <summary>Something for the link's owner to react to.</summary>
public readonly struct PppLinkEvent
{
    private readonly object? _content;

    private PppLinkEvent(PppLinkEventKind kind, LinkCloseReason reason = LinkCloseReason.None, object? content = null)
    {
        Kind = kind;
        Reason = reason;
        _content = content;
    }

    private PppLinkEvent(LinkCloseReason reason, string text, PppProtocol protocol, bool isRefusedHere)
        : this(PppLinkEventKind.Closed, reason, text)
    {
        Protocol = protocol;
        IsRefusedHere = isRefusedHere;
    }

    public PppLinkEventKind Kind { get; }

    /// <summary>Closed only.</summary>
    public LinkCloseReason Reason { get; }

    /// <summary>Closed only: the protocol that failed; 0 when it was none in particular.</summary>
    public PppProtocol Protocol { get; }

    /// <summary>Closed with NegotiationFailed only: this end refused last what the peer wanted; otherwise the peer did.</summary>
    public bool IsRefusedHere { get; }

    /// <summary>Identification, ProxyJudged and Closed; otherwise empty. Printable.</summary>
    public string Text => _content as string ?? "";

    /// <summary>AuthenticationRequested only.</summary>
    public AuthenticationRequest? Request => _content as AuthenticationRequest;

    /// <summary>NetworkUp only.</summary>
    public IpcpResult? Ipcp => _content as IpcpResult;

    /// <summary>LcpAgreed only.</summary>
    public LcpAgreement? Agreement => _content as LcpAgreement;

    internal static PppLinkEvent Of(PppLinkEventKind kind) => new(kind);

    internal static PppLinkEvent RequestOf(AuthenticationRequest request) =>
        new(PppLinkEventKind.AuthenticationRequested, LinkCloseReason.None, request);

    internal static PppLinkEvent UpWith(IpcpResult result) => new(PppLinkEventKind.NetworkUp, LinkCloseReason.None, result);

    internal static PppLinkEvent IdentifiedAs(string text) => new(PppLinkEventKind.Identification, LinkCloseReason.None, text);

    internal static PppLinkEvent ProxyJudgedAs(string text) => new(PppLinkEventKind.ProxyJudged, LinkCloseReason.None, text);

    internal static PppLinkEvent LcpAgreed(LcpAgreement agreement) => new(PppLinkEventKind.LcpAgreed, LinkCloseReason.None, agreement);

    internal static PppLinkEvent ClosedBecause(LinkCloseReason reason, string text, PppProtocol protocol, bool isRefusedHere) =>
        new(reason, text, protocol, isRefusedHere);

    public override string ToString() => Kind switch
    {
        PppLinkEventKind.Closed => $"{Kind} {Reason}: {Text}",
        PppLinkEventKind.Identification or PppLinkEventKind.ProxyJudged => $"{Kind} '{Text}'",
        PppLinkEventKind.NetworkUp => $"{Kind} {Ipcp}",
        _ => Kind.ToString(),
    };
}
