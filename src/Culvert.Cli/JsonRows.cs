using System.Globalization;
using System.Text;
using System.Text.Json;
using Culvert.Server.Configuration;

namespace Culvert.Cli;

/// <summary>Rows of the control API as text.</summary>
internal static class JsonRows
{
    /// <summary>Numbers by size, everything else by text.</summary>
    public static IComparer<JsonElement> Order { get; } = Comparer<JsonElement>.Create((a, b) =>
        a.ValueKind == JsonValueKind.Number && b.ValueKind == JsonValueKind.Number
            ? a.GetDouble().CompareTo(b.GetDouble())
            : string.CompareOrdinal(a.ToString(), b.ToString()));

    public static string ToText(IReadOnlyList<JsonElement> rows)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartArray();
            foreach (JsonElement row in rows)
            {
                row.WriteTo(writer);
            }

            writer.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>A field as a person wants to read it: seconds as a duration, an absent value as a dash.</summary>
    public static string Display(string column, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "-",
        JsonValueKind.Number when column is "uptime" or "silence" => DurationText.Brief(TimeSpan.FromSeconds(Math.Floor(value.GetDouble()))),
        JsonValueKind.Number => value.GetDouble().ToString("0.###", CultureInfo.InvariantCulture),
        JsonValueKind.String when value.GetString() is "" => "-",
        JsonValueKind.Array => string.Join(' ', value.EnumerateArray().Select(v => v.ToString())),
        _ => value.ToString(),
    };
}
