using System.Buffers.Binary;

namespace Culvert.L2tp.Wire;

/// <summary>The name of an attribute: a type number means something only together with its vendor (RFC 2661 section 4.1).</summary>
/// <param name="Vendor">The vendor that defined the attribute; <see cref="VendorId.Ietf"/> for those of the RFCs.</param>
/// <param name="Type">The attribute type, unique within its vendor.</param>
public readonly record struct AvpId(VendorId Vendor, ushort Type)
{
    public static implicit operator AvpId(AvpType type) => FromAvpType(type);

    public static implicit operator AvpId(AccessLineAvpType type) => FromAccessLineAvpType(type);

    public static AvpId FromAvpType(AvpType type) => new(VendorId.Ietf, (ushort)type);

    public static AvpId FromAccessLineAvpType(AccessLineAvpType type) => new(VendorId.AdslForum, (ushort)type);

    /// <summary>The name in <see cref="AvpDefinitions"/>, or numbers: "vendor 9 attribute 7".</summary>
    public override string ToString() => AvpDefinitions.Find(this)?.Name ??
        (Vendor == VendorId.Ietf ? $"attribute {Type}" : $"vendor {(ushort)Vendor} attribute {Type}");
}

/// <summary>One attribute-value pair as it stands in a message (RFC 2661 section 4.1).</summary>
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |M|H| rsvd  |      Length       |           Vendor ID           |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |         Attribute Type        |        Attribute Value...
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
public readonly ref struct Avp
{
    /// <summary>Octets before the value.</summary>
    public const int HeaderSize = 6;

    /// <summary>The most that the 10-bit Length field can say.</summary>
    public const int MaximumSize = 1023;

    public const int MaximumValueSize = MaximumSize - HeaderSize;

    internal const ushort MandatoryBit = 0x8000;
    internal const ushort HiddenBit = 0x4000;
    internal const ushort ReservedMask = 0x3C00;
    internal const ushort LengthMask = 0x03FF;

    private readonly ushort _first;

    internal Avp(ReadOnlySpan<byte> whole)
    {
        _first = BinaryPrimitives.ReadUInt16BigEndian(whole);
        Id = new((VendorId)BinaryPrimitives.ReadUInt16BigEndian(whole[2..]), BinaryPrimitives.ReadUInt16BigEndian(whole[4..]));
        Whole = whole;
    }

    public AvpId Id { get; }

    /// <summary>M: a receiver that does not know the attribute must end the session or tunnel (section 4.2).</summary>
    public bool IsMandatory => (_first & MandatoryBit) != 0;

    /// <summary>H: the value is hidden (section 4.3).</summary>
    public bool IsHidden => (_first & HiddenBit) != 0;

    /// <summary>A reserved bit is set: the AVP must be treated as unrecognized (section 4.1).</summary>
    public bool HasReservedBits => (_first & ReservedMask) != 0;

    /// <summary>The attribute value, as sent (still hidden when <see cref="IsHidden"/>).</summary>
    public ReadOnlySpan<byte> Value => Whole[HeaderSize..];

    /// <summary>Header and value.</summary>
    public ReadOnlySpan<byte> Whole { get; }
}

/// <summary>What ended a walk over AVPs before the end of the message.</summary>
public enum AvpFault : byte
{
    None = 0,

    /// <summary>Fewer than six octets are left.</summary>
    Truncated,

    /// <summary>Length is below six.</summary>
    LengthTooSmall,

    /// <summary>Length runs past the end of the message.</summary>
    LengthTooLarge,

    /// <summary>More AVPs than <see cref="AvpReader.MaximumPerMessage"/>.</summary>
    TooMany,
}

/// <summary>
/// Walks over the AVPs of a message body, by <c>foreach</c> or <see cref="MoveNext"/>. A malformed AVP ends the walk, and
/// <see cref="Fault"/> then says why; use a variable rather than <c>foreach</c> where that matters.
/// </summary>
public ref struct AvpReader(ReadOnlySpan<byte> body)
{
    /// <summary>
    /// Most AVPs in one message. An ICRQ with everything of RFC 2661 and RFC 5515 has about 40; beyond three times that a message
    /// only costs time.
    /// </summary>
    public const int MaximumPerMessage = 128;

    private ReadOnlySpan<byte> _rest = body;
    private Avp _current;

    public readonly Avp Current => _current;

    /// <summary>AVPs seen so far.</summary>
    public int Count { get; private set; }

    public AvpFault Fault { get; private set; }

    public readonly AvpReader GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.IsEmpty || Fault != AvpFault.None)
        {
            return false;
        }

        if (!TryMeasure(out int length))
        {
            return false;
        }

        _current = new(_rest[..length]);
        _rest = _rest[length..];
        Count++;
        return true;
    }

    private bool TryMeasure(out int length)
    {
        length = 0;
        if (Count == MaximumPerMessage)
        {
            Fault = AvpFault.TooMany;
            return false;
        }

        if (_rest.Length < Avp.HeaderSize)
        {
            Fault = AvpFault.Truncated;
            return false;
        }

        length = BinaryPrimitives.ReadUInt16BigEndian(_rest) & Avp.LengthMask;
        if (length < Avp.HeaderSize)
        {
            Fault = AvpFault.LengthTooSmall;
            return false;
        }

        if (length > _rest.Length)
        {
            Fault = AvpFault.LengthTooLarge;
            return false;
        }

        return true;
    }
}
