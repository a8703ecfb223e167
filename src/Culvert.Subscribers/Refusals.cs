using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Subscribers;

/// <summary>What peers are told when policy says no.</summary>
internal static class Refusals
{
    /// <summary>No rule matches the SCCRQ.</summary>
    public static readonly Disconnect UnknownPeer = Disconnect.OfTunnel(StopCcnResult.NotAuthorized, "this node has no rule for you");

    /// <summary>A call for which no profile is configured.</summary>
    public static readonly Disconnect NoProfile = Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "no profile is configured for your sessions");

    /// <summary>An outgoing call whose handler does not exist.</summary>
    public static readonly Disconnect NoHandler = Disconnect.OfSession(CdnResult.NoFacilitiesPermanent, "no handler is configured for outgoing calls");

    /// <summary>A call for which the session table has no room.</summary>
    public static readonly Disconnect NoRoom = Disconnect.OfSession(CdnResult.NoFacilitiesTemporary, "too many sessions; try again later");
}

/// <summary>What peers are told when we end something that was served.</summary>
internal static class Disconnects
{
    public static Disconnect TunnelClosed(string reason) => Disconnect.OfTunnel(StopCcnResult.GeneralRequest, reason);

    public static Disconnect ShuttingDown(string reason) => Disconnect.OfTunnel(StopCcnResult.ShuttingDown, reason);

    /// <param name="reason">In words.</param>
    /// <param name="cause">Why PPP ended; null when it has not.</param>
    public static Disconnect SessionClosed(string reason, PppDisconnectCause? cause = null) =>
        Disconnect.OfSession(CdnResult.Administrative, reason) with { PppCause = cause };
}
