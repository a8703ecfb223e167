using System.Buffers.Binary;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// What a LAC knows of a subscriber's line (RFC 5515 section 5), as the octets in which it came: a broadband ICRQ has about 20 of these,
/// most of which only travel on to accounting.
/// </summary>
public sealed class AccessLine
{
    /// <summary>Octets kept in all: everything that RFC 5515 defines fits, with both names at their longest useful length.</summary>
    public const int SizeLimit = 512;

    // One after the other: type (2 octets), length (1), value.
    private const int EntryHeader = 3;
    private readonly byte[] _entries;

    private AccessLine(byte[] entries) => _entries = entries;

    /// <summary>The name that the access node gave to the port; null when not said.</summary>
    public string? AgentCircuitId => TextOf(AccessLineAvpType.AgentCircuitId);

    /// <summary>The name that the operator gave to the subscriber; null when not said.</summary>
    public string? AgentRemoteId => TextOf(AccessLineAvpType.AgentRemoteId);

    /// <summary>Bits per second; null when not said.</summary>
    public ulong? ActualDataRateUpstream => RateOf(AccessLineAvpType.ActualDataRateUpstream);

    /// <summary>Bits per second; null when not said.</summary>
    public ulong? ActualDataRateDownstream => RateOf(AccessLineAvpType.ActualDataRateDownstream);

    /// <summary>Makes the facts of a line to be told by a LAC. Values that do not fit into the limit are left out.</summary>
    public static AccessLine Of(params ReadOnlySpan<(AccessLineAvpType Type, byte[] Value)> facts)
    {
        var entries = new List<byte>();
        foreach ((AccessLineAvpType type, byte[] value) in facts)
        {
            Append(entries, (ushort)type, value);
        }

        return new([.. entries]);
    }

    /// <summary>One fact, in the RFC's encoding.</summary>
    public bool TryGet(AccessLineAvpType type, out ReadOnlySpan<byte> value)
    {
        for (ReadOnlySpan<byte> rest = _entries; !rest.IsEmpty; rest = rest[(EntryHeader + rest[2])..])
        {
            if (BinaryPrimitives.ReadUInt16BigEndian(rest) == (ushort)type)
            {
                value = rest.Slice(EntryHeader, rest[2]);
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>What an ICRQ says; null when it says nothing.</summary>
    internal static AccessLine? Read(in ControlMessage icrq)
    {
        List<byte>? entries = null;
        foreach (Avp avp in icrq)
        {
            bool isLine = avp.Id.Vendor == VendorId.AdslForum && !avp.IsHidden && !avp.HasReservedBits;
            if (isLine && AvpDefinitions.Find(avp.Id) is { } row && row.Format.Allows(avp.Value.Length))
            {
                Append(entries ??= [], avp.Id.Type, avp.Value);
            }
        }

        return entries is null ? null : new([.. entries]);
    }

    internal void Write(ref ControlMessageWriter writer)
    {
        for (ReadOnlySpan<byte> rest = _entries; !rest.IsEmpty; rest = rest[(EntryHeader + rest[2])..])
        {
            writer.WriteBytes(
                new(VendorId.AdslForum, BinaryPrimitives.ReadUInt16BigEndian(rest)), rest.Slice(EntryHeader, rest[2]));
        }
    }

    private static void Append(List<byte> entries, ushort type, ReadOnlySpan<byte> value)
    {
        if (value.Length <= byte.MaxValue && entries.Count + EntryHeader + value.Length <= SizeLimit)
        {
            entries.AddRange([(byte)(type >> 8), (byte)type, (byte)value.Length]);
            entries.AddRange(value);
        }
    }

    private string? TextOf(AccessLineAvpType type) => TryGet(type, out ReadOnlySpan<byte> value) ? SafeText.ToString(value) : null;

    private ulong? RateOf(AccessLineAvpType type) =>
        TryGet(type, out ReadOnlySpan<byte> value) ? BinaryPrimitives.ReadUInt64BigEndian(value) : null;
}
