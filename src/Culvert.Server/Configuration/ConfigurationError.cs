namespace Culvert.Server.Configuration;

/// <summary>One thing wrong in a configuration file, in words that say what to write instead. Line and column count from 1.</summary>
public sealed record ConfigurationError(string File, long Line, long Column, string Message)
{
    public override string ToString() => $"{File}:{Line}:{Column}: {Message}";
}
