using System.Buffers.Binary;
using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.Fuzz.Targets;

/// <summary>
/// Changes control messages so that they stay messages: one AVP at a time, lengths put right again, so that what is changed gets past
/// the first look. Knows the wire and nothing of the engines.
/// </summary>
internal static class L2tpSurgeon
{
    private const int MostOctets = 1500;

    private static readonly AvpDefinition[] Definitions = [.. AvpDefinitions.All];

    /// <summary>The first six octets of an AVP of each kind, with a length that fits its format.</summary>
    public static IReadOnlyList<byte[]> AvpHeaders { get; } =
        [.. Definitions.Select(d => HeaderOf(d.Id, 6 + TypicalLength(d), d.IsMandatory))];

    /// <summary>One AVP of a control message changed, added, doubled, moved or removed.</summary>
    public static byte[] ChangeAvp(ReadOnlySpan<byte> message, ref Decisions decisions)
    {
        if (!L2tpHeader.TryRead(message, out L2tpHeader header) || !header.IsControl)
        {
            return message.ToArray();
        }

        var avps = new List<byte[]>();
        var reader = new AvpReader(message[header.PayloadStart..header.PayloadEnd]);
        while (reader.MoveNext())
        {
            avps.Add(reader.Current.Whole.ToArray());
        }

        int at = decisions.Below(Math.Max(1, avps.Count));
        if (avps.Count == 0)
        {
            avps.Add(Compose(ref decisions));
        }
        else
        {
            Change(avps, at, ref decisions);
        }

        return Assemble(message[..L2tpHeader.ControlSize], avps);
    }

    /// <summary>A control message of some type with some AVPs, most of which belong there.</summary>
    public static byte[] Craft(ref Decisions decisions, ushort[] sessionIds)
    {
        MessageType type = (MessageType)(decisions.Coin() ? decisions.Below(32) : decisions.Octet());
        var avps = new List<byte[]> { HeaderOf(AvpType.MessageType, 8, isMandatory: (decisions.Octet() & 7) != 0) };
        avps[0] = [.. avps[0], (byte)((ushort)type >> 8), (byte)type];
        foreach (AvpDefinition required in AvpDefinitions.RequiredIn(type))
        {
            if (decisions.Below(16) != 15 && required.Id != AvpType.MessageType)
            {
                avps.Add(Compose(required, ref decisions));
            }
        }

        for (int more = decisions.Below(4); more > 0; more--)
        {
            avps.Add(Compose(ref decisions));
        }

        ushort sessionId = type.ConcernsTunnel() || sessionIds.Length == 0 ? (ushort)0
            : decisions.Below(8) >= 6 ? decisions.Edge() : sessionIds[decisions.Below(sessionIds.Length)];
        Span<byte> header = stackalloc byte[L2tpHeader.ControlSize];
        L2tpHeader.ForControl(0, sessionId, 0, 0, 0).TryWrite(header, out _);
        return Assemble(header, avps);
    }

    private static void Change(List<byte[]> avps, int at, ref Decisions decisions)
    {
        byte[] avp = avps[at];
        switch (decisions.Below(12))
        {
            case 0:
                avps.RemoveAt(at);
                break;
            case 1:
                avps.Insert(decisions.Below(avps.Count + 1), avp);
                break;
            case 2:
                avps.Add(Compose(ref decisions));
                break;
            case 3:
                avp[0] ^= (byte)(decisions.Coin() ? 0x80 : 0x40); // M or H
                break;
            case 4:
                BinaryPrimitives.WriteUInt16BigEndian(avp.AsSpan(4), decisions.Coin() ? decisions.Edge() : decisions.Octet());
                break;
            case 5:
                BinaryPrimitives.WriteUInt16BigEndian(avp.AsSpan(2), decisions.Edge());
                break;
            case 6:
                avps[at] = WithValue(avp, decisions.Octets(64));
                break;
            case 7:
                avps[at] = WithValue(avp, avp.AsSpan(Avp.HeaderSize, decisions.Below(avp.Length - Avp.HeaderSize + 1)));
                break;
            case 8:
                avp[0] = (byte)((avp[0] & 0xFC) | decisions.Below(4)); // a length that is not the truth
                avp[1] = decisions.Octet();
                break;
            case 9:
                avp[0] |= (byte)(decisions.Octet() & 0x3C); // reserved bits
                break;
            case 10:
                int other = decisions.Below(avps.Count);
                (avps[at], avps[other]) = (avps[other], avps[at]);
                break;
            default:
                // Numbers at their edges, where there is room for one.
                if (avp.Length >= Avp.HeaderSize + 2)
                {
                    BinaryPrimitives.WriteUInt16BigEndian(avp.AsSpan(avp.Length - 2), decisions.Edge());
                }

                break;
        }
    }

    private static byte[] Compose(ref Decisions decisions) => Compose(Definitions[decisions.Below(Definitions.Length)], ref decisions);

    private static byte[] Compose(AvpDefinition definition, ref Decisions decisions)
    {
        int length = decisions.Below(12) == 11 ? decisions.Below(40) : TypicalLength(definition);
        byte[] value = new byte[length];
        switch (decisions.Below(3))
        {
            case 0:
                value.AsSpan().Fill((byte)(decisions.Octet() & 3));
                break;
            case 1 when length >= 2:
                BinaryPrimitives.WriteUInt16BigEndian(value.AsSpan(length - 2), decisions.Edge());
                break;
            default:
                decisions.Octets(length).CopyTo(value);
                break;
        }

        return [.. HeaderOf(definition.Id, Avp.HeaderSize + length, definition.IsMandatory), .. value];
    }

    private static int TypicalLength(AvpDefinition definition)
    {
        foreach (int length in (ReadOnlySpan<int>)[2, 4, 8, 10, 1, 16, 26, 0, 3, 6])
        {
            if (definition.Format.Allows(length))
            {
                return length;
            }
        }

        return 12;
    }

    private static byte[] HeaderOf(AvpId id, int length, bool isMandatory)
    {
        byte[] header = new byte[Avp.HeaderSize];
        var writer = new WireWriter(header);
        writer.WriteUInt16((ushort)(Math.Min(length, Avp.MaximumSize) | (isMandatory ? 0x8000 : 0)));
        writer.WriteUInt16((ushort)id.Vendor);
        writer.WriteUInt16(id.Type);
        return header;
    }

    private static byte[] WithValue(byte[] avp, ReadOnlySpan<byte> value)
    {
        byte[] changed = [.. avp.AsSpan(0, Avp.HeaderSize), .. value];
        BinaryPrimitives.WriteUInt16BigEndian(changed, (ushort)((changed[0] & 0xFC) << 8 | changed.Length));
        return changed;
    }

    private static byte[] Assemble(ReadOnlySpan<byte> header, List<byte[]> avps)
    {
        int length = L2tpHeader.ControlSize;
        int count = 0;
        while (count < avps.Count && length + avps[count].Length <= MostOctets)
        {
            length += avps[count++].Length;
        }

        byte[] message = new byte[length];
        header.CopyTo(message);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)length);
        int at = L2tpHeader.ControlSize;
        for (int i = 0; i < count; i++)
        {
            avps[i].CopyTo(message, at);
            at += avps[i].Length;
        }

        return message;
    }
}
