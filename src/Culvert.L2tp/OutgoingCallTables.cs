using Row = Culvert.L2tp.Transition<Culvert.L2tp.SessionState, Culvert.L2tp.SessionInput, Culvert.L2tp.SessionAction>;

namespace Culvert.L2tp;

/// <summary>RFC 2661 sections 7.5.1 and 7.5.2. "Acceptable" inputs stand only where the tables tell them apart.</summary>
internal static class OutgoingCallTables
{
    public static StateTable<SessionState, SessionInput, SessionAction> Lac { get; } = new(
        new Row(SessionState.Idle, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Occn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.OcrqAcceptable, SessionAction.SendOcrp, SessionState.WaitCsAnswer),
        new Row(SessionState.Offered, SessionInput.OcrqNotAcceptable, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitCsAnswer, SessionInput.BearerAnswer, SessionAction.SendOccn, SessionState.Established),
        new Row(SessionState.WaitCsAnswer, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitCsAnswer, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitCsAnswer, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitCsAnswer, SessionInput.Occn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitCsAnswer, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Occn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),

        // While the owner decides, the call is neither the table's "idle" nor its wait-cs-answer; it behaves like the latter.
        new Row(SessionState.Offered, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Occn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Offered, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle));

    public static StateTable<SessionState, SessionInput, SessionAction> Lns { get; } = new(
        new Row(SessionState.Idle, SessionInput.Occn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Ocrp, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Idle, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitTunnel, SessionInput.TunnelOpen, SessionAction.SendOcrq, SessionState.WaitReply),
        new Row(SessionState.WaitTunnel, SessionInput.LocalClose, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.OcrpAcceptable, SessionAction.None, SessionState.WaitConnect),
        new Row(SessionState.WaitReply, SessionInput.OcrpNotAcceptable, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Occn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitReply, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.OccnAcceptable, SessionAction.PrepareForData, SessionState.Established),
        new Row(SessionState.WaitConnect, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.WaitConnect, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Ocrq, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Ocrp, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Occn, SessionAction.SendCdn, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.Cdn, SessionAction.CleanUp, SessionState.Idle),
        new Row(SessionState.Established, SessionInput.LocalClose, SessionAction.SendCdn, SessionState.Idle));
}
