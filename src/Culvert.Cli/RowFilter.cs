using System.Text.Json;
using Culvert.Subscribers.Policy;

namespace Culvert.Cli;

/// <summary>Chooses and sorts rows by their fields, whatever kind of row it is.</summary>
internal sealed class RowFilter
{
    private readonly (string Field, string Pattern)[] _matches;
    private readonly string? _order;
    private readonly bool _descending;

    public RowFilter(IEnumerable<string> matches, string? order)
    {
        _matches = [.. matches.Select(m => m.Split('=', 2)).Select(parts => parts.Length == 2
            ? (parts[0], parts[1])
            : throw new Failure($"--match needs FIELD=PATTERN, not '{parts[0]}'"))];
        _descending = order?.StartsWith('-') ?? false;
        _order = order?.TrimStart('-');
    }

    public IReadOnlyList<JsonElement> Apply(IReadOnlyList<JsonElement> rows)
    {
        IEnumerable<JsonElement> chosen = rows.Where(r => Array.TrueForAll(_matches, m => Glob.IsMatch(m.Pattern, Field(r, m.Field).ToString())));
        if (_order is null)
        {
            return [.. chosen];
        }

        IOrderedEnumerable<JsonElement> sorted = chosen.OrderBy(r => Field(r, _order), JsonRows.Order);
        return _descending ? [.. sorted.Reverse()] : [.. sorted];
    }

    private static JsonElement Field(JsonElement row, string name) => row.TryGetProperty(name, out JsonElement value)
        ? value
        : throw new Failure($"no field '{name}'; there are {string.Join(", ", row.EnumerateObject().Select(p => p.Name))}");
}
