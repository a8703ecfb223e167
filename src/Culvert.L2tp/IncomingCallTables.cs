using Row = Culvert.L2tp.Transition<Culvert.L2tp.SessionState, Culvert.L2tp.SessionInput, Culvert.L2tp.SessionAction>;

namespace Culvert.L2tp;

/// <summary>States of a session (RFC 2661 sections 7.4 and 7.5).</summary>
public enum SessionState : byte
{
    /// <summary>Not yet begun, or ended.</summary>
    Idle = 0,

    /// <summary>Placed here: waits for the tunnel.</summary>
    WaitTunnel,

    /// <summary>ICRQ sent by a LAC, or OCRQ by an LNS.</summary>
    WaitReply,

    /// <summary>ICRQ or OCRQ received, and the owner has not decided. The RFC's tables decide at once and call this "idle".</summary>
    Offered,

    /// <summary>LNS: ICRP sent, or OCRP received.</summary>
    WaitConnect,

    /// <summary>LAC: OCRP sent, and the called party has not answered.</summary>
    WaitCsAnswer,

    Established,
}

internal enum SessionInput : byte
{
    TunnelOpen,

    /// <summary>Local close request, bearer line drop, or failure of the call that is dialled.</summary>
    LocalClose,
    IcrqAcceptable,
    IcrqNotAcceptable,
    Icrq,
    IcrpAcceptable,
    IcrpNotAcceptable,
    Icrp,
    IccnAcceptable,
    IccnNotAcceptable,
    Iccn,
    OcrqAcceptable,
    OcrqNotAcceptable,
    Ocrq,
    OcrpAcceptable,
    OcrpNotAcceptable,
    Ocrp,
    OccnAcceptable,
    Occn,

    /// <summary>The called party answered, and framing was detected.</summary>
    BearerAnswer,
    Cdn,
}

internal enum SessionAction : byte
{
    None,
    CleanUp,
    SendIcrq,
    SendIcrp,
    SendIccn,
    SendOcrq,
    SendOcrp,
    SendOccn,
    PrepareForData,

    /// <summary>Send CDN and clean up.</summary>
    SendCdn,
}

/// <summary>RFC 2661 sections 7.4.1 and 7.4.2. "Acceptable" inputs stand only where the tables tell them apart.</summary>
internal static class IncomingCallTables
{
    public static StateTable<SessionState, SessionInput, SessionAction> Lac { get; } = new(
        new Row(SessionState.Idle, SessionInput.Iccn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Icrp, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitTunnel, SessionInput.LocalClose, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitTunnel, SessionInput.TunnelOpen, SessionAction.SendIcrq, SessionState.WaitReply),
        new Row(SessionState.WaitReply, SessionInput.IcrpAcceptable, SessionAction.SendIccn, SessionState.Established),
        new Row(SessionState.WaitReply, SessionInput.IcrpNotAcceptable, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Icrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Iccn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Icrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Icrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Iccn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle));

    public static StateTable<SessionState, SessionInput, SessionAction> Lns { get; } = new(
        new Row(SessionState.Idle, SessionInput.Icrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Iccn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.IcrqAcceptable, SessionAction.SendIcrp, SessionState.WaitConnect),
        new Row(SessionState.Offered, SessionInput.IcrqNotAcceptable, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.IccnAcceptable, SessionAction.PrepareForData, SessionState.Established),
        new Row(SessionState.WaitConnect, SessionInput.IccnNotAcceptable, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.Icrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.Icrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Icrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Icrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Iccn, SessionAction.SendCdn, SessionState.Idle),

        // While the owner decides, the call is neither the table's "idle" nor its wait-connect; it behaves like the latter.
        new Row(SessionState.Offered, SessionInput.Icrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Icrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Iccn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle));
}
