using Culvert.L2tp;

namespace Culvert.Subscribers;

/// <summary>What a peer tells about the line of a call, in words for the operator.</summary>
public static class LineText
{
    internal static string Of(in L2tpEvent e) => e.Kind switch
    {
        L2tpEventKind.LinkInfoChanged => $"the LNS told the ACCM (SLI): {Accm(e.Session!.Accm)}",
        L2tpEventKind.CallErrorsReported => $"the LAC told its line's errors (WEN): {Errors(e.Session!.CallErrors)}",
        L2tpEventKind.ConnectSpeedChanged =>
            $"the LAC told other connect speeds (CSUN): {e.Session!.Call.TxConnectSpeed} bit/s to the user, {e.Session.Call.RxConnectSpeed ?? e.Session.Call.TxConnectSpeed} bit/s from it",
        L2tpEventKind.ModemStatusChanged => $"the user's modem is {ModemStatus(e.Session!.ModemStatus)} (MDMST)",
        _ => $"{e.Kind} is something that this version does not know; please report it",
    };

    /// <summary>For asynchronous lines: the characters that are escaped, a bit each.</summary>
    public static string Accm(Accm? accm) => accm is null ? "" : $"send {accm.Send:x8}, receive {accm.Receive:x8}";

    /// <summary>Since the call was established (RFC 2661 section 4.4.6).</summary>
    public static string Errors(CallErrors? errors) => errors is null
        ? ""
        : $"{errors.Crc} CRC, {errors.Framing} framing, {errors.HardwareOverruns} hardware overruns, {errors.BufferOverruns} buffer overruns, "
            + $"{errors.Timeouts} time-outs, {errors.Alignment} alignment";

    /// <summary>Bit 15 is "on hold" (RFC 3573 section 4).</summary>
    public static string ModemStatus(ushort status) => (status & 0x8000) != 0 ? $"on hold ({status:x4})" : "online";
}
