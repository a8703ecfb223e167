using System.Security.Cryptography;
using System.Text;

namespace Culvert.Core;

/// <summary>A shared secret. Compares in fixed time and never prints itself.</summary>
public sealed class Secret : IEquatable<Secret>
{
    public Secret(ReadOnlySpan<byte> octets) => Octets = octets.ToArray();

    /// <summary>The secret as an operator wrote it, in UTF-8.</summary>
    public Secret(string text) => Octets = Encoding.UTF8.GetBytes(text);

    public byte[] Octets { get; }

    public bool Equals(Secret? other) => other is not null && CryptographicOperations.FixedTimeEquals(Octets, other.Octets);

    public override bool Equals(object? obj) => Equals(obj as Secret);

    public override int GetHashCode() => Octets.Length;

    public override string ToString() => "***";
}
