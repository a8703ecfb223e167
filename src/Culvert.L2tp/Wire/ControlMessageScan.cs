using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.L2tp.Wire;

/// <summary>One walk over a message body: checks every AVP, reads the hidden ones, notes what a receiver must know.</summary>
internal ref struct ControlMessageScan
{
    private const int TypesTracked = 128;

    private ReadOnlySpan<byte> _secret;
    private ReadOnlySpan<byte> _randomVector;

    public MessageType Type;
    public bool IsTypeMandatory;
    public ControlMessageFault Fault;
    public AvpFault AvpFault;
    public AvpHidingFault HidingFault;
    public AvpId FaultyAvp;
    public AvpId? UnknownMandatory;
    public AvpId? WrongLength;
    public int AvpCount;
    public int DuplicateCount;
    public int HiddenCount;
    public int UnreadableCount;
    public int IgnoredCount;
    public int UnusualMandatoryCount;
    public ulong SeenLow;
    public ulong SeenHigh;

    /// <summary>Returns the body in clear: the body itself when nothing can be revealed, else a copy in the scratch buffer.</summary>
    public ReadOnlySpan<byte> Run(ReadOnlySpan<byte> body, ReadOnlySpan<byte> secret, Span<byte> scratch)
    {
        _secret = secret;
        if (!TakeMessageType(body) || !CheckShape(body))
        {
            return default;
        }

        if (HiddenCount == 0 || secret.IsEmpty)
        {
            NoteAll(body);
            return body;
        }

        if (scratch.Length < body.Length)
        {
            Fault = ControlMessageFault.ScratchTooSmall;
            return default;
        }

        ReadOnlySpan<byte> clear = Reveal(body, scratch);
        NoteAll(clear);
        return clear;
    }

    public static bool Bit(ulong low, ulong high, ushort type) => type < TypesTracked && ((type < 64 ? low : high) >> (type & 63) & 1) != 0;

    private bool TakeMessageType(ReadOnlySpan<byte> body)
    {
        var reader = new AvpReader(body);
        if (!reader.MoveNext() || reader.Current.Id != AvpType.MessageType || reader.Current.IsHidden ||
            reader.Current.HasReservedBits || reader.Current.Value.Length != sizeof(ushort))
        {
            Fault = ControlMessageFault.NoMessageType;
            AvpFault = reader.Fault;
            return false;
        }

        Type = (MessageType)BinaryPrimitives.ReadUInt16BigEndian(reader.Current.Value);
        IsTypeMandatory = reader.Current.IsMandatory;
        return true;
    }

    private bool CheckShape(ReadOnlySpan<byte> body)
    {
        var reader = new AvpReader(body);
        while (reader.MoveNext())
        {
            HiddenCount += reader.Current.IsHidden ? 1 : 0;
        }

        AvpCount = reader.Count;
        AvpFault = reader.Fault;
        Fault = reader.Fault == AvpFault.None ? ControlMessageFault.None : ControlMessageFault.MalformedAvp;
        return Fault == ControlMessageFault.None;
    }

    private void NoteAll(ReadOnlySpan<byte> clear)
    {
        foreach (Avp avp in new AvpReader(clear))
        {
            Note(avp, clear);
        }
    }

    // Copies the body with hidden values replaced; those that cannot be read stay as they are.
    private ReadOnlySpan<byte> Reveal(ReadOnlySpan<byte> body, Span<byte> scratch)
    {
        int length = 0;
        foreach (Avp avp in new AvpReader(body))
        {
            if (avp.IsHidden && TryReveal(avp, scratch[length..], out int revealed))
            {
                length += revealed;
                continue;
            }

            avp.Whole.CopyTo(scratch[length..]);
            length += avp.Whole.Length;
            _randomVector = avp.Id == AvpType.RandomVector && !avp.HasReservedBits && !avp.IsHidden ? avp.Value : _randomVector;
        }

        return scratch[..length];
    }

    // The value in clear is at least two octets shorter than the hidden one, so it fits where the hidden AVP would.
    private bool TryReveal(in Avp avp, Span<byte> target, out int length)
    {
        length = 0;
        AvpHidingFault fault = AvpHiding.Unhide(
            avp.Value, avp.Id.Type, _secret, _randomVector, target[Avp.HeaderSize..], out ReadOnlySpan<byte> value);
        if (fault != AvpHidingFault.None)
        {
            NoteUnreadable(avp, fault);
            return false;
        }

        length = Avp.HeaderSize + value.Length;
        value.CopyTo(target[Avp.HeaderSize..]);
        int reserved = BinaryPrimitives.ReadUInt16BigEndian(avp.Whole) & Avp.ReservedMask;
        var writer = new WireWriter(target);
        writer.WriteUInt16((ushort)(length | reserved | (avp.IsMandatory ? Avp.MandatoryBit : 0)));
        writer.WriteUInt16((ushort)avp.Id.Vendor);
        writer.WriteUInt16(avp.Id.Type);
        return true;
    }

    private void NoteUnreadable(in Avp avp, AvpHidingFault fault)
    {
        UnreadableCount++;
        HidingFault = HidingFault == AvpHidingFault.None ? fault : HidingFault;
        if (avp.IsMandatory && Fault == ControlMessageFault.None)
        {
            Fault = ControlMessageFault.UnreadableHiddenAvp;
            FaultyAvp = avp.Id;
        }
    }

    private void Note(in Avp avp, ReadOnlySpan<byte> clear)
    {
        if (avp.IsHidden)
        {
            // With a secret, Reveal has already tried and noted it.
            if (_secret.IsEmpty)
            {
                NoteUnreadable(avp, AvpHidingFault.NoSecret);
            }

            return;
        }

        AvpDefinition? definition = AvpDefinitions.Find(avp.Id);
        if (definition is null || !definition.IsRecognized || avp.HasReservedBits)
        {
            NoteUnrecognized(avp);
            return;
        }

        if (!definition.Format.Allows(avp.Value.Length))
        {
            WrongLength ??= avp.Id;
            return;
        }

        UnusualMandatoryCount += HasUnusualMandatoryBit(avp, definition) ? 1 : 0;
        bool isDuplicate = avp.Id.Vendor == VendorId.Ietf ? Bit(SeenLow, SeenHigh, avp.Id.Type) : StandsBefore(avp, clear);
        DuplicateCount += isDuplicate && !definition.MayRepeat ? 1 : 0;
        MarkSeen(avp.Id);
    }

    // RFC 2661 fixes the M bit of each; later RFCs leave it to the sender, and that of the Message Type says something itself.
    private static bool HasUnusualMandatoryBit(in Avp avp, AvpDefinition definition) =>
        definition.Rfc == 2661 && avp.Id != AvpType.MessageType && avp.IsMandatory != definition.IsMandatory;

    private void NoteUnrecognized(in Avp avp)
    {
        if (avp.IsMandatory)
        {
            UnknownMandatory ??= avp.Id;
        }
        else
        {
            IgnoredCount++;
        }
    }

    private void MarkSeen(AvpId id)
    {
        if (id.Vendor != VendorId.Ietf || id.Type >= TypesTracked)
        {
            return;
        }

        if (id.Type < 64)
        {
            SeenLow |= 1UL << id.Type;
        }
        else
        {
            SeenHigh |= 1UL << (id.Type & 63);
        }
    }

    private static bool StandsBefore(in Avp avp, ReadOnlySpan<byte> clear)
    {
        foreach (Avp earlier in new AvpReader(clear))
        {
            if (earlier.Whole == avp.Whole)
            {
                return false;
            }

            if (earlier.Id == avp.Id)
            {
                return true;
            }
        }

        return false;
    }
}
