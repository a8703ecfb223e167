using Row = Culvert.L2tp.Transition<Culvert.L2tp.TunnelState, Culvert.L2tp.TunnelInput, Culvert.L2tp.TunnelAction>;

namespace Culvert.L2tp;

/// <summary>States of a control connection (RFC 2661 section 7.2).</summary>
public enum TunnelState : byte
{
    /// <summary>Not yet begun, or ended: then the tunnel only acknowledges what the peer repeats.</summary>
    Idle = 0,

    /// <summary>SCCRQ sent.</summary>
    WaitCtlReply,

    /// <summary>SCCRP sent.</summary>
    WaitCtlConn,

    Established,
}

internal enum TunnelInput : byte
{
    LocalOpen,
    LocalClose,
    SccrqAcceptable,
    SccrqNotAcceptable,
    SccrqLosesTie,
    SccrpAcceptable,
    SccrpNotAcceptable,
    ScccnAcceptable,
    ScccnNotAcceptable,
    StopCcn,
}

internal enum TunnelAction : byte
{
    CleanUp,
    SendSccrq,
    SendSccrp,

    /// <summary>Send SCCCN, and a tunnel-open event to waiting sessions.</summary>
    SendScccnAndOpen,

    /// <summary>Send a tunnel-open event to waiting sessions.</summary>
    Open,

    /// <summary>Send StopCCN and clean up.</summary>
    SendStopCcn,
}

/// <summary>
/// RFC 2661 section 7.2.1. Where it tells no acceptable message from another, both inputs have the row.
/// </summary>
internal static class ControlConnectionTable
{
    public static StateTable<TunnelState, TunnelInput, TunnelAction> Rows { get; } = new(
        new Row(TunnelState.Idle, TunnelInput.LocalOpen, TunnelAction.SendSccrq, TunnelState.WaitCtlReply),
        new Row(TunnelState.Idle, TunnelInput.SccrqAcceptable, TunnelAction.SendSccrp, TunnelState.WaitCtlConn),
        new Row(TunnelState.Idle, TunnelInput.SccrqNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Idle, TunnelInput.SccrpAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Idle, TunnelInput.SccrpNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Idle, TunnelInput.ScccnAcceptable, TunnelAction.CleanUp, TunnelState.Idle),
        new Row(TunnelState.Idle, TunnelInput.ScccnNotAcceptable, TunnelAction.CleanUp, TunnelState.Idle),
        new Row(TunnelState.Idle, TunnelInput.StopCcn, TunnelAction.CleanUp, TunnelState.Idle),

        new Row(TunnelState.WaitCtlReply, TunnelInput.SccrpAcceptable, TunnelAction.SendScccnAndOpen, TunnelState.Established),
        new Row(TunnelState.WaitCtlReply, TunnelInput.SccrpNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlReply, TunnelInput.SccrqLosesTie, TunnelAction.CleanUp, TunnelState.Idle),
        new Row(TunnelState.WaitCtlReply, TunnelInput.ScccnAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlReply, TunnelInput.ScccnNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlReply, TunnelInput.StopCcn, TunnelAction.CleanUp, TunnelState.Idle),

        new Row(TunnelState.WaitCtlConn, TunnelInput.ScccnAcceptable, TunnelAction.Open, TunnelState.Established),
        new Row(TunnelState.WaitCtlConn, TunnelInput.ScccnNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.SccrpAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.SccrpNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.SccrqAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.SccrqNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.StopCcn, TunnelAction.CleanUp, TunnelState.Idle),

        new Row(TunnelState.Established, TunnelInput.LocalOpen, TunnelAction.Open, TunnelState.Established),
        new Row(TunnelState.Established, TunnelInput.LocalClose, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.SccrqAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.SccrqNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.SccrpAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.SccrpNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.ScccnAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.ScccnNotAcceptable, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.Established, TunnelInput.StopCcn, TunnelAction.CleanUp, TunnelState.Idle),

        // The table does not mention a close during set-up. Not answering would leave the peer to its timers.
        new Row(TunnelState.WaitCtlReply, TunnelInput.LocalClose, TunnelAction.SendStopCcn, TunnelState.Idle),
        new Row(TunnelState.WaitCtlConn, TunnelInput.LocalClose, TunnelAction.SendStopCcn, TunnelState.Idle));
}
