using Culvert.L2tp;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers;

/// <summary>What the operator decided, in the terms of the L2TP engine.</summary>
internal static class EngineSettings
{
    public static TunnelSettings Of(string nodeName, PeerRule rule) => Common(nodeName, rule) with
    {
        MaxSessions = rule.MaxSessions,
        AcceptIncomingCalls = rule.IncomingCalls,
    };

    public static TunnelSettings Of(string nodeName, DialSettings dial) => Common(nodeName, dial) with
    {
        AcceptIncomingCalls = false,
        SendTieBreaker = dial.TieBreaker,
    };

    public static EndpointLimits Of(NodeLimits limits) => EndpointLimits.Default with
    {
        MaxTunnels = limits.Tunnels,
        MaxSessions = limits.Sessions,
        MaxHalfOpenTunnels = limits.HalfOpenTunnels,
        MaxHalfOpenTunnelsPerPeer = limits.HalfOpenTunnelsPerPeer,
        HalfOpenRetransmits = limits.HalfOpenRetransmits,
        MaxHalfOpenSessions = limits.HalfOpenSessions,
        PendingStarts = limits.PendingStarts,
        PendingStartsAbove = limits.PendingStartsAbove,
        StartRate = limits.StartRate,
        StartRatePerPeer = limits.StartRatePerPeer,
        CallRate = limits.CallRate,
        EndedTunnelsKept = limits.EndedTunnelsKept,
        EndedSessionsKept = limits.EndedSessionsKept,
    };

    private static TunnelSettings Common(string nodeName, TunnelPolicy policy) => new()
    {
        HostName = nodeName,
        Secret = policy.Secret?.Octets,
        HideAvps = policy.HideAvps,
        RequireChallenge = policy.RequireChallenge,
        Channel = new ControlChannelSettings
        {
            HelloInterval = policy.Hello,
            RetransmitFloor = policy.RetransmitFloor,
            RetransmitInitial = policy.RetransmitInitial,
            RetransmitCap = policy.RetransmitCap,
            MaxRetransmits = policy.MaxRetransmits,
            ReceiveWindow = policy.ReceiveWindow,
        },
        EstablishTimeout = policy.EstablishTimeout,
        CallTimeout = policy.CallTimeout,
        CallRate = policy.CallRate,
        Sequencing = policy.Sequencing,
        EcnCapable = policy.Data.Ecn,
        OnRestart = policy.OnRestart,
        OnPathChange = policy.OnPathChange,
        ModemOnHoldCapable = policy.ModemOnHold,
        AcceptTunnelIdZero = policy.AcceptTunnelIdZero,
        RefuseWithGeneralError = policy.RefuseWithGeneralError,
        AcceptOutgoingCalls = policy.OutgoingCalls.Handler != OutgoingCallPolicy.Refuse,
    };
}
