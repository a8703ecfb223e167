using System.Globalization;
using Culvert.Fuzz.Coverage;
using Culvert.Fuzz.Targets;

namespace Culvert.Fuzz;

/// <summary>The command line of the fuzzer.</summary>
public static class FuzzProgram
{
    private const string Usage = """
        --target NAME|all [--inputs N] [--minutes M] [--seed S] [--jobs J] [--no-coverage] [--corpus FOLDER] [--import FOLDER]
        --list

          --inputs N       messages per target and job (1,000,000 unless --minutes is given)
          --minutes M      time per job, shared evenly by the targets
          --no-coverage    leave the product as it is: faster, and blind
          --corpus FOLDER  write what was worth keeping, distilled, and what failed
          --import FOLDER  begin with the datagrams of the captures (Vectors/*.pcap) below it, too
        """;

    /// <summary>True when the arguments are for the fuzzer and not for the test platform.</summary>
    public static bool Accepts(IReadOnlyList<string> args) => args.Count > 0 && args[0] is "--target" or "--list" or "--inputs" or "--minutes";

    public static int Run(IReadOnlyList<string> args, TextWriter output)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < args.Count; i++)
        {
            bool isFlag = args[i] is "--list" or "--no-coverage";
            bool isKnown = isFlag || args[i] is "--target" or "--inputs" or "--minutes" or "--seed" or "--jobs" or "--corpus" or "--import";
            if (!isKnown || (!isFlag && i + 1 == args.Count))
            {
                output.WriteLine(isKnown ? $"'{args[i]}' needs a value.\n{Usage}" : $"'{args[i]}' is not an option.\n{Usage}");
                return 2;
            }

            options[args[i]] = isFlag ? "" : args[++i];
        }

        string target = options.GetValueOrDefault("--target", "all");
        if (options.ContainsKey("--list") || (target != "all" && FuzzTargets.All().All(t => t.Name != target)))
        {
            foreach (FuzzTarget known in FuzzTargets.All())
            {
                output.WriteLine($"{known.Name,-16} {known.Description}");
            }

            return options.ContainsKey("--list") ? 0 : 2;
        }

        string minutes = options.GetValueOrDefault("--minutes", "1000000");
        string inputs = options.GetValueOrDefault("--inputs", options.ContainsKey("--minutes") ? $"{long.MaxValue}" : "1000000");
        if (!double.TryParse(minutes, CultureInfo.InvariantCulture, out _) || !long.TryParse(inputs, CultureInfo.InvariantCulture, out _)
            || !ulong.TryParse(options.GetValueOrDefault("--seed", "1"), CultureInfo.InvariantCulture, out ulong seed)
            || !int.TryParse(options.GetValueOrDefault("--jobs", "1"), CultureInfo.InvariantCulture, out int jobs))
        {
            output.WriteLine($"--inputs, --minutes, --seed and --jobs take numbers.\n{Usage}");
            return 2;
        }

        string[] work = [target, inputs, minutes, "", options.GetValueOrDefault("--corpus", ""), options.GetValueOrDefault("--import", "")];
        TextWriter shared = TextWriter.Synchronized(output);
        return options.ContainsKey("--no-coverage")
            ? Share(work, seed, 1, shared, FuzzWorker.Run)
            : RunInstrumented(work, seed, jobs, shared);
    }

    private static int RunInstrumented(string[] work, ulong seed, int jobs, TextWriter output)
    {
        using var product = new InstrumentedProduct();
        output.WriteLine($"{product.BlockCount} blocks instrumented");
        return Share(work, seed, jobs, output, product.Run);
    }

    /// <summary>Each job is a thread with the product to itself; the first one writes the corpus.</summary>
    private static int Share(string[] work, ulong seed, int jobs, TextWriter output, Func<string[], TextWriter, int> run)
    {
        int failed = 0;
        Thread[] threads =
        [
            .. Enumerable.Range(0, jobs).Select(job => new Thread(() =>
            {
                string[] own = [.. work];
                own[3] = (seed + (ulong)job).ToString(CultureInfo.InvariantCulture);
                own[4] = job == 0 ? work[4] : "";
                Interlocked.Add(ref failed, run(own, output));
            })),
        ];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        return failed == 0 ? 0 : 1;
    }
}
