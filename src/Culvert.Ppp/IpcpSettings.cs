using Culvert.Core;

namespace Culvert.Ppp;

/// <summary>What happens when a client insists on a value that it was told to change (Max-Failure Naks had no effect).</summary>
public enum InsistencePolicy : byte
{
    /// <summary>The option is rejected: the client can go on without it, or give up.</summary>
    Reject,

    /// <summary>The client has its way.</summary>
    Allow,
}

/// <summary>The part of IPCP's settings that does not differ between the links of a profile. Immutable and shared.</summary>
public sealed class IpcpPolicy
{
    public static IpcpPolicy Default { get; } = new();

    /// <summary>DNS server given to the peer (RFC 1877); without one the option is rejected.</summary>
    public IpAddress PrimaryDns { get; init; }

    /// <inheritdoc cref="PrimaryDns"/>
    public IpAddress SecondaryDns { get; init; }

    /// <summary>NetBIOS name server given to the peer (RFC 1877); without one the option is rejected.</summary>
    public IpAddress PrimaryNbns { get; init; }

    /// <inheritdoc cref="PrimaryNbns"/>
    public IpAddress SecondaryNbns { get; init; }

    /// <summary>Ask the peer for DNS servers: the client's side.</summary>
    public bool RequestDns { get; init; }

    /// <summary>The peer's own choice of address (other than 0.0.0.0) is accepted in place of the assigned one.</summary>
    public bool AcceptPeerAddress { get; init; }

    /// <summary>The local address is given up for the one that the peer names: the client's side.</summary>
    public bool AcceptLocalAddress { get; init; }

    /// <summary>When the peer insists on an address.</summary>
    public InsistencePolicy InsistentAddress { get; init; }

    /// <summary>When the peer insists on DNS or NBNS servers.</summary>
    public InsistencePolicy InsistentDns { get; init; }
}

/// <summary>
/// What IPCP negotiates on one link. A server names both addresses. A client names what it wishes, or nothing, and lets
/// <see cref="IpcpPolicy.AcceptLocalAddress"/> be true.
/// </summary>
/// <param name="Local">Address of this end; none or 0.0.0.0: to be assigned by the peer.</param>
/// <param name="Peer">Address for the peer; none: whatever the peer has.</param>
/// <param name="Policy">What is the same for all links of a profile.</param>
public sealed record IpcpSettings(IpAddress Local, IpAddress Peer, IpcpPolicy Policy)
{
    /// <summary>The client's usual settings: everything from the peer.</summary>
    public static IpcpSettings ForClient { get; } =
        new(default, default, new IpcpPolicy { AcceptLocalAddress = true, RequestDns = true });
}

/// <summary>What IPCP agreed on.</summary>
/// <param name="Local">Address of this end; none when the peer would not hear of one.</param>
/// <param name="Peer">Address of the peer; none when neither end named one.</param>
/// <param name="PrimaryDns">DNS server that the peer named to this end; none without.</param>
/// <param name="SecondaryDns">As <paramref name="PrimaryDns"/>.</param>
public sealed record IpcpResult(IpAddress Local, IpAddress Peer, IpAddress PrimaryDns, IpAddress SecondaryDns);
