using System.Globalization;
using System.Text;
using Culvert.Core;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Culvert.Server.Configuration;

/// <summary>
/// Reads one YAML mapping key by key and collects everything that is wrong with it. Every getter answers with a usable value even
/// after an error, so that one pass finds all errors. <see cref="Finish"/> reports the keys that nobody asked for.
/// </summary>
internal sealed class MapReader
{
    private readonly ConfigurationErrors _errors;
    private readonly YamlMappingNode _map;
    private readonly string _place;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public MapReader(YamlMappingNode map, string place, ConfigurationErrors errors)
    {
        _map = map;
        _place = place;
        _errors = errors;
    }

    public ConfigurationErrors Errors => _errors;

    public Mark Start => _map.Start;

    public bool Has(string key) => _map.Children.ContainsKey(new YamlScalarNode(key));

    public bool TryNode(string key, out YamlNode node)
    {
        _known.Add(key);
        return _map.Children.TryGetValue(new YamlScalarNode(key), out node!);
    }

    public string? Text(string key)
    {
        if (!TryNode(key, out YamlNode node))
        {
            return null;
        }

        if (node is YamlScalarNode { Value: { Length: > 0 } value })
        {
            return value;
        }

        _errors.Add(node, $"'{key}' needs a value, for example {key}: something");
        return null;
    }

    /// <summary>The same, for what a protocol can carry only up to a length; <paramref name="most"/> in octets of UTF-8.</summary>
    public string? Text(string key, int most) => Text(key) is { } text ? Within(key, text, most, "") : null;

    /// <param name="key">The key.</param>
    /// <param name="example">For the message.</param>
    /// <param name="most">Octets of UTF-8.</param>
    public string RequiredText(string key, string example, int most = int.MaxValue)
    {
        if (Text(key, most) is { } value)
        {
            return value;
        }

        if (!Has(key))
        {
            _errors.Add(_map, $"{_place} lacks '{key}'; write for example {key}: {example}");
        }

        return "";
    }

    public bool Flag(string key, bool otherwise) => Text(key) switch
    {
        null => otherwise,
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        { } other => Wrong(key, $"'{other}' is neither true nor false", otherwise),
    };

    /// <param name="why">Of the limits, for the message; empty where they need no reason.</param>
    public int Number(string key, int otherwise, int least, int most, string why = "")
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : Wrong(key, $"'{text}' is not a number from {least} to {most}{(why.Length > 0 ? $": {why}" : "")}", otherwise);
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan most) => Duration(key, otherwise, TimeSpan.Zero, most);

    /// <param name="least">Above zero, 0 for "never" is not allowed either.</param>
    public TimeSpan Duration(string key, TimeSpan otherwise, TimeSpan least, TimeSpan most)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (!DurationText.TryParse(text, out TimeSpan duration))
        {
            string never = least > TimeSpan.Zero ? "" : " (0 for never)";
            return Wrong(key, $"'{text}' is not a duration such as 500ms, 60s, 30m or 12h{never}", otherwise);
        }

        if (duration < least)
        {
            return Wrong(key, $"'{text}' is too short; write {DurationText.Format(least)} to {DurationText.Format(most)}", otherwise);
        }

        return duration <= most ? duration : Wrong(key, $"'{text}' is more than the {DurationText.Format(most)} that make sense here", otherwise);
    }

    /// <summary>One of a few words.</summary>
    public T Choice<T>(string key, T otherwise, params ReadOnlySpan<(string Word, T Value)> choices)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        var words = new List<string>();
        foreach ((string word, T value) in choices)
        {
            if (word == text)
            {
                return value;
            }

            words.Add(word);
        }

        return Wrong(key, $"'{text}' is not known here; write {string.Join(", ", words[..^1])} or {words[^1]}", otherwise);
    }

    public IpAddress? Address(string key) => TryNode(key, out YamlNode node) ? AddressOf(node) : null;

    public IpPrefix? Prefix(string key) => TryNode(key, out YamlNode node) ? PrefixOf(node) : null;

    /// <summary>A secret, written under <paramref name="key"/> or in a file named by its <c>-file</c> twin (a trailing newline is dropped).</summary>
    public string? Secret(string key)
    {
        string fileKey = key + "-file";
        if (Text(key) is { } value)
        {
            return Has(fileKey) ? Wrong<string?>(fileKey, $"both '{key}' and '{fileKey}' are given; keep one", value) : value;
        }

        if (Text(fileKey) is not { } path)
        {
            return null;
        }

        try
        {
            string secret = File.ReadAllText(_errors.Resolve(path), Encoding.UTF8).TrimEnd('\r', '\n');
            return secret.Length > 0 ? secret : Wrong<string?>(fileKey, $"the file {path} is empty", null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Wrong<string?>(fileKey, $"cannot read {path}: {e.Message}", null);
        }
    }

    /// <summary>The same, for what a protocol can carry only up to a length; <paramref name="most"/> in octets of UTF-8.</summary>
    public string? Secret(string key, int most) => Secret(key) switch
    {
        null => null,
        { } secret when Has(key) => Within(key, secret, most, ""),
        { } secret => Within(key + "-file", secret, most, "; is it the right file?"),
    };

    /// <summary>A list, or a single value where a list of one is meant.</summary>
    public IReadOnlyList<T> List<T>(string key, Func<YamlNode, T> read)
    {
        if (!TryNode(key, out YamlNode node))
        {
            return new ValueList<T>([]);
        }

        if (node is YamlSequenceNode list)
        {
            return new ValueList<T>(list.Children.Select(read));
        }

        return new ValueList<T>(node is YamlScalarNode { Value: null or "" } ? [] : [read(node)]);
    }

    public IReadOnlyList<T> Maps<T>(string key, Func<MapReader, T> read)
    {
        if (!TryNode(key, out YamlNode node))
        {
            return [];
        }

        if (node is not YamlSequenceNode list)
        {
            _errors.Add(node, $"'{key}' is a list; start each entry with a dash");
            return [];
        }

        var values = new List<T>();
        foreach (YamlNode entry in list)
        {
            if (entry is YamlMappingNode map)
            {
                var reader = new MapReader(map, $"this entry of '{key}'", _errors);
                values.Add(read(reader));
                reader.Finish();
            }
            else
            {
                _errors.Add(entry, $"an entry of '{key}' consists of key: value pairs");
            }
        }

        return values;
    }

    public T? Map<T>(string key, Func<MapReader, T> read)
        where T : class
    {
        if (!TryNode(key, out YamlNode node))
        {
            return null;
        }

        if (node is not YamlMappingNode map)
        {
            _errors.Add(node, $"'{key}' consists of key: value pairs");
            return null;
        }

        var reader = new MapReader(map, $"'{key}'", _errors);
        T value = read(reader);
        reader.Finish();
        return value;
    }

    public string TextOf(YamlNode node)
    {
        if (node is YamlScalarNode { Value: { Length: > 0 } value })
        {
            return value;
        }

        _errors.Add(node, "a plain value is needed here");
        return "";
    }

    public IpAddress? AddressOf(YamlNode node)
    {
        string text = TextOf(node);
        if (IpAddress.TryParse(text, out IpAddress address))
        {
            return address;
        }

        _errors.Add(node, $"'{text}' is not an IP address such as 192.0.2.1");
        return null;
    }

    public IpPrefix? PrefixOf(YamlNode node)
    {
        string text = TextOf(node);
        if (IpPrefix.TryParse(text, out IpPrefix prefix))
        {
            return prefix;
        }

        _errors.Add(node, $"'{text}' is not a network such as 192.0.2.0/24 (no bits may be set behind the prefix length)");
        return null;
    }

    /// <summary>Reports every key that nobody asked for, with the nearest known one.</summary>
    public void Finish()
    {
        foreach (YamlNode key in _map.Children.Keys)
        {
            if (key is YamlScalarNode { Value: { } name } && !_known.Contains(name))
            {
                string? near = Spelling.Nearest(name, _known);
                string hint = near is null ? $"known are {string.Join(", ", _known.Order(StringComparer.Ordinal))}" : $"did you mean '{near}'?";
                _errors.Add(key, $"unknown key '{name}' in {_place}; {hint}");
            }
        }
    }

    // The text itself is not repeated: it may be a password.
    private string Within(string key, string text, int most, string hint)
    {
        int octets = Encoding.UTF8.GetByteCount(text);
        return octets <= most ? text : Wrong(key, $"these are {octets} octets, and no more than {most} can be sent{hint}", "");
    }

    public T Wrong<T>(string key, string message, T otherwise)
    {
        _errors.Add(TryNode(key, out YamlNode node) ? node : _map, $"{key}: {message}");
        return otherwise;
    }
}
