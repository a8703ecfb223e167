using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Wire;

namespace Culvert.Subscribers;

/// <summary>Why PPP ended, by the codes of RFC 3145 section 3, for the CDN that ends the session with it.</summary>
internal static class PppCauses
{
    /// <summary>
    /// Null when the session itself ended first: then PPP's end is no cause of anything. No text goes with it, because the Error
    /// Message of the same CDN has it.
    /// </summary>
    public static PppDisconnectCause? Of(in PppLinkEvent closed)
    {
        (ushort code, PppDisconnectDirection direction)? cause = closed.Reason switch
        {
            LinkCloseReason.Administrative => (1, PppDisconnectDirection.Global),
            LinkCloseReason.PeerTerminated => (3, PppDisconnectDirection.AtPeer),
            LinkCloseReason.NegotiationFailed when closed.Protocol == PppProtocol.Lcp => (5, PppDisconnectDirection.Global),
            LinkCloseReason.NoAnswer => (6, PppDisconnectDirection.Global),
            LinkCloseReason.LoopDetected => (7, PppDisconnectDirection.Global),
            LinkCloseReason.NoEchoAnswer => (8, PppDisconnectDirection.Global),
            LinkCloseReason.AuthenticationTimeout => (13, PppDisconnectDirection.Global),

            // Direction 1: what this end asks for was rejected. What this end refuses is said by LCP, and the peer ends the link.
            LinkCloseReason.AuthenticationRefused => (15, PppDisconnectDirection.AtPeer),
            LinkCloseReason.PeerAuthenticationFailed => (16, PppDisconnectDirection.AtPeer),
            LinkCloseReason.LocalAuthenticationFailed => (16, PppDisconnectDirection.AtLocal),
            LinkCloseReason.NetworkTimeout => (17, PppDisconnectDirection.Global),
            LinkCloseReason.NetworkRejected => (18, PppDisconnectDirection.Global),

            // Direction 1: too many Naks of the peer; 2: too many to it.
            LinkCloseReason.NegotiationFailed => (19, closed.IsRefusedHere ? PppDisconnectDirection.AtLocal : PppDisconnectDirection.AtPeer),
            LinkCloseReason.NetworkRefused => (20, PppDisconnectDirection.AtLocal),
            _ => null,
        };
        return cause is var (number, side) ? new(number, (ushort)closed.Protocol, side) : null;
    }
}
