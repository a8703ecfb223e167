using System.Collections.ObjectModel;

namespace Culvert.Core;

/// <summary>A read-only list that equals another when their items do, so that records which hold lists compare by value.</summary>
public sealed class ValueList<T>(IEnumerable<T> items) : ReadOnlyCollection<T>([.. items]), IEquatable<ValueList<T>>
{
    public bool Equals(ValueList<T>? other) => other is not null && this.SequenceEqual(other);

    public override bool Equals(object? obj) => Equals(obj as ValueList<T>);

    public override int GetHashCode() => Count == 0 ? 0 : HashCode.Combine(Count, this[0], this[Count - 1]);
}
