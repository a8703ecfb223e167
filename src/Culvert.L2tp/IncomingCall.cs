namespace Culvert.L2tp;

/// <summary>
/// The facts of a call: what a LAC says about an incoming one in ICRQ and ICCN (RFC 2661 sections 6.6 and 6.8) or is to say, and
/// what came of an outgoing one (<see cref="OutgoingCall"/>, sections 6.9 to 6.11).
/// </summary>
public sealed record IncomingCall
{
    /// <summary>Most octets that are kept of a text that a peer sends: numbers and names are far shorter.</summary>
    public const int TextLimit = 128;

    public static IncomingCall Default { get; } = new();

    /// <summary>Call Serial Number, for people at both ends to compare. 0 in a call to be placed: the endpoint counts.</summary>
    public uint SerialNumber { get; init; }

    /// <summary>Bearer Type: bit 0 digital, bit 1 analog, bit 2 broadband (RFC 3301), none for a call without a line; null when not said.</summary>
    public uint? BearerType { get; init; }

    /// <summary>Framing Type: bit 0 synchronous, bit 1 asynchronous. From ICCN; 0 before it.</summary>
    public uint FramingType { get; init; } = 1;

    /// <summary>(Tx) Connect Speed in bits per second, from the LAC towards the user.</summary>
    public uint TxConnectSpeed { get; init; } = 1_000_000_000;

    /// <summary>Rx Connect Speed in bits per second, when it differs.</summary>
    public uint? RxConnectSpeed { get; init; }

    public uint? PhysicalChannelId { get; init; }

    /// <summary>The number called. With a broadband bearer (bit 2) an NSAP address in 40 hexadecimal digits, as the next two (RFC 3301).</summary>
    public string? CalledNumber { get; init; }

    public string? CallingNumber { get; init; }

    public string? SubAddress { get; init; }

    /// <summary>Private Group ID: which customer's network the call belongs to.</summary>
    public string? PrivateGroupId { get; init; }

    /// <summary>Data messages must carry sequence numbers (section 5.4).</summary>
    public bool SequencingRequired { get; init; }

    /// <summary>The LCP negotiation that the LAC held; null when it held none.</summary>
    public ProxyLcp? ProxyLcp { get; init; }

    /// <summary>The authentication that the LAC held; null when it held none.</summary>
    public ProxyAuthentication? ProxyAuthentication { get; init; }

    /// <summary>The subscriber's line (RFC 5515); null when not said.</summary>
    public AccessLine? AccessLine { get; init; }

    /// <summary>The ATM facts of the call (RFC 3301); null when not said.</summary>
    public AtmCall? Atm { get; init; }

    /// <summary>The LAC may tell other connect speeds later (RFC 5515 section 6.2).</summary>
    public bool SendsSpeedUpdates { get; init; }

    /// <summary>Windows' name for the connection in its own logs (vendor 311, attribute 1); received only.</summary>
    public Guid? CorrelationId { get; init; }
}
