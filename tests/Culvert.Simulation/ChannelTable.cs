using System.Globalization;
using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>
/// How long a session takes to come up, and how many calls a second go through one tunnel, against loss and round trip. Everything
/// follows from seeds, so the table changes only when the engines do: a change of it in a commit is to be looked at.
/// </summary>
public static class ChannelTable
{
    private const int Seeds = 21;
    private const int Calls = 200;
    private const double Patience = 120;

    private static readonly int[] RoundTrips = [1, 10, 30, 100, 300];
    private static readonly int[] Losses = [0, 1, 5, 10, 20, 30, 40];

    public static string Make()
    {
        var text = new StringBuilder();
        text.AppendLine("Control channel: set-up and goodput against loss (each way) and round trip.");
        text.AppendLine(CultureInfo.InvariantCulture, $"Median of {Seeds} seeds. Set-up: from SCCRQ to the first session, in seconds. Goodput: {Calls} calls placed at once in an");
        text.AppendLine("established tunnel, calls per second until the last is established. In brackets: of 100 tunnels, those that made it.");
        text.AppendLine();
        Append(text, "set-up, s", SetUp);
        text.AppendLine();
        Append(text, "goodput, calls/s", Goodput);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static void Append(StringBuilder text, string title, Func<int, int, ulong, double?> measure)
    {
        text.Append(CultureInfo.InvariantCulture, $"{title,-18}");
        foreach (int roundTrip in RoundTrips)
        {
            text.Append(CultureInfo.InvariantCulture, $"{roundTrip + " ms",15}");
        }

        text.AppendLine();
        foreach (int loss in Losses)
        {
            text.Append(CultureInfo.InvariantCulture, $"{"loss " + loss + " %",-18}");
            foreach (int roundTrip in RoundTrips)
            {
                text.Append(CultureInfo.InvariantCulture, $"{Cell(measure, loss, roundTrip),15}");
            }

            text.AppendLine();
        }
    }

    private static string Cell(Func<int, int, ulong, double?> measure, int loss, int roundTrip)
    {
        List<double> results = [];
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            if (measure(loss, roundTrip, seed) is { } result)
            {
                results.Add(result);
            }
        }

        results.Sort();
        string share = results.Count == Seeds ? "" : $" ({results.Count * 100 / Seeds})";
        return results.Count == 0 ? "- (0)" : string.Create(CultureInfo.InvariantCulture, $"{results[results.Count / 2]:0.###}{share}");
    }

    private static double? SetUp(int loss, int roundTrip, ulong seed)
    {
        (SimulatedWorld world, ChannelEnd lac, ChannelEnd lns) = Pair(loss, roundTrip, seed);
        Timestamp start = world.Now;
        bool isPlaced = lac.Connect(world, lns.At)!.TryPlaceIncomingCall(IncomingCall.Default, world.Now, out _);
        bool isDone = isPlaced && world.RunUntil(() => lns.SessionsEstablished == 1 || lac.HasLostTunnel, Patience) && lns.SessionsEstablished == 1;
        return isDone ? (world.Now - start).TotalSeconds : null;
    }

    private static double? Goodput(int loss, int roundTrip, ulong seed)
    {
        (SimulatedWorld world, ChannelEnd lac, ChannelEnd lns) = Pair(0, roundTrip, seed);
        Tunnel tunnel = lac.Connect(world, lns.At)!;
        world.Pass(5);
        world.Network.Conditions = Conditions(loss, roundTrip);
        Timestamp start = world.Now;
        for (int i = 0; i < Calls; i++)
        {
            _ = tunnel.TryPlaceIncomingCall(IncomingCall.Default, world.Now, out _);
        }

        bool isDone = world.RunUntil(() => lns.SessionsEstablished == Calls || lac.HasLostTunnel, 1000) && lns.SessionsEstablished == Calls;
        return isDone ? Calls / (world.Now - start).TotalSeconds : null;
    }

    private static (SimulatedWorld World, ChannelEnd Lac, ChannelEnd Lns) Pair(int loss, int roundTrip, ulong seed)
    {
        var world = new SimulatedWorld(seed, Conditions(loss, roundTrip));
        ChannelEnd lns = world.Add(new ChannelEnd("lns", new PeerEndpoint(IpAddress.Parse("192.0.2.1"), 1701), seed));
        ChannelEnd lac = world.Add(new ChannelEnd("lac", new PeerEndpoint(IpAddress.Parse("198.51.100.1"), 1701), seed + 1));
        return (world, lac, lns);
    }

    private static LinkConditions Conditions(int loss, int roundTrip) =>
        new() { Loss = loss / 100.0, Delay = TimeSpan.FromMilliseconds(roundTrip / 2.0) };
}
