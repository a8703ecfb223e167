using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>What a LAC tells of its user (RFC 2661 section 4.4.5, RFC 3437), in the words of PPP.</summary>
internal static class ProxyFacts
{
    /// <summary>Null when the LAC negotiated nothing with the user, or tells nothing of it.</summary>
    public static ProxiedNegotiation? Of(IncomingCall call, ProxyPolicy policy)
    {
        if (call.ProxyLcp is not { } lcp)
        {
            // Without LCP there is nothing to go on with: the user begins LCP at this end, and authentication after it.
            return null;
        }

        return new()
        {
            LastSent = lcp.LastSent,
            LastReceived = lcp.LastReceived,
            Answer = AnswerOf(call.ProxyAuthentication),
            RefusedBecause = policy == ProxyPolicy.Renegotiate ? "this peer's rule has proxy-authentication: renegotiate" : null,
        };
    }

    /// <summary>What the LAC would like LCP to be; null when it does not say.</summary>
    public static LcpGuidance? GuidanceOf(IncomingCall call) =>
        call.LcpWishes is { } wishes ? new LcpGuidance(wishes.Want is { } want ? want.Span : default, wishes.Allow) : null;

    /// <summary>
    /// A name and password typed outside PPP (type 1) prove nothing to a user's PPP that waits for a verdict of its own, so only CHAP and
    /// PAP count. MS-CHAP of either version comes as type 5, or as CHAP: LCP's option says which it is.
    /// </summary>
    private static ProxiedAnswer? AnswerOf(ProxyAuthentication? proxy) => proxy switch
    {
        { IsComplete: true, Type: ProxyAuthenType.Chap or ProxyAuthenType.Pap or ProxyAuthenType.MsChapV1, Id: byte id } => new()
        {
            IsPap = proxy.Type == ProxyAuthenType.Pap,
            Identifier = id,
            Name = proxy.Name,
            Challenge = proxy.Challenge,
            Response = proxy.Response,
        },
        _ => null,
    };
}
