namespace Culvert.L2tp;

/// <summary>Which end asks for a call: the LAC that has one (incoming), or the LNS that wants one dialled (outgoing).</summary>
public enum CallDirection : byte
{
    Incoming = 0,
    Outgoing,
}

/// <summary>
/// What an LNS asks of a LAC (RFC 2661 section 6.9): the number to dial, and what line will do. What came of it is in
/// <see cref="Session.Call"/>.
/// </summary>
public sealed record OutgoingCall
{
    /// <summary>Call Serial Number; 0 in a call to be placed: the endpoint counts.</summary>
    public uint SerialNumber { get; init; }

    /// <summary>Lowest line speed that is acceptable, bits per second.</summary>
    public uint MinimumBps { get; init; }

    /// <summary>Highest line speed that is acceptable, bits per second.</summary>
    public uint MaximumBps { get; init; } = uint.MaxValue;

    /// <summary>Lowest speed from the user that is acceptable, when it differs (RFC 3301).</summary>
    public uint? RxMinimumBps { get; init; }

    /// <summary>Highest speed from the user that is acceptable, when it differs (RFC 3301).</summary>
    public uint? RxMaximumBps { get; init; }

    /// <summary>Bearer Type: bit 0 digital, bit 1 analog. Bits that the LAC did not advertise are not sent (section 4.4.4).</summary>
    public uint BearerType { get; init; } = 3;

    /// <summary>Framing Type: bit 0 synchronous, bit 1 asynchronous. Bits that the LAC did not advertise are not sent.</summary>
    public uint FramingType { get; init; } = 3;

    /// <summary>The number to dial; at most <see cref="IncomingCall.TextLimit"/> octets.</summary>
    public string CalledNumber { get; init; } = string.Empty;

    public string? SubAddress { get; init; }
}

/// <summary>What a LAC tells of a call that it has dialled (RFC 2661 section 6.11).</summary>
/// <param name="TxConnectSpeed">Bits per second, from the LAC towards the user.</param>
/// <param name="FramingType">Bit 0 synchronous, bit 1 asynchronous.</param>
/// <param name="RxConnectSpeed">Bits per second, when it differs.</param>
/// <param name="SequencingRequired">Data messages must carry sequence numbers (section 5.4).</param>
/// <param name="LcpWishes">What the LNS shall negotiate (RFC 3437); null for nothing.</param>
public readonly record struct BearerConnection(
    uint TxConnectSpeed, uint FramingType = 1, uint? RxConnectSpeed = null, bool SequencingRequired = false, LcpWishes? LcpWishes = null);
