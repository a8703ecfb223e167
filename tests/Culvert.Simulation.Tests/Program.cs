using Xunit.MicrosoftTestingPlatform;

namespace Culvert.Simulation.Tests;

/// <summary>A test program like the others, and with --seeds, --minutes, --storm or --table the simulation itself.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => SimulationProgram.Accepts(args)
        ? Task.FromResult(SimulationProgram.Run(args, Console.Out))
        : TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
}
