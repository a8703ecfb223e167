using Xunit.MicrosoftTestingPlatform;

namespace Culvert.Fuzz.Tests;

/// <summary>A test program like the others, and with --target the fuzzer itself.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => FuzzProgram.Accepts(args)
        ? Task.FromResult(FuzzProgram.Run(args, Console.Out))
        : TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
}
