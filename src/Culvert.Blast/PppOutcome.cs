namespace Culvert.Blast;

/// <summary>What a frame or a timer led to. From <see cref="LcpTimeout"/> on: the PPP end has given up.</summary>
public enum PppOutcome : byte
{
    /// <summary>Nothing to react to: negotiation goes on, or the link stays up.</summary>
    Pending,

    /// <summary>IPCP has just opened.</summary>
    Up,

    /// <summary>The peer began anew while the link was up.</summary>
    Restarted,

    LcpTimeout,
    AuthenticationTimeout,
    IpcpTimeout,
    MethodRefused,
    AuthenticationFailed,
    AddressRefused,
    NetworkRefused,
    PeerTerminated,
}

/// <summary>The outcomes in words, for reports.</summary>
public static class PppOutcomes
{
    public static bool IsFailure(this PppOutcome outcome) => outcome >= PppOutcome.LcpTimeout;

    public static string Describe(this PppOutcome outcome) => outcome switch
    {
        PppOutcome.LcpTimeout => "LCP: no answer",
        PppOutcome.AuthenticationTimeout => "authentication: no answer",
        PppOutcome.IpcpTimeout => "IPCP: no answer",
        PppOutcome.MethodRefused => "no authentication method in common",
        PppOutcome.AuthenticationFailed => "authentication failed: the peer refused user or password",
        PppOutcome.AddressRefused => "IPCP: the peer gives no address",
        PppOutcome.NetworkRefused => "the peer refused IPCP",
        PppOutcome.PeerTerminated => "the peer sent an LCP Terminate-Request",
        _ => outcome.ToString(),
    };
}
