using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// What the packet path needs to know of a session, in one cache line. <see cref="Version"/> is odd while the owner writes; a
/// reader copies the line and takes the copy only if the version was even and has not moved. 32 bits of it come round after two
/// billion changes of one slot: no reader is kept from the processor for that long.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
internal struct SessionEntry
{
    public const int Size = 64;

    private const int ContentsOffset = 8;

    [FieldOffset(0)]
    public uint Key;
    [FieldOffset(4)]
    public uint Version;
    [FieldOffset(ContentsOffset)]
    public ulong PeerHigh;
    [FieldOffset(16)]
    public ulong PeerLow;
    [FieldOffset(24)]
    public uint PeerMark;
    [FieldOffset(28)]
    public ushort PeerPort;
    [FieldOffset(30)]
    private byte _familyAndState;
    [FieldOffset(31)]
    public byte Traits;
    [FieldOffset(32)]
    private uint _markingAndRow;
    [FieldOffset(36)]
    public uint SourceIPv4;
    [FieldOffset(40)]
    public ushort MssIPv4;
    [FieldOffset(42)]
    public ushort MssIPv6;
    [FieldOffset(44)]
    public ushort Mtu;
    [FieldOffset(46)]
    public ushort ReceiveLimit;
    [FieldOffset(48)]
    public Vector128<byte> Header;

    /// <summary>Rows are numbered in 24 bits, as many as there can be slots.</summary>
    public const int MaxRows = 1 << RowBits;

    private const int RowBits = 24;
    private const int FramingShift = 4;
    private const int FamilyShift = 4;

    // TunnelMtu.HeaderLength of each of the sixteen framings.
    private static ReadOnlySpan<byte> HeaderLengths => [8, 10, 7, 9, 10, 12, 9, 11, 12, 14, 11, 13, 14, 16, 13, 15];

    public readonly SessionState State => (SessionState)(_familyAndState & 0x0F);

    public readonly IpFamily PeerFamily => (IpFamily)(_familyAndState >> FamilyShift);

    public readonly int Row => (int)(_markingAndRow & (MaxRows - 1));

    public readonly TrafficMarking Marking => TrafficMarking.FromOctet((byte)(_markingAndRow >> RowBits));

    public readonly int HeaderLength => HeaderLengths[Traits >> FramingShift];

    public readonly SessionPolicies Policies => (SessionPolicies)(Traits & 0x0F);

    public readonly TransmitFraming Framing => (TransmitFraming)(Traits >> FramingShift);

    public static SessionEntry From(in SessionForwarding session, int row)
    {
        PeerEndpoint peer = session.Path.Peer;
        (ulong high, ulong low) = Parts(peer.Address);
        return new SessionEntry
        {
            Key = session.Key.Value,
            PeerHigh = high,
            PeerLow = low,
            PeerMark = peer.Mark,
            PeerPort = peer.Port,
            _familyAndState = (byte)((byte)session.State | ((byte)peer.Address.Family << FamilyShift)),
            Traits = (byte)((byte)session.Policies | ((byte)session.Framing << FramingShift)),
            _markingAndRow = (uint)row | ((uint)session.Marking.Octet << RowBits),
            SourceIPv4 = session.SourceIPv4.IsIPv4 ? session.SourceIPv4.ToUInt32() : 0,
            MssIPv4 = session.MssIPv4,
            MssIPv6 = session.MssIPv6,
            Mtu = (ushort)Math.Clamp((int)session.Mtu, TunnelMtu.IPv4Minimum, TunnelMtu.LargestDatagram - FrameHeader.MaxLength),
            ReceiveLimit = session.ReceiveLimit,
            Header = FrameHeader.Build(session),
        };
    }

    /// <summary>
    /// Takes over everything but <see cref="Version"/>. An assignment of the whole would not do: it writes the version as well, and the
    /// compiler is free to copy the source's version (even: "not being written") first and the intended one last, so that for a
    /// moment readers would trust half a session.
    /// </summary>
    public void TakeContents(in SessionEntry value)
    {
        Key = value.Key;
        ref byte to = ref Unsafe.As<ulong, byte>(ref PeerHigh);
        ref byte from = ref Unsafe.As<ulong, byte>(ref Unsafe.AsRef(in value.PeerHigh));
        Unsafe.CopyBlockUnaligned(ref to, ref from, Size - ContentsOffset);
    }

    public readonly bool IsFrom(in UdpPath path)
    {
        (ulong high, ulong low) = Parts(path.Peer.Address);
        return low == PeerLow && path.Peer.Port == PeerPort && path.Peer.Mark == PeerMark && high == PeerHigh
            && path.Peer.Address.Family == PeerFamily;
    }

    // A link-local address means somebody else on another link; its upper half has 54 bits that are zero (RFC 4291 section 2.5.6).
    private static (ulong High, ulong Low) Parts(IpAddress address)
    {
        (ulong high, ulong low) = address.ToUInt128Parts();
        return (high | address.Scope, low);
    }
}
