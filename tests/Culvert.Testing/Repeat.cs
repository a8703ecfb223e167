using Culvert.Core;

namespace Culvert.Testing;

/// <summary>
/// Runs a test body under many seeds. A failure names its seed; setting CULVERT_SEED repeats that one alone.
/// </summary>
public static class Repeat
{
    public const string SeedVariable = "CULVERT_SEED";

    /// <param name="count">Number of seeds, from <paramref name="first"/> on.</param>
    /// <param name="body">Gets the seed; make every random source of the test from it.</param>
    /// <param name="first">The first seed.</param>
    public static void Seeds(int count, Action<ulong> body, ulong first = 1)
    {
        foreach (ulong seed in SeedsToRun(count, first))
        {
            try
            {
                body(seed);
            }
            catch (Exception e)
            {
                throw new SeedFailedException(seed, e);
            }
        }
    }

    /// <summary>The same with a ready random source.</summary>
    public static void Seeds(int count, Action<ulong, SeededRandom> body, ulong first = 1) =>
        Seeds(count, seed => body(seed, new SeededRandom(seed)), first);

    private static IEnumerable<ulong> SeedsToRun(int count, ulong first)
    {
        if (ulong.TryParse(Environment.GetEnvironmentVariable(SeedVariable), out ulong only))
        {
            yield return only;
            yield break;
        }

        for (ulong i = 0; i < (ulong)count; i++)
        {
            yield return first + i;
        }
    }
}

public sealed class SeedFailedException : Exception
{
    public SeedFailedException(ulong seed, Exception inner)
        : base($"Seed {seed} failed (repeat it alone with {Repeat.SeedVariable}={seed}): {inner.Message}", inner) => Seed = seed;

    public ulong Seed { get; }
}
