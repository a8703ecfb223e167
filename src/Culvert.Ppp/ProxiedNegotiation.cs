using Culvert.Ppp.Authentication;

namespace Culvert.Ppp;

/// <summary>
/// What an access concentrator negotiated with the peer before this end took the link over (RFC 2661 section 4.4.5): the bodies of
/// the LCP Configure-Requests that were acknowledged, from the first option on, and the peer's answer to authentication.
/// </summary>
public sealed class ProxiedNegotiation
{
    /// <summary>What the concentrator asked the peer for: this end holds it from now on. Null when not told.</summary>
    public ReadOnlyMemory<byte>? LastSent { get; init; }

    /// <summary>What the peer asked for, and was granted. Null when not told.</summary>
    public ReadOnlyMemory<byte>? LastReceived { get; init; }

    /// <summary>How the peer showed who it is; null when it did not, or when that was not told completely.</summary>
    public ProxiedAnswer? Answer { get; init; }

    /// <summary>Why none of it may be used, in words for the operator; null when it may be.</summary>
    public string? RefusedBecause { get; init; }
}

/// <summary>A CHAP Response or PAP Authenticate-Request that an access concentrator received. Never printed: it may hold a password.</summary>
public sealed class ProxiedAnswer
{
    /// <summary>True for a PAP name and password; false for an answer to a challenge.</summary>
    public bool IsPap { get; init; }

    /// <summary>
    /// Of the packet that is answered. What CHAP's answer is bound to, and what the peer expects on the verdict; another challenge of
    /// this end has another one, because clients replay their answer to an identifier that they know.
    /// </summary>
    public byte Identifier { get; init; }

    public ReadOnlyMemory<byte> Name { get; init; }

    /// <summary>Empty in PAP.</summary>
    public ReadOnlyMemory<byte> Challenge { get; init; }

    /// <summary>The Value of the Response, or the password.</summary>
    public ReadOnlyMemory<byte> Response { get; init; }

    /// <summary>The request that the peer's own packet would have become; null when it is of another method or has another size.</summary>
    internal AuthenticationRequest? ToRequest(AuthenticationMethod method)
    {
        AuthenticationRequest? request = null;
        bool fits = IsPap == (method == AuthenticationMethod.Pap) && (IsPap
            ? AuthenticationRequest.TryCreatePap(Identifier, Name.Span, Response.Span, out request)
            : AuthenticationRequest.TryCreateChap(method, Identifier, Name.Span, Challenge.Span, Response.Span, out request));
        return fits ? request : null;
    }

    public override string ToString() => IsPap ? "PAP answer" : "CHAP answer";
}

/// <summary>What became of a <see cref="ProxiedNegotiation"/>.</summary>
public enum ProxyUse : byte
{
    /// <summary>There was none, or the peer began LCP anew since.</summary>
    None,

    /// <summary>It did not fit: LCP and authentication began anew.</summary>
    Renegotiated,

    /// <summary>LCP was taken over; the peer is asked anew who it is, if it is asked at all.</summary>
    Lcp,

    /// <summary>LCP was taken over, and the peer's answer with it.</summary>
    LcpAndAuthentication,
}
