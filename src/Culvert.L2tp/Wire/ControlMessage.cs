using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.L2tp.Wire;

/// <summary>Why a control message's body was refused.</summary>
public enum ControlMessageFault : byte
{
    None = 0,

    /// <summary>The body is empty (a ZLB), or its first AVP is not a well-formed Message Type (section 4.4.1).</summary>
    NoMessageType,

    /// <summary>An AVP's length is wrong; see <see cref="ControlMessage.AvpFault"/>.</summary>
    MalformedAvp,

    /// <summary>A hidden AVP with the M bit could not be read; see <see cref="ControlMessage.HidingFault"/>.</summary>
    UnreadableHiddenAvp,

    /// <summary>The caller's scratch buffer is smaller than the body.</summary>
    ScratchTooSmall,
}

/// <summary>
/// The body of a control message, checked once and then asked for values. Hidden AVPs have been read already; AVPs with reserved bits
/// are unrecognized and never found; of duplicates the first counts. Valid as long as the buffers that it was read from.
/// </summary>
public readonly ref struct ControlMessage
{
    private readonly ReadOnlySpan<byte> _body;
    private readonly ulong _seenLow;
    private readonly ulong _seenHigh;

    internal ControlMessage(scoped in ControlMessageScan scan, ReadOnlySpan<byte> body)
    {
        _body = body;
        _seenLow = scan.SeenLow;
        _seenHigh = scan.SeenHigh;
        Type = scan.Type;
        IsTypeMandatory = scan.IsTypeMandatory;
        Fault = scan.Fault;
        AvpFault = scan.AvpFault;
        HidingFault = scan.HidingFault;
        FaultyAvp = scan.FaultyAvp;
        UnknownMandatory = scan.UnknownMandatory;
        WrongLength = scan.WrongLength;
        AvpCount = scan.AvpCount;
        DuplicateCount = scan.DuplicateCount;
        HiddenCount = scan.HiddenCount;
        UnreadableCount = scan.UnreadableCount;
        IgnoredCount = scan.IgnoredCount;
        UnusualMandatoryCount = scan.UnusualMandatoryCount;
    }

    /// <summary>0 when <see cref="Fault"/> is <see cref="ControlMessageFault.NoMessageType"/>; else valid even with a fault.</summary>
    public MessageType Type { get; }

    /// <summary>
    /// The M bit of the Message Type AVP: an unknown type with it ends the tunnel, one without it is ignored (section 4.4.1).
    /// </summary>
    public bool IsTypeMandatory { get; }

    public ControlMessageFault Fault { get; }

    public AvpFault AvpFault { get; }

    /// <summary>Why the first unreadable hidden AVP could not be read, with or without the M bit.</summary>
    public AvpHidingFault HidingFault { get; }

    /// <summary>The AVP of <see cref="ControlMessageFault.UnreadableHiddenAvp"/>.</summary>
    public AvpId FaultyAvp { get; }

    /// <summary>The first AVP with the M bit that is not recognized; its receiver ends the session or tunnel (section 4.2).</summary>
    public AvpId? UnknownMandatory { get; }

    /// <summary>The first recognized AVP whose value cannot be of its format; getters do not find it.</summary>
    public AvpId? WrongLength { get; }

    /// <summary>AVPs in the message, Message Type included.</summary>
    public int AvpCount { get; }

    /// <summary>AVPs ignored because the same attribute stood before them.</summary>
    public int DuplicateCount { get; }

    /// <summary>Hidden AVPs, read or not.</summary>
    public int HiddenCount { get; }

    /// <summary>Hidden AVPs that could not be read: no getter finds them.</summary>
    public int UnreadableCount { get; }

    /// <summary>Unrecognized AVPs without the M bit.</summary>
    public int IgnoredCount { get; }

    /// <summary>Recognized AVPs of RFC 2661 with another M bit than it gives them.</summary>
    public int UnusualMandatoryCount { get; }

    /// <summary>Every AVP in order, in clear where it could be read; duplicates and unrecognized ones too.</summary>
    public AvpReader GetEnumerator() => new(_body);

    /// <summary>Reads a message without hidden AVPs, or whose hidden AVPs do not matter.</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, out ControlMessage message) => TryRead(body, default, default, out message);

    /// <summary>
    /// Reads and checks a body. False with <see cref="Fault"/> set when it is unusable; <see cref="UnknownMandatory"/> and missing
    /// AVPs are the caller's to judge.
    /// </summary>
    /// <param name="body">What the header gave as payload.</param>
    /// <param name="secret">The tunnel's shared secret, or empty.</param>
    /// <param name="scratch">At least as long as the body when it may hold hidden AVPs; the values then live here.</param>
    public static bool TryRead(ReadOnlySpan<byte> body, ReadOnlySpan<byte> secret, Span<byte> scratch, out ControlMessage message)
    {
        var scan = new ControlMessageScan();
        ReadOnlySpan<byte> clear = scan.Run(body, secret, scratch);
        message = new(scan, clear);
        return scan.Fault == ControlMessageFault.None;
    }

    /// <summary>The first AVP that the table requires in this message and that is not there (or has a wrong length).</summary>
    public bool TryFindMissing(out AvpId missing)
    {
        foreach (AvpDefinition required in AvpDefinitions.RequiredIn(Type))
        {
            if (!HasSeen(required.Id.Type))
            {
                missing = required.Id;
                return true;
            }
        }

        missing = default;
        return false;
    }

    public bool Contains(AvpId id) => TryGetBytes(id, out _);

    /// <summary>The value of the first AVP with this name, in clear.</summary>
    public bool TryGetBytes(AvpId id, out ReadOnlySpan<byte> value)
    {
        AvpFormat? format = AvpDefinitions.Find(id)?.Format;
        foreach (Avp avp in this)
        {
            if (avp.Id == id && !avp.HasReservedBits && !avp.IsHidden && (format is not { } known || known.Allows(avp.Value.Length)))
            {
                value = avp.Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    public bool TryGetUInt16(AvpId id, out ushort value)
    {
        value = 0;
        return TryGetBytes(id, out ReadOnlySpan<byte> octets) && octets.Length == sizeof(ushort) &&
            BinaryPrimitives.TryReadUInt16BigEndian(octets, out value);
    }

    public bool TryGetUInt32(AvpId id, out uint value)
    {
        value = 0;
        return TryGetBytes(id, out ReadOnlySpan<byte> octets) && octets.Length == sizeof(uint) &&
            BinaryPrimitives.TryReadUInt32BigEndian(octets, out value);
    }

    public bool TryGetUInt64(AvpId id, out ulong value)
    {
        value = 0;
        return TryGetBytes(id, out ReadOnlySpan<byte> octets) && octets.Length == sizeof(ulong) &&
            BinaryPrimitives.TryReadUInt64BigEndian(octets, out value);
    }

    /// <summary>Text that is safe to log: what is not printable UTF-8 stands as \xNN. For matching octets use TryGetBytes.</summary>
    public bool TryGetText(AvpId id, out string value)
    {
        bool found = TryGetBytes(id, out ReadOnlySpan<byte> octets);
        value = found ? SafeText.ToString(octets) : string.Empty;
        return found;
    }

    /// <summary>The Result Code of a StopCCN or CDN, byte order repaired.</summary>
    public bool TryGetResultCode(out ResultCodeValue code)
    {
        code = default;
        return TryGetBytes(AvpType.ResultCode, out ReadOnlySpan<byte> value) && ResultCodeValue.TryRead(Type, value, out code);
    }

    /// <summary>The two maps of an ACCM AVP (section 4.4.6).</summary>
    public bool TryGetAccm(out uint send, out uint receive)
    {
        bool found = TryGetBytes(AvpType.Accm, out ReadOnlySpan<byte> value);
        var reader = new WireReader(value);
        receive = 0;
        send = 0;
        return found && reader.TrySkip(2) && reader.TryReadUInt32(out send) && reader.TryReadUInt32(out receive);
    }

    private bool HasSeen(ushort type) => ControlMessageScan.Bit(_seenLow, _seenHigh, type);
}
