using Culvert.Core;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp;

/// <summary>How a link begins where an access concentrator has begun already.</summary>
public sealed partial class PppLink
{
    /// <summary>What became of the proxied negotiation with which the link was opened.</summary>
    public ProxyUse Proxy { get; private set; }

    /// <summary>What the access concentrator wants of LCP, to be set before the link is opened; null for nothing.</summary>
    public LcpGuidance? Guidance
    {
        get => _lcp.Guidance;
        set => _lcp.Guidance = value;
    }

    /// <summary>
    /// As <see cref="Open(Timestamp)"/>, going on where an access concentrator stopped (RFC 2661 section 4.4.5) as far as its results
    /// fit this end's settings: with LCP open, and with the peer's answer to authentication, which is asked of the owner as if it
    /// had been received here. What does not fit is negotiated anew. Either is told by a
    /// <see cref="PppLinkEventKind.ProxyJudged"/>.
    /// </summary>
    public void Open(ProxiedNegotiation proxied, Timestamp now)
    {
        if (!TryBegin(now))
        {
            return;
        }

        string? problem = JudgeProxied(proxied, out AuthenticationRequest? request);
        _authentication.Prepare(request, proxied.Answer?.Identifier);
        if (problem is not null)
        {
            Proxy = ProxyUse.Renegotiated;
            Raise(PppLinkEvent.ProxyJudgedAs($"LCP is negotiated anew: {problem}"));
            _lcp.Up(now);
            return;
        }

        Proxy = request is null ? ProxyUse.Lcp : ProxyUse.LcpAndAuthentication;
        string what = request is null ? "LCP was" : $"LCP and {request.Method.DisplayName()} were";
        Raise(PppLinkEvent.ProxyJudgedAs($"{what} taken over from the LAC"));
        _lcp.TakeOver(proxied.LastSent!.Value.Span, proxied.LastReceived!.Value.Span, now);
    }

    private bool TryBegin(Timestamp now)
    {
        if (Phase != PppPhase.Dead)
        {
            return false;
        }

        _closeReason = LinkCloseReason.None;
        _closeText = "";
        _hasOpened = false;
        Proxy = ProxyUse.None;
        Phase = PppPhase.Establish;
        _lcp.Open(now);
        return true;
    }

    private string? JudgeProxied(ProxiedNegotiation proxied, out AuthenticationRequest? request)
    {
        request = null;
        if (proxied.RefusedBecause is { } distrust)
        {
            return distrust;
        }

        if (proxied.LastSent is not { } sent || proxied.LastReceived is not { } received)
        {
            return "the proxied LCP is not complete";
        }

        if (_lcp.JudgeProxied(sent.Span, received.Span) is { } problem)
        {
            return problem;
        }

        AuthenticationMethod? method = Lcp.MethodIn(sent.Span);
        request = method is { } agreed ? proxied.Answer?.ToRequest(agreed) : null;

        // A challenge brings another CHAP Response at any time. A PAP peer speaks when LCP opens, and has spoken.
        return method == AuthenticationMethod.Pap && request is null ? "no PAP name and password came with it" : null;
    }
}
