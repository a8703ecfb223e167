using System.Collections.Immutable;
using Culvert.Ppp.Authentication;

namespace Culvert.Ppp;

/// <summary>What the links of one profile have in common. Immutable and shared: a link keeps a reference, not a copy.</summary>
public sealed class PppLinkSettings
{
    /// <summary>Least MRU that either end may have: an IPv4 packet that needs no further fragmenting, and room for LCP.</summary>
    public const int MinMru = 128;

    public static PppLinkSettings Default { get; } = new();

    /// <summary>Methods with which the peer must show who it is, the preferred one first; empty: none.</summary>
    public ImmutableArray<AuthenticationMethod> AuthenticatePeer { get; init; } = [];

    /// <summary>With what this end answers when the peer asks who it is; null: it does not.</summary>
    public AuthenticationCredentials? Credentials { get; init; }

    /// <summary>Methods with which this end shows who it is, the preferred one first. Without meaning when there are no credentials.</summary>
    public ImmutableArray<AuthenticationMethod> AcceptedMethods { get; init; } =
        [AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5, AuthenticationMethod.Pap];

    /// <summary>Names and timers of authentication; its RechallengeInterval makes a CHAP authenticator ask again.</summary>
    public AuthenticationSettings Authentication { get; init; } = AuthenticationSettings.Default;

    /// <summary>Largest packet that this end wants to receive, in octets of IP; 128 to 65535.</summary>
    public ushort Mru
    {
        get;
        init => field = value >= MinMru ? value : throw new ArgumentOutOfRangeException(nameof(value));
    } = 1500;

    /// <summary>
    /// Largest MRU that an access concentrator may have promised the peer in this end's place, in octets. A larger one is negotiated
    /// anew. Not <see cref="Mru"/>, which follows the path: too large a packet on the path is fragmented there, and works.
    /// </summary>
    public ushort ProxiedMruLimit { get; init; } = 1500;

    /// <summary>Asks the peer to leave out FF 03. What the peer sends is read either way.</summary>
    public bool RequestAcfc { get; init; }

    /// <summary>Asks the peer to shorten protocol numbers. What the peer sends is read either way.</summary>
    public bool RequestPfc { get; init; }

    /// <summary>Silence after which the peer is asked whether it is there; zero: never.</summary>
    public TimeSpan EchoInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Echo requests without an answer after which the link is dead; 1 to 255.</summary>
    public byte EchoFailures { get; init; } = 4;

    public NegotiationSettings Negotiation { get; init; } = NegotiationSettings.Default;

    /// <summary>From LCP's opening to the end of authentication, verdict of a server included.</summary>
    public TimeSpan AuthenticationTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a link may stay in the network phase without any open network protocol.</summary>
    public TimeSpan NetworkTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
