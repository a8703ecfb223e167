using System.Reflection;
using System.Runtime.Loader;

namespace Culvert.Fuzz.Coverage;

/// <summary>
/// The product once more, with coverage counters, in a folder of its own that goes away with this object. Each load context from it
/// has its own <see cref="EdgeMap"/>, so several can fuzz at once.
/// </summary>
internal sealed class InstrumentedProduct : IDisposable
{
    private static readonly string[] UnderTest =
    [
        "Culvert.Core", "Culvert.L2tp", "Culvert.Ppp", "Culvert.Dataplane", "Culvert.Capture", "Culvert.Linux",
        "Culvert.Subscribers", "Culvert.Server",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("culvert-fuzz-").FullName;

    public InstrumentedProduct()
    {
        foreach (string file in Directory.GetFiles(AppContext.BaseDirectory, "Culvert.*.dll"))
        {
            string target = Path.Combine(_folder, Path.GetFileName(file));
            if (UnderTest.Contains(Path.GetFileNameWithoutExtension(file)))
            {
                BlockCount += Instrumenter.Instrument(file, target, BlockCount);
            }
            else
            {
                File.Copy(file, target);
            }
        }
    }

    /// <summary>Basic blocks of the product.</summary>
    public int BlockCount { get; }

    /// <summary>Runs <see cref="FuzzWorker.Run"/> among instrumented assemblies.</summary>
    public int Run(string[] args, TextWriter output)
    {
        var context = new ProductContext(_folder);
        Assembly fuzz = context.LoadFromAssemblyName(typeof(FuzzWorker).Assembly.GetName());
        MethodInfo run = fuzz.GetType(typeof(FuzzWorker).FullName!)!.GetMethod(nameof(FuzzWorker.Run), BindingFlags.Public | BindingFlags.Static)!;
        return (int)run.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [args, output], null)!;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class ProductContext(string folder) : AssemblyLoadContext("instrumented")
    {
        protected override Assembly? Load(AssemblyName assemblyName)
        {
            string file = Path.Combine(folder, $"{assemblyName.Name}.dll");
            return File.Exists(file) ? LoadFromAssemblyPath(file) : null;
        }
    }
}
