using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration;

/// <summary>Collects what is wrong with one file, in the order of the file.</summary>
internal sealed class ConfigurationErrors(string file)
{
    private readonly List<ConfigurationError> _errors = [];

    public IReadOnlyList<ConfigurationError> Sorted => [.. _errors.OrderBy(e => e.Line).ThenBy(e => e.Column)];

    public int Count => _errors.Count;

    public void Add(YamlNode node, string message) => Add(node.Start, message);

    public void Add(Mark at, string message) => _errors.Add(new ConfigurationError(file, at.Line, at.Column, message));

    /// <summary>A path as written in the file: relative ones start at the file's folder.</summary>
    public string Resolve(string path) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file)) ?? "", path);
}
