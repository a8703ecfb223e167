namespace Culvert.Ppp;

/// <summary>RFC 1661 section 4.2, numbered as in the table.</summary>
public enum AutomatonState : byte
{
    Initial = 0,
    Starting = 1,
    Closed = 2,
    Stopped = 3,
    Closing = 4,
    Stopping = 5,
    RequestSent = 6,
    AckReceived = 7,
    AckSent = 8,
    Opened = 9,
}

/// <summary>RFC 1661 section 4.3, in the order of the table's rows.</summary>
public enum AutomatonEvent : byte
{
    Up,
    Down,
    Open,
    Close,

    /// <summary>TO+: the Restart timer expired and the Restart counter is above zero.</summary>
    Timeout,

    /// <summary>TO-: the Restart timer expired and the Restart counter is used up.</summary>
    TimeoutExpired,

    /// <summary>RCR+</summary>
    ReceiveGoodConfigureRequest,

    /// <summary>RCR-</summary>
    ReceiveBadConfigureRequest,

    /// <summary>RCA</summary>
    ReceiveConfigureAck,

    /// <summary>RCN: Nak or Reject.</summary>
    ReceiveConfigureNak,

    /// <summary>RTR</summary>
    ReceiveTerminateRequest,

    /// <summary>RTA</summary>
    ReceiveTerminateAck,

    /// <summary>RUC</summary>
    ReceiveUnknownCode,

    /// <summary>RXJ+: a reject that can be lived with.</summary>
    ReceivePermittedReject,

    /// <summary>RXJ-: a reject that ends the negotiation.</summary>
    ReceiveCatastrophicReject,

    /// <summary>RXR: echo request, echo reply, discard request.</summary>
    ReceiveEcho,
}

/// <summary>RFC 1661 section 4.4. The order of the bits is the order in which they are carried out.</summary>
[Flags]
public enum AutomatonActions : ushort
{
    None = 0,

    /// <summary>tld: first, so that nobody uses the layer while the rest happens.</summary>
    ThisLayerDown = 1 << 0,

    /// <summary>irc: before the packet that it counts.</summary>
    InitializeRestartCount = 1 << 1,

    /// <summary>zrc</summary>
    ZeroRestartCount = 1 << 2,

    /// <summary>scr</summary>
    SendConfigureRequest = 1 << 3,

    /// <summary>sca</summary>
    SendConfigureAck = 1 << 4,

    /// <summary>scn: Nak or Reject.</summary>
    SendConfigureNak = 1 << 5,

    /// <summary>str</summary>
    SendTerminateRequest = 1 << 6,

    /// <summary>sta</summary>
    SendTerminateAck = 1 << 7,

    /// <summary>scj</summary>
    SendCodeReject = 1 << 8,

    /// <summary>ser</summary>
    SendEchoReply = 1 << 9,

    /// <summary>tls</summary>
    ThisLayerStarted = 1 << 10,

    /// <summary>tlu: last but one, after the acknowledgement that brought it about.</summary>
    ThisLayerUp = 1 << 11,

    /// <summary>tlf</summary>
    ThisLayerFinished = 1 << 12,
}

/// <summary>One cell of the table. An illegal event ("-") changes nothing.</summary>
public readonly record struct AutomatonTransition(bool IsLegal, AutomatonActions Actions, AutomatonState Next);

/// <summary>
/// The option negotiation automaton of RFC 1661 section 4, for LCP and every NCP. A pure table: time, counters and packets belong to
/// <see cref="ControlProtocol"/>.
/// <para>
/// Where the RFC leaves freedom: [r] an Open in Stopped, Closing, Stopping or Opened does not restart the negotiation (whoever wants
/// that gives Down and Up); [p] no passive option, because a call has somebody at the other end; [x] a crossed acknowledgement
/// follows the table, but only an answer to the outstanding request counts as one.
/// </para>
/// </summary>
public static class NegotiationAutomaton
{
    public const int StateCount = 10;
    public const int EventCount = 16;

    private const AutomatonActions Tlu = AutomatonActions.ThisLayerUp;
    private const AutomatonActions Tld = AutomatonActions.ThisLayerDown;
    private const AutomatonActions Tls = AutomatonActions.ThisLayerStarted;
    private const AutomatonActions Tlf = AutomatonActions.ThisLayerFinished;
    private const AutomatonActions Irc = AutomatonActions.InitializeRestartCount;
    private const AutomatonActions Zrc = AutomatonActions.ZeroRestartCount;
    private const AutomatonActions Scr = AutomatonActions.SendConfigureRequest;
    private const AutomatonActions Sca = AutomatonActions.SendConfigureAck;
    private const AutomatonActions Scn = AutomatonActions.SendConfigureNak;
    private const AutomatonActions Str = AutomatonActions.SendTerminateRequest;
    private const AutomatonActions Sta = AutomatonActions.SendTerminateAck;
    private const AutomatonActions Scj = AutomatonActions.SendCodeReject;
    private const AutomatonActions Ser = AutomatonActions.SendEchoReply;

    // A cell is its actions above four bits of new state; Illegal is the RFC's dash.
    private const int StateBits = 4;
    private const int StateMask = (1 << StateBits) - 1;
    private const int Illegal = StateMask;

    /// <summary>Section 4.1, row by row. The columns are the states 0 to 9.</summary>
    private static readonly int[] Table =
    [
        // Initial          Starting        Closed               Stopped                       Closing         Stopping
        //     Req-Sent            Ack-Rcvd            Ack-Sent            Opened
        // Up
        Go(2), Go(6, Irc | Scr), Illegal, Illegal, Illegal, Illegal,
        Illegal, Illegal, Illegal, Illegal,
        // Down
        Illegal, Illegal, Go(0), Go(1, Tls), Go(0), Go(1),
        Go(1), Go(1), Go(1), Go(1, Tld),
        // Open
        Go(1, Tls), Go(1), Go(6, Irc | Scr), Go(3), Go(5), Go(5),
        Go(6), Go(7), Go(8), Go(9),
        // Close
        Go(0), Go(0, Tlf), Go(2), Go(2), Go(4), Go(4),
        Go(4, Irc | Str), Go(4, Irc | Str), Go(4, Irc | Str), Go(4, Tld | Irc | Str),
        // TO+
        Illegal, Illegal, Illegal, Illegal, Go(4, Str), Go(5, Str),
        Go(6, Scr), Go(6, Scr), Go(8, Scr), Illegal,
        // TO-
        Illegal, Illegal, Illegal, Illegal, Go(2, Tlf), Go(3, Tlf),
        Go(3, Tlf), Go(3, Tlf), Go(3, Tlf), Illegal,
        // RCR+
        Illegal, Illegal, Go(2, Sta), Go(8, Irc | Scr | Sca), Go(4), Go(5),
        Go(8, Sca), Go(9, Sca | Tlu), Go(8, Sca), Go(8, Tld | Scr | Sca),
        // RCR-
        Illegal, Illegal, Go(2, Sta), Go(6, Irc | Scr | Scn), Go(4), Go(5),
        Go(6, Scn), Go(7, Scn), Go(6, Scn), Go(6, Tld | Scr | Scn),
        // RCA
        Illegal, Illegal, Go(2, Sta), Go(3, Sta), Go(4), Go(5),
        Go(7, Irc), Go(6, Scr), Go(9, Irc | Tlu), Go(6, Tld | Scr),
        // RCN
        Illegal, Illegal, Go(2, Sta), Go(3, Sta), Go(4), Go(5),
        Go(6, Irc | Scr), Go(6, Scr), Go(8, Irc | Scr), Go(6, Tld | Scr),
        // RTR
        Illegal, Illegal, Go(2, Sta), Go(3, Sta), Go(4, Sta), Go(5, Sta),
        Go(6, Sta), Go(6, Sta), Go(6, Sta), Go(5, Tld | Zrc | Sta),
        // RTA
        Illegal, Illegal, Go(2), Go(3), Go(2, Tlf), Go(3, Tlf),
        Go(6), Go(6), Go(8), Go(6, Tld | Scr),
        // RUC
        Illegal, Illegal, Go(2, Scj), Go(3, Scj), Go(4, Scj), Go(5, Scj),
        Go(6, Scj), Go(7, Scj), Go(8, Scj), Go(9, Scj),
        // RXJ+
        Illegal, Illegal, Go(2), Go(3), Go(4), Go(5),
        Go(6), Go(6), Go(8), Go(9),
        // RXJ-
        Illegal, Illegal, Go(2, Tlf), Go(3, Tlf), Go(2, Tlf), Go(3, Tlf),
        Go(3, Tlf), Go(3, Tlf), Go(3, Tlf), Go(5, Tld | Irc | Str),
        // RXR
        Illegal, Illegal, Go(2), Go(3), Go(4), Go(5),
        Go(6), Go(7), Go(8), Go(9, Ser),
    ];

    public static AutomatonTransition Look(AutomatonState state, AutomatonEvent happened)
    {
        int cell = Table[((int)happened * StateCount) + (int)state];
        return cell == Illegal
            ? new AutomatonTransition(IsLegal: false, AutomatonActions.None, state)
            : new AutomatonTransition(IsLegal: true, (AutomatonActions)(cell >> StateBits), (AutomatonState)(cell & StateMask));
    }

    /// <summary>The states in which the Restart timer runs: those with TO events.</summary>
    public static bool HasRestartTimer(AutomatonState state) => state is >= AutomatonState.Closing and <= AutomatonState.AckSent;

    private static int Go(int next, AutomatonActions actions = AutomatonActions.None) => ((int)actions << StateBits) | next;
}
