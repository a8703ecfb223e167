using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

// In this process: nothing is built anew, and the packet path is measured as the node runs it.
Job job = args.Contains("--dry") ? Job.Dry
    : args.Contains("--long") ? Job.Default
    : Job.ShortRun.WithIterationTime(TimeInterval.FromMilliseconds(200));
IConfig config = ManualConfig.Create(DefaultConfig.Instance)
    .WithArtifactsPath(Path.Combine("artifacts", "benchmarks"))
    .AddJob(job.WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(new MemoryDiagnoser(new MemoryDiagnoserConfig(displayGenColumns: false)));
string[] rest = [.. args.Where(a => a is not ("--dry" or "--long"))];
_ = BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(rest.Length == 0 ? ["--filter", "*"] : rest, config);
