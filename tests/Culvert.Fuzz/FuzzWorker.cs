using System.Globalization;
using Culvert.Fuzz.Targets;
using Culvert.Testing;

namespace Culvert.Fuzz;

/// <summary>One thread's share of the work. Runs in a load context of its own, so only plain values cross its border.</summary>
public static class FuzzWorker
{
    /// <summary>An input that takes so long in all never ends.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const int MostWritten = 48;

    /// <param name="args">Target or "all", inputs, minutes, seed, folder to write the corpus to (or ""), folder to import from (or "").</param>
    /// <param name="output">For the report.</param>
    /// <returns>How many targets failed.</returns>
    public static int Run(string[] args, TextWriter output)
    {
        if (args.Length != 6)
        {
            throw new ArgumentException("Six values are needed.", nameof(args));
        }

        long inputs = long.Parse(args[1], CultureInfo.InvariantCulture);
        TimeSpan time = TimeSpan.FromMinutes(Math.Min(double.Parse(args[2], CultureInfo.InvariantCulture), 1e6));
        ulong seed = ulong.Parse(args[3], CultureInfo.InvariantCulture);
        IReadOnlyList<FuzzTarget> targets = [.. FuzzTargets.All().Where(t => args[0] == "all" || t.Name == args[0])];
        List<byte[]> imported = args[5].Length > 0 ? Import(args[5]) : [];
        int failed = 0;
        foreach (FuzzTarget target in targets)
        {
            failed += RunTarget(target, inputs, time / targets.Count, seed, args[4], imported, output) ? 0 : 1;
        }

        return failed;
    }

    private static bool RunTarget(FuzzTarget target, long inputs, TimeSpan time, ulong seed, string corpus, List<byte[]> imported, TextWriter output)
    {
        var run = new FuzzRun(target, seed);
        using var watchdog = new Watchdog(target, run, output);
        try
        {
            FuzzReport report = run.Execute(inputs, time, imported.SelectMany(d => target.Import(d)));
            output.WriteLine(report);
            if (corpus.Length > 0)
            {
                string file = Path.Combine(corpus, $"{target.Name}.txt");
                FuzzCorpus.Write(file, target.Description, run.Distil(run.Corpus, MostWritten));
            }

            return true;
        }
        catch (FuzzFailedException e)
        {
            output.WriteLine($"FAILED {e.Message}");
            if (corpus.Length > 0 && e.Data["input"] is byte[] input)
            {
                string file = Path.Combine(corpus, "Regressions", $"{target.Name}.{seed}-{input.Length}.txt");
                FuzzCorpus.Write(file, e.Message.Split('\n')[0], [input]);
                output.WriteLine($"The input is in {file}: give it a name, keep it, and write the test that would have caught it.");
            }

            return false;
        }
    }

    private static List<byte[]> Import(string folder)
    {
        var datagrams = new List<byte[]>();
        foreach (string file in Directory.GetFiles(folder, "*.pcap", SearchOption.AllDirectories).Where(f => f.Contains("Vectors", StringComparison.Ordinal)))
        {
            datagrams.AddRange(PcapFile.ReadUdp(file).Select(d => d.Payload));
        }

        return datagrams;
    }

    /// <summary>Ends the process, with the input, when one never comes back.</summary>
    private sealed class Watchdog : IDisposable
    {
        private readonly FuzzTarget _target;
        private readonly FuzzRun _run;
        private readonly TextWriter _output;
        private readonly Timer _timer;
        private long _last = -1;

        public Watchdog(FuzzTarget target, FuzzRun run, TextWriter output)
        {
            _target = target;
            _run = run;
            _output = output;
            _timer = new Timer(_ => Look(), null, Patience, Patience);
        }

        public void Dispose() => _timer.Dispose();

        private void Look()
        {
            long executions = _run.Executions;
            if (executions != _last)
            {
                _last = executions;
                return;
            }

            _output.WriteLine($"FAILED {_target.Name}: an input never ends (longer than {Patience.TotalSeconds} s):\n{Hex.Dump(_run.Current)}");
            _output.Flush();
            Environment.Exit(1);
        }
    }
}
