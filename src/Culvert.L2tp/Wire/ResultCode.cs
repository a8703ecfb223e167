using System.Buffers.Binary;

namespace Culvert.L2tp.Wire;

/// <summary>Result Codes of a StopCCN (RFC 2661 section 4.4.2; 8 from RFC 3308).</summary>
public enum StopCcnResult : ushort
{
    Reserved = 0,
    GeneralRequest = 1,
    GeneralError = 2,
    ControlChannelExists = 3,
    NotAuthorized = 4,

    /// <summary>The Error Code says the highest version that is supported.</summary>
    UnsupportedProtocolVersion = 5,
    ShuttingDown = 6,
    FiniteStateMachineError = 7,
    ControlConnectionDsMismatch = 8,
}

/// <summary>Result Codes of a CDN (RFC 2661 section 4.4.2; 12 from RFC 3308, 13 to 16 from RFC 3931).</summary>
public enum CdnResult : ushort
{
    Reserved = 0,
    LostCarrier = 1,
    GeneralError = 2,
    Administrative = 3,
    NoFacilitiesTemporary = 4,
    NoFacilitiesPermanent = 5,
    InvalidDestination = 6,
    NoCarrier = 7,
    Busy = 8,
    NoDialTone = 9,
    NotEstablishedInTime = 10,
    NoFraming = 11,
    SessionDsMismatch = 12,
    LostTieBreaker = 13,
    UnsupportedPseudowire = 14,
    SequencingUnavailable = 15,
    FiniteStateMachineError = 16,
}

/// <summary>General Error Codes (RFC 2661 section 4.4.2; 9 to 12 from the IANA registry).</summary>
public enum ErrorCode : ushort
{
    None = 0,
    NoControlConnection = 1,
    WrongLength = 2,
    ValueOutOfRange = 3,
    InsufficientResources = 4,
    InvalidSessionId = 5,
    VendorSpecific = 6,
    TryAnother = 7,
    UnknownMandatoryAvp = 8,
    TryAnotherDirected = 9,
    NextHopUnreachable = 10,
    NextHopBusy = 11,
    SwitchBusy = 12,
}

/// <summary>The codes in words, for logs and the printer.</summary>
public static class ResultCodes
{
    private static readonly string[] StopCcnWords =
    [
        "reserved",
        "general request to clear control connection",
        "general error",
        "control channel already exists",
        "requester is not authorized to establish a control channel",
        "protocol version of the requester is not supported",
        "requester is being shut down",
        "finite state machine error",
        "mismatching control connection DS value",
    ];

    private static readonly string[] CdnWords =
    [
        "reserved",
        "loss of carrier",
        "general error",
        "administrative reasons",
        "lack of facilities (temporary)",
        "lack of facilities (permanent)",
        "invalid destination",
        "no carrier detected",
        "busy signal",
        "no dial tone",
        "not established within the time allotted by the LAC",
        "connected but no appropriate framing detected",
        "mismatching session DS value",
        "lost the tie breaker",
        "unsupported pseudowire type",
        "sequencing required without a valid L2-specific sublayer",
        "finite state machine error or timeout",
        "Frame Relay PVC deleted permanently",
        "Frame Relay PVC inactive for an extended period",
        "mismatched Frame Relay header length",
        "HDLC link deleted permanently",
        "HDLC link inactive for an extended period",
        "OAM cell emulation not supported by the other end",
        "mismatching interface MTU",
        "no such forwarder",
        "forwarder not authorized",
        "loop detected",
        "attachment circuit bound to a different PE",
        "attachment circuit bound to a different remote attachment circuit",
        "unassigned",
        "refused because of TDM pseudowire parameters",
        "sequencing not supported",
    ];

    private static readonly string[] ErrorWords =
    [
        "no general error",
        "no control connection exists yet for this LAC-LNS pair",
        "length is wrong",
        "field value out of range or reserved field non-zero",
        "insufficient resources",
        "Session ID is invalid in this context",
        "vendor-specific error",
        "try another",
        "unknown AVP with the M bit set",
        "try another directed",
        "next hop unreachable",
        "next hop busy",
        "tunnel switching aggregator busy",
    ];

    public static string Describe(this StopCcnResult code) => Describe(StopCcnWords, (ushort)code, "result");

    public static string Describe(this CdnResult code) => Describe(CdnWords, (ushort)code, "result");

    public static string Describe(this ErrorCode code) => Describe(ErrorWords, (ushort)code, "error");

    /// <summary>The words for a Result Code in a message of this type; the numbers of other messages are not registered here.</summary>
    public static string Describe(MessageType message, ushort result) => message switch
    {
        MessageType.StopCcn => ((StopCcnResult)result).Describe(),
        MessageType.Cdn => ((CdnResult)result).Describe(),
        _ => $"result {result}",
    };

    /// <summary>True when the number is registered for a message of this type.</summary>
    internal static bool IsRegistered(MessageType message, ushort result) =>
        result < (message == MessageType.StopCcn ? StopCcnWords.Length : CdnWords.Length);

    internal static bool IsRegisteredError(ushort error) => error < ErrorWords.Length;

    private static string Describe(string[] words, ushort code, string kind) => code < words.Length ? words[code] : $"{kind} {code}";
}

/// <summary>The value of a Result Code AVP (RFC 2661 section 4.4.2), made sane.</summary>
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |          Result Code          |        Error Code (opt)       |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  | Error Message (opt) ...
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
public readonly ref struct ResultCodeValue
{
    private const int ErrorAt = 2;
    private const int MessageAt = 4;

    private ResultCodeValue(ushort result, ErrorCode error, bool hasError, bool isByteSwapped, ReadOnlySpan<byte> message)
    {
        Result = result;
        Error = error;
        HasError = hasError;
        IsByteSwapped = isByteSwapped;
        Message = message;
    }

    /// <summary>A <see cref="StopCcnResult"/> or <see cref="CdnResult"/>, by the message.</summary>
    public ushort Result { get; }

    /// <summary>The Error Code; <see cref="ErrorCode.None"/> when absent.</summary>
    public ErrorCode Error { get; }

    /// <summary>False for the short form (AVP length 8) that many peers send.</summary>
    public bool HasError { get; }

    /// <summary>The peer sent the codes in little-endian order (Apple does); they are given here in the right one.</summary>
    public bool IsByteSwapped { get; }

    /// <summary>The Error Message: UTF-8 by the RFC, anything in practice. Empty when absent.</summary>
    public ReadOnlySpan<byte> Message { get; }

    /// <summary>Reads the value of a Result Code AVP; false when it is shorter than two octets.</summary>
    /// <param name="message">StopCCN or CDN: decides which numbers are plausible.</param>
    public static bool TryRead(MessageType message, ReadOnlySpan<byte> value, out ResultCodeValue code)
    {
        if (!BinaryPrimitives.TryReadUInt16BigEndian(value, out ushort result))
        {
            code = default;
            return false;
        }

        bool hasError = BinaryPrimitives.TryReadUInt16BigEndian(value[ErrorAt..], out ushort error);
        bool swapped = LooksSwapped(message, result, error);
        code = new(
            swapped ? BinaryPrimitives.ReverseEndianness(result) : result,
            (ErrorCode)(swapped ? BinaryPrimitives.ReverseEndianness(error) : error),
            hasError,
            swapped,
            value.Length > MessageAt ? value[MessageAt..] : default);
        return true;
    }

    // Registered codes are below 256, so a swapped one has a zero low octet. Both must make sense swapped. The Error Code of a
    // StopCCN with result 5 is a version number, and small as well.
    private static bool LooksSwapped(MessageType message, ushort result, ushort error)
    {
        ushort swappedResult = BinaryPrimitives.ReverseEndianness(result);
        return result > byte.MaxValue && ResultCodes.IsRegistered(message, swappedResult) &&
            ResultCodes.IsRegisteredError(BinaryPrimitives.ReverseEndianness(error));
    }
}
