namespace Culvert.Ppp.Tests;

/// <summary>RFC 1661 section 4.1, typed in again from the document as it is printed there, and compared cell by cell.</summary>
public sealed class NegotiationAutomatonTests
{
    private const string FirstHalf = """
        Up   | 2        irc,scr/6   -         -                -       -
        Down | -        -           0         tls/1            0       1
        Open | tls/1    1           irc,scr/6 3                5       5
        Close| 0        tlf/0       2         2                4       4
        TO+  | -        -           -         -                str/4   str/5
        TO-  | -        -           -         -                tlf/2   tlf/3
        RCR+ | -        -           sta/2     irc,scr,sca/8    4       5
        RCR- | -        -           sta/2     irc,scr,scn/6    4       5
        RCA  | -        -           sta/2     sta/3            4       5
        RCN  | -        -           sta/2     sta/3            4       5
        RTR  | -        -           sta/2     sta/3            sta/4   sta/5
        RTA  | -        -           2         3                tlf/2   tlf/3
        RUC  | -        -           scj/2     scj/3            scj/4   scj/5
        RXJ+ | -        -           2         3                4       5
        RXJ- | -        -           tlf/2     tlf/3            tlf/2   tlf/3
        RXR  | -        -           2         3                4       5
        """;

    private const string SecondHalf = """
        Up   | -          -          -          -
        Down | 1          1          1          tld/1
        Open | 6          7          8          9
        Close| irc,str/4  irc,str/4  irc,str/4  tld,irc,str/4
        TO+  | scr/6      scr/6      scr/8      -
        TO-  | tlf/3      tlf/3      tlf/3      -
        RCR+ | sca/8      sca,tlu/9  sca/8      tld,scr,sca/8
        RCR- | scn/6      scn/7      scn/6      tld,scr,scn/6
        RCA  | irc/7      scr/6      irc,tlu/9  tld,scr/6
        RCN  | irc,scr/6  scr/6      irc,scr/8  tld,scr/6
        RTR  | sta/6      sta/6      sta/6      tld,zrc,sta/5
        RTA  | 6          6          8          tld,scr/6
        RUC  | scj/6      scj/7      scj/8      scj/9
        RXJ+ | 6          6          8          9
        RXJ- | tlf/3      tlf/3      tlf/3      tld,irc,str/5
        RXR  | 6          7          8          ser/9
        """;

    private static readonly string[] Events =
        ["Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-", "RCA", "RCN", "RTR", "RTA", "RUC", "RXJ+", "RXJ-", "RXR"];

    private static readonly Dictionary<string, AutomatonActions> Actions = new(StringComparer.Ordinal)
    {
        ["tlu"] = AutomatonActions.ThisLayerUp,
        ["tld"] = AutomatonActions.ThisLayerDown,
        ["tls"] = AutomatonActions.ThisLayerStarted,
        ["tlf"] = AutomatonActions.ThisLayerFinished,
        ["irc"] = AutomatonActions.InitializeRestartCount,
        ["zrc"] = AutomatonActions.ZeroRestartCount,
        ["scr"] = AutomatonActions.SendConfigureRequest,
        ["sca"] = AutomatonActions.SendConfigureAck,
        ["scn"] = AutomatonActions.SendConfigureNak,
        ["str"] = AutomatonActions.SendTerminateRequest,
        ["sta"] = AutomatonActions.SendTerminateAck,
        ["scj"] = AutomatonActions.SendCodeReject,
        ["ser"] = AutomatonActions.SendEchoReply,
    };

    public static TheoryData<string, int, string> Cells()
    {
        var cells = new TheoryData<string, int, string>();
        foreach ((string half, int firstState) in new[] { (FirstHalf, 0), (SecondHalf, 6) })
        {
            foreach (string line in half.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                string[] parts = line.Split('|');
                string[] row = parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                for (int i = 0; i < row.Length; i++)
                {
                    cells.Add(parts[0].Trim(), firstState + i, row[i]);
                }
            }
        }

        return cells;
    }

    [Fact]
    public void The_table_has_16_events_by_10_states() =>
        Assert.Equal(NegotiationAutomaton.EventCount * NegotiationAutomaton.StateCount, Cells().Count);

    [Theory]
    [MemberData(nameof(Cells))]
    public void Every_cell_is_the_RFCs(string happened, int state, string cell)
    {
        AutomatonTransition transition =
            NegotiationAutomaton.Look((AutomatonState)state, (AutomatonEvent)Array.IndexOf(Events, happened));

        if (string.Equals(cell, "-", StringComparison.Ordinal))
        {
            Assert.False(transition.IsLegal);
            Assert.Equal((AutomatonState)state, transition.Next);
            Assert.Equal(AutomatonActions.None, transition.Actions);
            return;
        }

        string[] parts = cell.Split('/');
        AutomatonActions expected = AutomatonActions.None;
        foreach (string action in parts[..^1].SelectMany(p => p.Split(',')))
        {
            expected |= Actions[action];
        }

        Assert.True(transition.IsLegal);
        Assert.Equal(expected, transition.Actions);
        Assert.Equal((AutomatonState)int.Parse(parts[^1]), transition.Next);
    }

    [Theory]
    [InlineData(AutomatonState.Stopped, false)]
    [InlineData(AutomatonState.Closing, true)]
    [InlineData(AutomatonState.Stopping, true)]
    [InlineData(AutomatonState.RequestSent, true)]
    [InlineData(AutomatonState.AckReceived, true)]
    [InlineData(AutomatonState.AckSent, true)]
    [InlineData(AutomatonState.Opened, false)]
    public void The_restart_timer_runs_where_timeouts_are_legal(AutomatonState state, bool runs)
    {
        Assert.Equal(runs, NegotiationAutomaton.HasRestartTimer(state));
        Assert.Equal(runs, NegotiationAutomaton.Look(state, AutomatonEvent.Timeout).IsLegal);
    }
}
