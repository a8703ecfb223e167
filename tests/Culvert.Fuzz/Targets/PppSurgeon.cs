using System.Buffers.Binary;
using Culvert.Core;
using Culvert.Ppp.Wire;

namespace Culvert.Fuzz.Targets;

/// <summary>Changes PPP control frames so that they stay frames, and makes new ones.</summary>
internal static class PppSurgeon
{
    private static readonly ushort[] Protocols =
        [0xC021, 0xC021, 0xC021, 0x8021, 0x8021, 0xC023, 0xC223, 0xC223, 0x8057, 0x80FD, 0x0021, 0xC227, 0xC025, 0x0057, 0x8281, 0x0001];

    private static readonly ushort[] Authentications = [0xC023, 0xC223, 0xC227, 0xC025, 0x0000];

    /// <summary>One option of a control packet changed, added, doubled or removed; or its code or identifier.</summary>
    /// <param name="frame">A frame with or without FF 03.</param>
    /// <param name="identifier">The one that is waited for.</param>
    /// <param name="decisions">What to do.</param>
    public static byte[] Change(ReadOnlySpan<byte> frame, byte identifier, ref Decisions decisions)
    {
        if (!PppFrame.TryRead(frame, out PppProtocol protocol, out ReadOnlySpan<byte> information)
            || !ControlPacket.TryRead(information, out ControlPacket packet))
        {
            return frame.ToArray();
        }

        byte[] data = packet.Data.ToArray();
        byte code = (byte)packet.Code;
        byte id = packet.Identifier;
        switch (decisions.Below(10))
        {
            case 0:
                code = (byte)decisions.Below(16);
                id = identifier;
                break;
            case 1:
                id = decisions.Coin() ? identifier : decisions.Octet();
                break;
            case 2:
                data = [.. data, .. Option(protocol, ref decisions)];
                break;
            case 3:
                data = [.. Option(protocol, ref decisions), .. data];
                break;
            case 4:
                data = data[..(data.Length - decisions.Below(data.Length + 1))];
                break;
            case 5 when data.Length > 0:
                data[decisions.Below(data.Length)] = decisions.Octet();
                break;
            case 6 when data.Length > 0:
                data[decisions.Below(data.Length)] ^= (byte)(1 << decisions.Below(8));
                break;
            case 7:
                data = [.. data, .. data];
                break;
            case 8:
                data = decisions.Octets(200).ToArray();
                break;
            default:
                return [.. frame[..^information.Length], .. information[..Math.Min(2, information.Length)], decisions.Octet(), decisions.Octet(), .. information[Math.Min(4, information.Length)..]];
        }

        return Frame((ushort)protocol, code, id, data, decisions.Octet());
    }

    /// <summary>A new frame: some protocol, some code, options or whatever belongs there.</summary>
    public static byte[] Craft(byte identifier, ref Decisions decisions)
    {
        ushort protocol = decisions.Below(12) == 11 ? decisions.Word() : Protocols[decisions.Below(Protocols.Length)];
        byte code = (byte)(decisions.Below(8) == 7 ? decisions.Octet() : 1 + decisions.Below(13));
        byte id = decisions.Below(4) == 3 ? decisions.Octet() : identifier;
        byte[] data;
        switch ((PppProtocol)protocol)
        {
            case PppProtocol.Pap or PppProtocol.Chap:
                byte[] first = decisions.Octets(52).ToArray();
                data = [(byte)(decisions.Below(8) == 7 ? decisions.Octet() : first.Length), .. first, .. decisions.Octets(40)];
                break;
            default:
                data = code is >= 1 and <= 4 ? [] : decisions.Octets(64).ToArray();
                for (int options = code is >= 1 and <= 4 ? decisions.Below(6) : 0; options > 0; options--)
                {
                    data = [.. data, .. Option((PppProtocol)protocol, ref decisions)];
                }

                break;
        }

        return Frame(protocol, code, id, data, decisions.Octet());
    }

    private static byte[] Option(PppProtocol protocol, ref Decisions decisions)
    {
        byte type = decisions.Below(6) == 5 ? decisions.Octet()
            : protocol == PppProtocol.Ipcp ? (byte)(decisions.Coin() ? 3 : 129 + decisions.Below(4)) : (byte)(1 + decisions.Below(13));
        Span<byte> value = stackalloc byte[6];
        int length;
        switch (protocol, type)
        {
            case (PppProtocol.Lcp, 1):
                BinaryPrimitives.WriteUInt16BigEndian(value, decisions.Edge());
                length = 2;
                break;
            case (PppProtocol.Lcp, 3):
                BinaryPrimitives.WriteUInt16BigEndian(value, Authentications[decisions.Below(Authentications.Length)]);
                value[2] = (byte)(decisions.Coin() ? 5 : 0x81);
                length = value[0] == 0xC2 ? 3 : 2;
                break;
            case (PppProtocol.Lcp, 7 or 8 or 13):
                length = 0;
                break;
            default:
                value[0] = (byte)(decisions.Coin() ? 100 : 0);
                value[1] = 64;
                value[3] = decisions.Octet();
                length = 4;
                break;
        }

        if (decisions.Below(10) == 9)
        {
            length = decisions.Below(7);
        }

        return [type, (byte)(decisions.Below(24) == 23 ? decisions.Octet() : 2 + length), .. value[..length]];
    }

    private static byte[] Frame(ushort protocol, byte code, byte identifier, ReadOnlySpan<byte> data, byte form)
    {
        data = data[..Math.Min(data.Length, 1600)];
        byte[] frame = new byte[PppFrame.MaxHeaderLength + ControlPacket.HeaderLength + data.Length];
        var writer = new WireWriter(frame);
        PppFrame.WriteHeader(ref writer, (PppProtocol)protocol, new PppFraming((form & 1) != 0, (form & 2) != 0));
        int start = ControlPacket.Begin(ref writer, (ControlCode)code, identifier);
        writer.WriteBytes(data);
        ControlPacket.Finish(ref writer, start);
        return frame[..writer.Length];
    }
}
