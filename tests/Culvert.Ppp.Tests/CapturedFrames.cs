using Culvert.Testing;

namespace Culvert.Ppp.Tests;

internal static class CapturedFrames
{
    /// <summary>Every PPP control frame of the captures, once.</summary>
    public static IReadOnlyList<byte[]> All { get; } = [.. Read().Where(static l => !l.StartsWith('#')).Select(Hex.Parse)];

    private static IEnumerable<string> Read()
    {
        using Stream stream = typeof(CapturedFrames).Assembly.GetManifestResourceStream("captured-frames.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }
}
