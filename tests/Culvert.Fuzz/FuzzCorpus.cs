using System.Reflection;
using System.Text;
using Culvert.Testing;

namespace Culvert.Fuzz;

/// <summary>
/// Inputs that are worth keeping: a text file for each target, one input per line in hexadecimal. What once failed stands in a file of
/// its own among the regressions, with a comment, and is run first, every time.
/// </summary>
public static class FuzzCorpus
{
    private const string Regressions = "Regressions/";

    /// <summary>The kept inputs of a target.</summary>
    public static IReadOnlyList<byte[]> Of(string target) => Read($"{target}.txt");

    /// <summary>What once failed in a target, by the name of its file.</summary>
    public static IReadOnlyList<(string File, byte[] Input)> RegressionsOf(string target) =>
    [
        .. typeof(FuzzCorpus).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith($"{Regressions}{target}.", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .SelectMany(n => Read(n).Select(input => (n[Regressions.Length..], input))),
    ];

    /// <summary>Names of all regression files, to see that each belongs to a target.</summary>
    public static IReadOnlyList<string> RegressionFiles =>
        [.. typeof(FuzzCorpus).Assembly.GetManifestResourceNames().Where(n => n.StartsWith(Regressions, StringComparison.Ordinal))];

    public static void Write(string file, string heading, IEnumerable<byte[]> inputs)
    {
        var text = new StringBuilder($"# {heading}\n");
        foreach (byte[] input in inputs.OrderBy(i => i.Length).ThenBy(Convert.ToHexStringLower, StringComparer.Ordinal))
        {
            text.Append(Convert.ToHexStringLower(input)).Append('\n');
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        File.WriteAllText(file, text.ToString());
    }

    private static List<byte[]> Read(string resource)
    {
        using Stream? stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource);
        if (stream is null)
        {
            return [];
        }

        using var reader = new StreamReader(stream);
        var inputs = new List<byte[]>();
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
            {
                inputs.Add(Hex.Parse(line));
            }
        }

        return inputs;
    }
}
