namespace Culvert.Cli;

/// <summary>What the program tells its caller.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The reason stands on standard error, in one line, with what to do.</summary>
    public const int Failed = 1;

    public const int WrongUsage = 2;
}
