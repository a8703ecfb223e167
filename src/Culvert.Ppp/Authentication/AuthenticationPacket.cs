using Culvert.Core;

namespace Culvert.Ppp.Authentication;

/// <summary>Codes of CHAP packets (RFC 1994 section 4).</summary>
internal enum ChapCode : byte
{
    Challenge = 1,
    Response = 2,
    Success = 3,
    Failure = 4,
}

/// <summary>Codes of PAP packets (RFC 1334 section 2.2).</summary>
internal enum PapCode : byte
{
    AuthenticateRequest = 1,
    AuthenticateAck = 2,
    AuthenticateNak = 3,
}

//  RFC 1334 section 2.2, RFC 1994 section 4
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |     Code      |  Identifier   |            Length             |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |  Data: CHAP   Value-Size, Value, Name | Message               |
//  |        PAP    Peer-ID Length, Peer-ID, Passwd-Length, Password|
//  |               Msg-Length, Message                             |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// <summary>A view of a PAP or CHAP packet.</summary>
internal readonly ref struct AuthenticationPacket
{
    private const int HeaderSize = 4;
    private const int LengthOffset = 2;

    private AuthenticationPacket(byte code, byte identifier, ReadOnlySpan<byte> data)
    {
        Code = code;
        Identifier = identifier;
        Data = data;
    }

    public byte Code { get; }

    public byte Identifier { get; }

    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Octets after Length are padding and ignored; a Length beyond the packet makes it malformed.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out AuthenticationPacket packet)
    {
        var reader = new WireReader(source);
        packet = default;
        if (!reader.TryReadByte(out byte code) || !reader.TryReadByte(out byte identifier) || !reader.TryReadUInt16(out ushort length)
            || !reader.TryReadBytes(length - HeaderSize, out ReadOnlySpan<byte> data))
        {
            return false;
        }

        packet = new AuthenticationPacket(code, identifier, data);
        return true;
    }

    /// <summary>The data of a CHAP Challenge or Response. The value has at least one octet, the name at most 255.</summary>
    public bool TryReadValueAndName(out ReadOnlySpan<byte> value, out ReadOnlySpan<byte> name)
    {
        var reader = new WireReader(Data);
        bool complete = TryReadCounted(ref reader, out value);
        name = reader.Rest;
        return complete && !value.IsEmpty && name.Length <= AuthenticationSettings.MaxNameSize;
    }

    /// <summary>The data of a PAP Authenticate-Request.</summary>
    public bool TryReadPapRequest(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> password)
    {
        var reader = new WireReader(Data);
        password = default;
        return TryReadCounted(ref reader, out name) && TryReadCounted(ref reader, out password);
    }

    /// <summary>The message of a PAP reply. Some peers leave Msg-Length out or get it wrong; the reply counts all the same.</summary>
    public ReadOnlySpan<byte> ReadPapMessage()
    {
        var reader = new WireReader(Data);
        _ = TryReadCounted(ref reader, out ReadOnlySpan<byte> message);
        return message;
    }

    public static bool TryWriteValueAndName(
        Span<byte> buffer, ChapCode code, byte identifier, ReadOnlySpan<byte> value, ReadOnlySpan<byte> name, out int length)
    {
        WireWriter writer = Begin(buffer, (byte)code, identifier);
        WriteCounted(ref writer, value);
        writer.WriteBytes(name);
        return TryEnd(ref writer, out length);
    }

    public static bool TryWriteMessage(Span<byte> buffer, ChapCode code, byte identifier, ReadOnlySpan<byte> message, out int length)
    {
        WireWriter writer = Begin(buffer, (byte)code, identifier);
        writer.WriteBytes(message);
        return TryEnd(ref writer, out length);
    }

    public static bool TryWritePapRequest(
        Span<byte> buffer, byte identifier, ReadOnlySpan<byte> name, ReadOnlySpan<byte> password, out int length)
    {
        WireWriter writer = Begin(buffer, (byte)PapCode.AuthenticateRequest, identifier);
        WriteCounted(ref writer, name);
        WriteCounted(ref writer, password);
        return TryEnd(ref writer, out length);
    }

    public static bool TryWritePapMessage(Span<byte> buffer, PapCode code, byte identifier, ReadOnlySpan<byte> message, out int length)
    {
        WireWriter writer = Begin(buffer, (byte)code, identifier);
        WriteCounted(ref writer, message);
        return TryEnd(ref writer, out length);
    }

    private static bool TryReadCounted(scoped ref WireReader reader, out ReadOnlySpan<byte> value)
    {
        value = default;
        return reader.TryReadByte(out byte size) && reader.TryReadBytes(size, out value);
    }

    private static void WriteCounted(ref WireWriter writer, ReadOnlySpan<byte> value)
    {
        writer.WriteByte((byte)value.Length);
        writer.WriteBytes(value);
    }

    private static WireWriter Begin(Span<byte> buffer, byte code, byte identifier)
    {
        var writer = new WireWriter(buffer);
        writer.WriteByte(code);
        writer.WriteByte(identifier);
        writer.WriteUInt16(0);
        return writer;
    }

    private static bool TryEnd(ref WireWriter writer, out int length)
    {
        writer.PatchUInt16(LengthOffset, (ushort)writer.Length);
        length = writer.Overflowed ? 0 : writer.Length;
        return !writer.Overflowed;
    }
}
