using System.Runtime.InteropServices;
using System.Text;
using Culvert.Core;

namespace Culvert.Linux.Routing;

// A message (struct nlmsghdr, host byte order), its fixed part, then attributes, each padded to 4 octets:
//   0      4      6       8          12
//   length | type | flags | sequence | port | fixed part | length(2) type(2) value pad | ...

internal enum NetlinkType : ushort
{
    Error = 2,
    Done = 3,
    NewLink = 16,
    GetLink = 18,
    NewAddress = 20,
    DeleteAddress = 21,
    NewRoute = 24,
    DeleteRoute = 25,
    GetRoute = 26,
}

[Flags]
internal enum NetlinkFlags : ushort
{
    None = 0,
    Request = 0x1,
    Acknowledge = 0x4,
    DumpInterrupted = 0x10,
    Replace = 0x100,
    Exclusive = 0x200,
    Create = 0x400,
    Dump = 0x300,
}

/// <summary>Writes one request into a buffer that is large enough for any made here (they have a handful of attributes).</summary>
internal ref struct NetlinkWriter
{
    internal const int HeaderSize = 16;

    private readonly Span<byte> _buffer;

    internal NetlinkWriter(Span<byte> buffer, NetlinkType type, NetlinkFlags flags)
    {
        _buffer = buffer;
        _buffer[..HeaderSize].Clear();
        ushort typeNumber = (ushort)type;
        ushort flagBits = (ushort)(flags | NetlinkFlags.Request);
        MemoryMarshal.Write(_buffer[4..], in typeNumber);
        MemoryMarshal.Write(_buffer[6..], in flagBits);
        Length = HeaderSize;
    }

    internal int Length { get; private set; }

    internal unsafe void Fixed<T>(in T part)
        where T : unmanaged
    {
        MemoryMarshal.Write(_buffer[Length..], in part);
        Length += sizeof(T);
    }

    internal void Attribute(int type, uint value)
    {
        Span<byte> octets = Reserve(type, sizeof(uint));
        MemoryMarshal.Write(octets, in value);
    }

    internal void Attribute(int type, string text)
    {
        int size = Encoding.ASCII.GetByteCount(text);
        _ = Encoding.ASCII.GetBytes(text, Reserve(type, size + 1));
    }

    internal void Attribute(int type, in IpAddress address) => address.WriteTo(Reserve(type, address.Size));

    /// <summary>struct rtvia: the family (host order), then the address.</summary>
    internal void ViaAttribute(int type, ushort family, in IpAddress address)
    {
        Span<byte> octets = Reserve(type, sizeof(ushort) + address.Size);
        MemoryMarshal.Write(octets, in family);
        address.WriteTo(octets[sizeof(ushort)..]);
    }

    /// <summary>An attribute that holds one attribute.</summary>
    internal void NestedAttribute(int outer, int inner, uint value)
    {
        Span<byte> octets = Reserve(outer, 8);
        ushort innerLength = 8;
        ushort innerType = (ushort)inner;
        MemoryMarshal.Write(octets, in innerLength);
        MemoryMarshal.Write(octets[2..], in innerType);
        MemoryMarshal.Write(octets[4..], in value);
    }

    internal readonly ReadOnlySpan<byte> Finish(uint sequence)
    {
        uint length = (uint)Length;
        MemoryMarshal.Write(_buffer, in length);
        MemoryMarshal.Write(_buffer[8..], in sequence);
        return _buffer[..Length];
    }

    private Span<byte> Reserve(int type, int size)
    {
        int padded = (size + 3) & ~3;
        Span<byte> whole = _buffer.Slice(Length, 4 + padded);
        whole.Clear();
        ushort attributeLength = (ushort)(4 + size);
        ushort attributeType = (ushort)type;
        MemoryMarshal.Write(whole, in attributeLength);
        MemoryMarshal.Write(whole[2..], in attributeType);
        Length += whole.Length;
        return whole[4..];
    }
}

/// <summary>Walks the messages in one datagram from the kernel; stops at the first that does not fit.</summary>
internal ref struct NetlinkReader(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _left = datagram;

    internal NetlinkType Type { get; private set; }

    internal NetlinkFlags Flags { get; private set; }

    internal uint Sequence { get; private set; }

    /// <summary>What follows the header: the fixed part and the attributes.</summary>
    internal ReadOnlySpan<byte> Body { get; private set; }

    internal bool MoveNext()
    {
        if (_left.Length < NetlinkWriter.HeaderSize)
        {
            return false;
        }

        uint length = MemoryMarshal.Read<uint>(_left);
        if (length < NetlinkWriter.HeaderSize || length > (uint)_left.Length)
        {
            return false;
        }

        Type = (NetlinkType)MemoryMarshal.Read<ushort>(_left[4..]);
        Flags = (NetlinkFlags)MemoryMarshal.Read<ushort>(_left[6..]);
        Sequence = MemoryMarshal.Read<uint>(_left[8..]);
        Body = _left[NetlinkWriter.HeaderSize..(int)length];
        _left = _left[Math.Min(_left.Length, ((int)length + 3) & ~3)..];
        return true;
    }
}

/// <summary>Walks attributes; stops at the first that does not fit.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _left = attributes;

    internal int Type { get; private set; }

    internal ReadOnlySpan<byte> Value { get; private set; }

    internal readonly uint Number => Value.Length >= sizeof(uint) ? MemoryMarshal.Read<uint>(Value) : 0;

    internal readonly IpAddress Address => Value.Length is 4 or 16 ? IpAddress.FromBytes(Value) : default;

    internal readonly string Text => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));

    internal bool MoveNext()
    {
        if (_left.Length < 4)
        {
            return false;
        }

        int length = MemoryMarshal.Read<ushort>(_left);
        if (length < 4 || length > _left.Length)
        {
            return false;
        }

        // The two highest bits are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
        Type = MemoryMarshal.Read<ushort>(_left[2..]) & 0x3FFF;
        Value = _left[4..length];
        _left = _left[Math.Min(_left.Length, (length + 3) & ~3)..];
        return true;
    }
}

/// <summary>struct ifinfomsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinkMessage
{
    public byte Family;
    public byte Pad;
    public ushort DeviceType;
    public int Index;
    public uint Flags;
    public uint Change;
}

/// <summary>struct ifaddrmsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AddressMessage
{
    public byte Family;
    public byte PrefixLength;
    public byte Flags;
    public byte Scope;
    public int Index;
}

/// <summary>struct rtmsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RouteMessage
{
    public byte Family;
    public byte DestinationLength;
    public byte SourceLength;
    public byte TypeOfService;
    public byte Table;
    public byte Protocol;
    public byte Scope;
    public byte Kind;
    public uint Flags;
}
