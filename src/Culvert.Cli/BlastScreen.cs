using System.Globalization;
using Culvert.Blast;
using Spectre.Console;

namespace Culvert.Cli;

/// <summary>A report for people: the live table, and the result in lines that can be read without colour or width.</summary>
internal static class BlastScreen
{
    private const int ReasonsShown = 12;

    public static Table ToTable(BlastReport report)
    {
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("value");
        foreach ((string what, string value) in Lines(report))
        {
            table.AddRow(new Text(what), new Text(value));
        }

        return table;
    }

    public static void Print(BlastReport report)
    {
        foreach ((string what, string value) in Lines(report))
        {
            Console.WriteLine($"{what,-14}{value}");
        }
    }

    private static IEnumerable<(string What, string Value)> Lines(BlastReport report)
    {
        yield return ("phase", $"{report.Phase.ToLowerInvariant()}, {Number(report.ElapsedSeconds)} s");
        yield return ("tunnels", $"{report.Tunnels.Up} up of {report.Tunnels.Wanted}; {report.Tunnels.Established} established in all");
        SessionReport sessions = report.Sessions;
        yield return ("sessions", $"{sessions.Up} up of {sessions.Wanted}; {sessions.SettingUp} being set up, {sessions.Failed} failed, {sessions.Established} established in all");
        SetUpReport setUp = report.SetUp;
        string ramp = setUp.RampSeconds is { } seconds ? $"; all in {Number(seconds)} s, {Number(setUp.Average ?? 0)}/s on average" : "";
        yield return ("set-up", $"{setUp.Median}/s median, {setUp.Peak}/s peak{ramp}");
        yield return ("set-up time", setUp.Times.ToString());
        if (setUp.ReturnSeconds.Count > 0)
        {
            yield return ("flaps", $"all back after {string.Join(", ", setUp.ReturnSeconds.Select(Number))} s");
        }

        if (report.Traffic is { } traffic)
        {
            yield return ("sent", $"{traffic.Sent} packets ({traffic.Mix}), {Number(traffic.SentPerSecond)}/s{Unless(traffic.NotSent, "; too slow here for {0} more")}");
            yield return ("received", $"{traffic.Received} packets, {Number(traffic.ReceivedPerSecond)}/s, {Number(traffic.ReceivedBitsPerSecond / 1e6)} Mbit/s");
            yield return ("lost", $"{traffic.Lost} ({Number(traffic.LostShare * 100)} %); {traffic.Late} out of order, {traffic.Twice} twice");
            yield return ("latency", traffic.Latency.ToString());
        }

        TransportReport transport = report.Transport;
        yield return ("datagrams", $"{transport.DatagramsSent} sent, {transport.DatagramsReceived} received{Unless(transport.Retransmissions, ", {0} control messages repeated")}{Unless(transport.KernelDrops, ", {0} dropped by a full buffer here")}{Unless(transport.NotSent, ", {0} not taken by the kernel")}{Unless(transport.Unreachable, ", {0} ICMP errors")}");
        if (transport.StormStarts + transport.StormCalls > 0)
        {
            yield return ("storm", $"{transport.StormStarts} SCCRQs, {transport.StormCalls} ICRQs; {transport.UnknownTunnel} and {transport.StormCallAnswers} answers");
        }

        yield return ("this process", $"{Number(transport.ResidentOctets / 1048576.0)} MiB resident, {Number(transport.CpuSeconds)} s of CPU");
        foreach ((string reason, long count) in Reasons(report))
        {
            yield return ("", $"{count} x {reason}");
        }
    }

    private static IEnumerable<(string Reason, long Count)> Reasons(BlastReport report) =>
        report.Tunnels.Failures.Select(f => ($"tunnel: {f.Key}", f.Value))
            .Concat(report.Sessions.Failures.Select(f => ($"not up: {f.Key}", f.Value)))
            .Concat(report.Sessions.Losses.Select(f => ($"lost: {f.Key}", f.Value)))
            .OrderByDescending(r => r.Value).Take(ReasonsShown);

    private static string Unless(long count, string text) => count == 0 ? "" : string.Format(CultureInfo.InvariantCulture, text, count);

    private static string Number(double value) => value.ToString(value >= 100 ? "0" : "0.##", CultureInfo.InvariantCulture);
}
