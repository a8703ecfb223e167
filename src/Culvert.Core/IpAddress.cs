using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Culvert.Core;

public enum IpFamily : byte
{
    None = 0,
    IPv4 = 4,
    IPv6 = 6,
}

/// <summary>An IPv4 or IPv6 address as a value: compares and copies without touching the heap. The default value is "no address".</summary>
public readonly record struct IpAddress : IComparable<IpAddress>
{
    private readonly ulong _high;
    private readonly ulong _low;

    private IpAddress(IpFamily family, ulong high, ulong low)
    {
        Family = family;
        _high = high;
        _low = low;
    }

    public IpFamily Family { get; }

    /// <summary>
    /// The index of the interface that an IPv6 link-local address is on (RFC 4007 section 6): the same address may be on several. 0 for
    /// every other address, and where it does not matter.
    /// </summary>
    public uint Scope { get; init; }

    public bool IsNone => Family == IpFamily.None;

    public bool IsIPv4 => Family == IpFamily.IPv4;

    public bool IsIPv6 => Family == IpFamily.IPv6;

    /// <summary>fe80::/10 (RFC 4291 section 2.5.6).</summary>
    public bool IsLinkLocal => IsIPv6 && _high >> 54 == 0x3FA;

    /// <summary>0.0.0.0 or ::.</summary>
    public bool IsUnspecified => !IsNone && _high == 0 && _low == 0;

    /// <summary>4, 16, or 0 for no address.</summary>
    public int Size => Family switch { IpFamily.IPv4 => 4, IpFamily.IPv6 => 16, _ => 0 };

    /// <summary>An IPv4 address as the number that its octets form in network order.</summary>
    public uint ToUInt32() => (uint)_low;

    public (ulong High, ulong Low) ToUInt128Parts() => (_high, _low);

    public static IpAddress FromUInt32(uint value) => new(IpFamily.IPv4, 0, value);

    public static IpAddress FromIPv6(ulong high, ulong low) => new(IpFamily.IPv6, high, low);

    /// <summary>Reads 4 or 16 octets in network order.</summary>
    /// <exception cref="ArgumentException">Another length: a programming error, not content.</exception>
    public static IpAddress FromBytes(ReadOnlySpan<byte> octets) => octets.Length switch
    {
        4 => FromUInt32(BinaryPrimitives.ReadUInt32BigEndian(octets)),
        16 => FromIPv6(BinaryPrimitives.ReadUInt64BigEndian(octets), BinaryPrimitives.ReadUInt64BigEndian(octets[8..])),
        _ => throw new ArgumentException("An address has 4 or 16 octets.", nameof(octets)),
    };

    public static IpAddress From(IPAddress address)
    {
        Span<byte> octets = stackalloc byte[16];
        IPAddress plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        _ = plain.TryWriteBytes(octets, out int written);
        IpAddress read = FromBytes(octets[..written]);
        return read.IsLinkLocal ? read with { Scope = (uint)plain.ScopeId } : read;
    }

    public static bool TryParse([NotNullWhen(true)] string? text, out IpAddress address)
    {
        // IPAddress.TryParse takes "1" and "0x7f.1"; an operator who writes that made a mistake.
        if (text is not null && IPAddress.TryParse(text, out IPAddress? parsed) && (text.Contains(':') || text.Count(c => c == '.') == 3))
        {
            address = From(parsed);
            return true;
        }

        address = default;
        return false;
    }

    public static IpAddress Parse(string text) =>
        TryParse(text, out IpAddress address) ? address : throw new FormatException($"'{text}' is not an IP address.");

    /// <summary>Writes <see cref="Size"/> octets in network order.</summary>
    public void WriteTo(Span<byte> destination)
    {
        if (IsIPv4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_low);
        }
        else if (IsIPv6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
            BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
        }
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> octets = stackalloc byte[16];
        WriteTo(octets);
        return Scope == 0 ? new IPAddress(octets[..(IsIPv4 ? 4 : 16)]) : new IPAddress(octets, Scope);
    }

    public int CompareTo(IpAddress other)
    {
        int byFamily = Family.CompareTo(other.Family);
        int byHigh = byFamily != 0 ? byFamily : _high.CompareTo(other._high);
        int byLow = byHigh != 0 ? byHigh : _low.CompareTo(other._low);
        return byLow != 0 ? byLow : Scope.CompareTo(other.Scope);
    }

    public static bool operator <(IpAddress a, IpAddress b) => a.CompareTo(b) < 0;

    public static bool operator >(IpAddress a, IpAddress b) => a.CompareTo(b) > 0;

    public static bool operator <=(IpAddress a, IpAddress b) => a.CompareTo(b) <= 0;

    public static bool operator >=(IpAddress a, IpAddress b) => a.CompareTo(b) >= 0;

    public override string ToString() => IsNone ? "none" : ToIPAddress().ToString();
}
