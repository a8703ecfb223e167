using System.Buffers;
using System.Globalization;

namespace Culvert.Server.Configuration;

/// <summary>
/// Durations as operators write them: 500ms, 1.5s, 60s, 30m, 12h, 7d, and several of these in falling order, as in 2h10m; 0 for never.
/// Whatever is printed here is read here: <see cref="Format"/> is exact to the millisecond.
/// </summary>
public static class DurationText
{
    private const int FractionDigits = 3;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private static readonly (string Suffix, TimeSpan Unit)[] Units =
    [
        ("d", TimeSpan.FromDays(1)),
        ("h", TimeSpan.FromHours(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    /// <summary>False for anything else, each unit more than once or out of order, and what does not fit a <see cref="TimeSpan"/>.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text == "0")
        {
            return true;
        }

        ReadOnlySpan<char> rest = text;
        decimal ticks = 0;
        int from = 0;
        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExcept(Digits);
            int letters = digits < 0 ? 0 : rest[digits..].IndexOfAny(Digits);
            ReadOnlySpan<char> suffix = digits < 0 ? default : letters < 0 ? rest[digits..] : rest.Slice(digits, letters);
            int unit = IndexOf(suffix, from);
            if (unit < 0 || !TryReadCount(rest[..digits], Units[unit].Suffix == "s", out decimal count))
            {
                return false;
            }

            ticks += count * Units[unit].Unit.Ticks;
            from = unit + 1;
            rest = rest[(digits + suffix.Length)..];
        }

        bool isSound = text.Length > 0 && ticks <= TimeSpan.MaxValue.Ticks;
        duration = isSound ? TimeSpan.FromTicks((long)ticks) : TimeSpan.Zero;
        return isSound;
    }

    /// <summary>For writing back: 0s, 500ms, 1.5s, 2m05s, 3h, 2d04h00m10s; milliseconds are the least that is told.</summary>
    /// <param name="duration">Not negative.</param>
    public static string Format(TimeSpan duration)
    {
        if (duration < TimeSpan.FromSeconds(1))
        {
            return duration.Ticks == 0 ? "0s" : string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(duration.TotalMilliseconds)}ms");
        }

        // Behind the first unit each has two digits, and those that are zero at the end are left out.
        decimal seconds = duration.Seconds + (duration.Milliseconds / 1000m);
        string text = (duration.Days, duration.Hours, duration.Minutes) switch
        {
            ( > 0, _, _) => $"{duration.Days}d{Tail(duration.Hours, "h", duration.Minutes, seconds)}",
            (_, > 0, _) => $"{duration.Hours}h{Tail(duration.Minutes, "m", 0, seconds)}",
            (_, _, > 0) => $"{duration.Minutes}m",
            _ => "",
        };
        return seconds == 0 ? text : string.Create(CultureInfo.InvariantCulture, $"{text}{(text.Length == 0 ? $"{seconds:0.###}" : $"{seconds:00.###}")}s");
    }

    /// <summary>For reading at a glance: 45s, 2m05s, 3h, 2d04h; the two largest units, the smaller one rounded down.</summary>
    /// <param name="duration">Not negative.</param>
    public static string Brief(TimeSpan duration)
    {
        TimeSpan least = duration.TotalDays >= 1 ? TimeSpan.FromHours(1)
            : duration.TotalHours >= 1 ? TimeSpan.FromMinutes(1)
            : duration.TotalMinutes >= 1 ? TimeSpan.FromSeconds(1)
            : TimeSpan.FromMilliseconds(1);
        return Format(TimeSpan.FromTicks(duration.Ticks / least.Ticks * least.Ticks));
    }

    private static string Tail(int next, string suffix, int minutes, decimal seconds)
    {
        bool hasMinutes = suffix == "h" && (minutes > 0 || seconds > 0);
        return $"{(next > 0 || hasMinutes || seconds > 0 ? $"{next:00}{suffix}" : "")}{(hasMinutes ? $"{minutes:00}m" : "")}";
    }

    private static int IndexOf(ReadOnlySpan<char> suffix, int from)
    {
        for (int i = from; i < Units.Length; i++)
        {
            if (suffix.SequenceEqual(Units[i].Suffix))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool TryReadCount(ReadOnlySpan<char> text, bool mayHaveFraction, out decimal count)
    {
        int point = text.IndexOf('.');
        bool isSound = point < 0 || (mayHaveFraction && point > 0 && text.Length - point - 1 is > 0 and <= FractionDigits);
        count = 0;
        return isSound && text.Length is > 0 and <= 15 && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out count);
    }
}
