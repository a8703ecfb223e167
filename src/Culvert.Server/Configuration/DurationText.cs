using System.Globalization;

namespace Culvert.Server.Configuration;

/// <summary>Durations as operators write them: 500ms, 60s, 30m, 12h, 7d; 0 for never.</summary>
public static class DurationText
{
    private static readonly (string Suffix, TimeSpan Unit)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)),
        ("d", TimeSpan.FromDays(1)),
    ];

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text == "0")
        {
            return true;
        }

        foreach ((string suffix, TimeSpan unit) in Units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal) &&
                int.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int count) &&
                count <= TimeSpan.MaxValue.Ticks / unit.Ticks)
            {
                duration = unit * count;
                return true;
            }
        }

        return false;
    }

    /// <summary>For reading and for writing back: 500ms, 45s, 2m05s, 3h00m, 2d04h; the two largest units, the smaller one rounded down.</summary>
    public static string Format(TimeSpan duration) => duration switch
    {
        { Ticks: 0 } => "0s",
        { TotalSeconds: < 1 } => $"{duration.TotalMilliseconds:0}ms",
        { TotalMinutes: < 1 } => $"{duration.TotalSeconds:0.###}s",
        { TotalHours: < 1 } => duration.Seconds == 0 ? $"{duration.Minutes}m" : $"{duration.Minutes}m{duration.Seconds:00}s",
        { TotalDays: < 1 } => duration.Minutes == 0 ? $"{duration.Hours}h" : $"{duration.Hours}h{duration.Minutes:00}m",
        _ => duration.Hours == 0 ? $"{duration.Days}d" : $"{duration.Days}d{duration.Hours:00}h",
    };
}
