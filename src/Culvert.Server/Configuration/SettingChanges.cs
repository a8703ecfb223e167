using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Culvert.Core;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration;

/// <summary>Which settings of one entry differ, by the names that the file has for them. What is secret is never printed.</summary>
internal static class SettingChanges
{
    public const DynamicallyAccessedMemberTypes Needed = DynamicallyAccessedMemberTypes.PublicProperties;

    public static IReadOnlyList<string> Of<[DynamicallyAccessedMembers(Needed)] T>(T before, T after)
        where T : class
    {
        var changes = new List<string>();
        foreach (PropertyInfo property in typeof(T).GetProperties())
        {
            object? old = property.GetValue(before);
            object? now = property.GetValue(after);
            if (old is DataPolicy oldData && now is DataPolicy nowData)
            {
                changes.AddRange(Of(oldData, nowData));
            }
            else if (old is OutgoingCallPolicy oldCalls && now is OutgoingCallPolicy nowCalls)
            {
                changes.AddRange(Of(oldCalls, nowCalls).Select(c => $"outgoing-calls {c}"));
            }
            else if (!AreSame(old, now))
            {
                string name = NodeNames.Kebab(property.Name);
                changes.Add(IsSecret(property) ? $"{name} changed" : $"{name} {Text(old)} becomes {Text(now)}");
            }
        }

        return changes;
    }

    private static bool AreSame(object? old, object? now) =>
        Equals(old, now) || (old is IEnumerable a and not string && now is IEnumerable b and not string && a.Cast<object?>().SequenceEqual(b.Cast<object?>()));

    private static bool IsSecret(PropertyInfo property) =>
        property.PropertyType == typeof(Secret) || property.Name.Contains("Password", StringComparison.Ordinal);

    private static string Text(object? value) => value switch
    {
        null => "none",
        bool flag => flag ? "true" : "false",
        string text => $"'{text}'",
        TimeSpan { Ticks: 0 } => "never",
        TimeSpan duration => DurationText.Format(duration),
        Enum choice => NodeNames.Kebab(choice.ToString()),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Text))}]",
        _ => value.ToString() ?? "",
    };
}
