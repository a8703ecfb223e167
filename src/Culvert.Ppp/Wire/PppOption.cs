using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Ppp.Wire;

/// <summary>
/// One configuration option (RFC 1661 section 6); Length counts type and length too.
/// <code>
///  0                   1
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Type      |    Length     |  Data ...
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// </code>
/// </summary>
public readonly ref struct PppOption(ReadOnlySpan<byte> option)
{
    public const int HeaderLength = 2;

    public byte Type => Octets[0];

    /// <summary>The option as received, type and length included.</summary>
    public ReadOnlySpan<byte> Octets { get; } = option;

    public ReadOnlySpan<byte> Data => Octets[HeaderLength..];

    public bool TryGetUInt16(out ushort value)
    {
        value = 0;
        return Data.Length == 2 && BinaryPrimitives.TryReadUInt16BigEndian(Data, out value);
    }

    public bool TryGetUInt32(out uint value)
    {
        value = 0;
        return Data.Length == 4 && BinaryPrimitives.TryReadUInt32BigEndian(Data, out value);
    }
}

/// <summary>The options of a packet, one after the other; use in <c>foreach</c>. Ends early at one that does not fit.</summary>
public ref struct PppOptionList(ReadOnlySpan<byte> options)
{
    private ReadOnlySpan<byte> _rest = options;
    private PppOption _current;

    public readonly PppOption Current => _current;

    /// <summary>What could not be read as an option once the list has ended: empty when the list is sound.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public readonly PppOptionList GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.Length < PppOption.HeaderLength || _rest[1] < PppOption.HeaderLength || _rest[1] > _rest.Length)
        {
            return false;
        }

        _current = new PppOption(_rest[.._rest[1]]);
        _rest = _rest[_rest[1]..];
        return true;
    }

    /// <summary>True when the octets are whole options from end to end.</summary>
    public static bool IsSound(ReadOnlySpan<byte> options)
    {
        var list = new PppOptionList(options);
        while (list.MoveNext())
        {
        }

        return list.Rest.IsEmpty;
    }
}

/// <summary>Writes options one after the other.</summary>
public static class PppOptionWriterExtensions
{
    public static void WriteOption(this ref WireWriter writer, byte type)
    {
        writer.WriteByte(type);
        writer.WriteByte(PppOption.HeaderLength);
    }

    public static void WriteByteOption(this ref WireWriter writer, byte type, byte value)
    {
        writer.WriteByte(type);
        writer.WriteByte(PppOption.HeaderLength + 1);
        writer.WriteByte(value);
    }

    public static void WriteOption(this ref WireWriter writer, byte type, ushort value)
    {
        writer.WriteByte(type);
        writer.WriteByte(PppOption.HeaderLength + 2);
        writer.WriteUInt16(value);
    }

    public static void WriteOption(this ref WireWriter writer, byte type, uint value)
    {
        writer.WriteByte(type);
        writer.WriteByte(PppOption.HeaderLength + 4);
        writer.WriteUInt32(value);
    }

    /// <summary>An option of up to 253 octets of data.</summary>
    public static void WriteOption(this ref WireWriter writer, byte type, ReadOnlySpan<byte> data)
    {
        writer.WriteByte(type);
        writer.WriteByte((byte)(PppOption.HeaderLength + data.Length));
        writer.WriteBytes(data);
    }
}
