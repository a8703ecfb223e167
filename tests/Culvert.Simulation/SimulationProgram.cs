using System.Diagnostics;
using System.Globalization;

namespace Culvert.Simulation;

/// <summary>
/// The simulation as a program: many seeds in one go, on all processors; the storm; the table. Exit code 0 when nothing was
/// violated, 1 when something was, 2 when the arguments cannot be understood.
/// </summary>
public static class SimulationProgram
{
    public const string Usage =
        """
        culvert-simulation --seeds N [--from S] [--minutes M] [--packets P] [--jobs J]
            runs seeds S, S+1, ... (N of them, or until M minutes have passed); a failure prints its last P packets
        culvert-simulation --storm SESSIONS [--from S]
        culvert-simulation --table [FILE]
        culvert-simulation --pair-rate
        culvert-simulation --memory
        """;

    /// <summary>True when these arguments are for this program and not for a test runner.</summary>
    public static bool Accepts(IReadOnlyList<string> args) => args.Any(a => a is "--seeds" or "--minutes" or "--storm" or "--table" or "--pair-rate" or "--memory");

    public static int Run(IReadOnlyList<string> args, TextWriter output)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < args.Count; i++)
        {
            if (args[i] is not ("--seeds" or "--from" or "--minutes" or "--packets" or "--jobs" or "--storm" or "--table" or "--pair-rate" or "--memory"))
            {
                output.WriteLine($"'{args[i]}' is not an option.\n{Usage}");
                return 2;
            }

            bool hasValue = i + 1 < args.Count && !args[i + 1].StartsWith("--", StringComparison.Ordinal);
            options[args[i]] = hasValue ? args[++i] : "";
        }

        if (options.ContainsKey("--pair-rate") || options.ContainsKey("--memory"))
        {
            output.Write(options.ContainsKey("--pair-rate") ? EngineFigures.MeasureRate() : EngineFigures.MeasureMemory());
            return 0;
        }

        double from = Number(options, "--from", 1);
        if (options.TryGetValue("--table", out string? file))
        {
            string table = ChannelTable.Make();
            if (file.Length > 0)
            {
                File.WriteAllText(file, table);
            }

            output.Write(table);
            return 0;
        }

        if (options.ContainsKey("--storm"))
        {
            var watch = Stopwatch.StartNew();
            output.Write(StormScenario.Execute((int)Number(options, "--storm", 20_000), (ulong)from));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"({watch.Elapsed.TotalSeconds:F1} s of real time)"));
            return 0;
        }

        double minutes = Number(options, "--minutes", options.ContainsKey("--seeds") ? double.PositiveInfinity : 1);
        double seeds = Number(options, "--seeds", double.PositiveInfinity);
        int jobs = (int)Number(options, "--jobs", Environment.ProcessorCount);
        return new SeedRunner(output, (int)Number(options, "--packets", PacketTrace.DefaultKept)).Run((ulong)from, seeds, minutes, jobs);
    }

    private static double Number(Dictionary<string, string> options, string name, double otherwise) =>
        options.TryGetValue(name, out string? text) && double.TryParse(text, CultureInfo.InvariantCulture, out double value) ? value : otherwise;

    /// <summary>Runs seed after seed on several threads: each run is a world of its own.</summary>
    private sealed class SeedRunner(TextWriter output, int keptPackets)
    {
        private const int FailuresPrinted = 5;

        private readonly Lock _lock = new();
        private long _next;
        private long _done;
        private long _failed;
        private long _packets;
        private double _virtualSeconds;
        private double _slowestHealing;
        private ulong _slowestSeed;

        public int Run(ulong from, double seeds, double minutes, int jobs)
        {
            var watch = Stopwatch.StartNew();
            var threads = new Thread[jobs];
            for (int i = 0; i < jobs; i++)
            {
                threads[i] = new Thread(() => Work(from, seeds, minutes, watch));
                threads[i].Start();
            }

            foreach (Thread thread in threads)
            {
                thread.Join();
            }

            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{_done} seeds from {from}: {_failed} violations; {_packets} packets in {_virtualSeconds / 3600:F1} virtual hours, {watch.Elapsed.TotalSeconds:F1} s; slowest healing {_slowestHealing:F0} s (seed {_slowestSeed})"));
            return _failed == 0 ? 0 : 1;
        }

        private void Work(ulong from, double seeds, double minutes, Stopwatch watch)
        {
            while (true)
            {
                long index = Interlocked.Increment(ref _next) - 1;
                if (index >= seeds || watch.Elapsed.TotalMinutes >= minutes)
                {
                    return;
                }

                Try(from + (ulong)index);
            }
        }

        private void Try(ulong seed)
        {
            RunResult? result = null;
            string failure = "";
            try
            {
                result = SimulationRun.Execute(seed, null, keptPackets);
            }
            catch (InvariantViolatedException e)
            {
                failure = e.InnerException is InvariantViolatedException ? e.Message : $"{e.Message}\n{e.InnerException}";
            }

            lock (_lock)
            {
                _done++;
                if (result is null)
                {
                    _failed++;
                    output.WriteLine(_failed <= FailuresPrinted ? $"VIOLATION {failure}" : $"VIOLATION {failure[..failure.IndexOf('\n', StringComparison.Ordinal)]}");
                    return;
                }

                _packets += result.Packets;
                _virtualSeconds += result.VirtualSeconds;
                if (result.HealedAfter > _slowestHealing)
                {
                    (_slowestHealing, _slowestSeed) = (result.HealedAfter, seed);
                }
            }
        }
    }
}
