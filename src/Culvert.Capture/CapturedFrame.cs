using Culvert.Core;

namespace Culvert.Capture;

/// <summary>What a frame starts with: the link types that we know, numbered as both file formats do.</summary>
public enum LinkType
{
    /// <summary>An address family in the byte order of the machine that captured, then IP (BSD loopback).</summary>
    Null = 0,
    Ethernet = 1,

    /// <summary>PPP without its serial framing, with or without FF 03.</summary>
    Ppp = 9,

    /// <summary>IP by its first octet; the number that some BSDs use.</summary>
    RawBsd = 12,

    /// <summary>IP by its first octet; the number of OpenBSD.</summary>
    RawOpenBsd = 14,

    /// <summary>PPP with FF 03, or Cisco HDLC.</summary>
    PppSerial = 50,

    /// <summary>IP by its first octet.</summary>
    Raw = 101,

    /// <summary>An address family in network byte order, then IP (OpenBSD loopback).</summary>
    Loop = 108,

    /// <summary>Linux "cooked", what `-i any` used to give.</summary>
    LinuxCooked = 113,

    /// <summary>PPP behind one octet that is 0 for a received frame and 1 for a sent one.</summary>
    PppWithDirection = 204,
    IPv4 = 228,
    IPv6 = 229,

    /// <summary>Linux "cooked" version 2, what `-i any` gives.</summary>
    LinuxCookedV2 = 276,
}

/// <summary>Which way a frame went at the machine that captured it.</summary>
public enum FrameDirection : byte
{
    Unknown = 0,
    Received = 1,
    Sent = 2,
}

/// <summary>One frame of a capture file; lives until the next one is read.</summary>
public readonly ref struct CapturedFrame
{
    /// <summary>Since 1970; zero where the file tells no time.</summary>
    public Timestamp At { get; init; }

    public LinkType LinkType { get; init; }

    public FrameDirection Direction { get; init; }

    /// <summary>What was kept of the frame.</summary>
    public ReadOnlySpan<byte> Octets { get; init; }

    /// <summary>Octets that the frame had on the wire.</summary>
    public uint OriginalLength { get; init; }

    /// <summary>What the capturing program noted, in UTF-8; not to be trusted with a terminal as it is.</summary>
    public ReadOnlySpan<byte> Comment { get; init; }
}
