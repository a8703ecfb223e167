namespace Culvert.L2tp.Wire;

/// <summary>The defined bits of the first 16 bits of an L2TP header (RFC 2661 section 3.1).</summary>
[Flags]
public enum L2tpHeaderFlags : ushort
{
    None = 0,

    /// <summary>T: a control message; clear for a data message.</summary>
    Control = 0x8000,

    /// <summary>L: the Length field is present.</summary>
    Length = 0x4000,

    /// <summary>S: the Ns and Nr fields are present.</summary>
    Sequence = 0x0800,

    /// <summary>O: the Offset Size field is present.</summary>
    Offset = 0x0200,

    /// <summary>P: preferential treatment of a data message.</summary>
    Priority = 0x0100,
}

/// <summary>Why a datagram was refused as an L2TP version 2 packet.</summary>
public enum L2tpHeaderFault : byte
{
    None = 0,

    /// <summary>The datagram ends inside the header.</summary>
    Truncated,

    /// <summary>Ver 1: an L2F packet (RFC 2341).</summary>
    VersionL2f,

    /// <summary>Ver 3: an L2TPv3 packet (RFC 3931).</summary>
    VersionL2tpV3,

    /// <summary>Any other Ver.</summary>
    UnknownVersion,

    /// <summary>A control message without the L bit.</summary>
    ControlWithoutLength,

    /// <summary>A control message without the S bit.</summary>
    ControlWithoutSequence,

    /// <summary>A control message with the O bit.</summary>
    ControlWithOffset,

    /// <summary>Length is smaller than the header, or larger than the datagram.</summary>
    BadLength,

    /// <summary>The offset padding runs past the end of the message.</summary>
    BadOffset,
}
