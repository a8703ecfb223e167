namespace Culvert.L2tp.Wire;

/// <summary>How an attribute's value is laid out: decides the lengths that are right and how the printer shows it.</summary>
public enum AvpFormat : byte
{
    /// <summary>No value: presence says it all.</summary>
    Empty,
    Number16,
    Number32,
    Number64,

    /// <summary>ASCII or UTF-8 text.</summary>
    Text,

    /// <summary>Text of at least one octet.</summary>
    NonEmptyText,

    /// <summary>Octets shown in hex.</summary>
    Octets,

    /// <summary>Octets that a printer only counts: passwords and answers that could be attacked offline.</summary>
    Secret,

    /// <summary>A random octet string of at least one octet.</summary>
    RandomOctets,
    MessageType,
    ResultCode,
    ProtocolVersion,
    FramingMask,
    BearerMask,
    Q931Cause,

    /// <summary>The 16 octets of an MD5 response.</summary>
    ChallengeResponse,
    LcpOptions,
    ProxyAuthenType,
    ProxyAuthenId,
    CallErrors,
    Accm,
    ServiceCategory,
    NsapAddress,
    VpiVci,
    PppDisconnectCause,

    /// <summary>A Per Hop Behavior code (RFC 3308 section 6).</summary>
    PerHopBehavior,
    ModemOnHoldStatus,
    FailoverCapability,

    /// <summary>A reserved quantity, then two 32-bit identifiers of which L2TPv2 uses the low halves (RFC 4951).</summary>
    IdentifierPair,

    /// <summary>A reserved quantity, then Ns and Nr (RFC 4951).</summary>
    SequencePair,
    ConnectSpeedUpdate,

    /// <summary>Bits per second in 64 bits (RFC 5515).</summary>
    DataRate,

    /// <summary>Milliseconds in 32 bits (RFC 5515).</summary>
    Delay,
    AccessLoopEncapsulation,
    AccessLineType,
    InterworkingFunction,
}

public static class AvpFormats
{
    /// <summary>True when a value of <paramref name="length"/> octets can be of this format.</summary>
    public static bool Allows(this AvpFormat format, int length)
    {
        (int minimum, int maximum) = Lengths(format);
        return length >= minimum && length <= maximum;
    }

    private static (int Minimum, int Maximum) Lengths(AvpFormat format) => format switch
    {
        AvpFormat.Empty => (0, 0),
        AvpFormat.Number16 or AvpFormat.MessageType or AvpFormat.ProtocolVersion or AvpFormat.ProxyAuthenType or AvpFormat.ProxyAuthenId
            or AvpFormat.ServiceCategory or AvpFormat.PerHopBehavior or AvpFormat.ModemOnHoldStatus => (2, 2),
        AvpFormat.AccessLoopEncapsulation => (3, 3),
        AvpFormat.Number32 or AvpFormat.FramingMask or AvpFormat.BearerMask or AvpFormat.VpiVci or AvpFormat.Delay
            or AvpFormat.AccessLineType or AvpFormat.InterworkingFunction => (4, 4),
        AvpFormat.FailoverCapability or AvpFormat.SequencePair => (6, 6),
        AvpFormat.Number64 or AvpFormat.DataRate => (8, 8),
        AvpFormat.IdentifierPair or AvpFormat.Accm => (10, 10),
        AvpFormat.ConnectSpeedUpdate => (12, 12),
        AvpFormat.ChallengeResponse => (16, 16),
        AvpFormat.NsapAddress => (20, 20),
        AvpFormat.CallErrors => (26, 26),
        AvpFormat.ResultCode => (2, Avp.MaximumValueSize),
        AvpFormat.Q931Cause => (3, Avp.MaximumValueSize),
        AvpFormat.PppDisconnectCause => (5, Avp.MaximumValueSize),
        AvpFormat.NonEmptyText or AvpFormat.RandomOctets => (1, Avp.MaximumValueSize),
        _ => (0, Avp.MaximumValueSize),
    };
}

/// <summary>One row of the table of AVPs.</summary>
/// <param name="Name">The RFC's name.</param>
/// <param name="IsMandatory">The M bit with which the AVP is sent. Never a reason to refuse one that came otherwise: peers differ.</param>
/// <param name="MayBeHidden">False where the RFC forbids the H bit.</param>
/// <param name="Required">Messages that must carry it.</param>
/// <param name="Optional">Messages that may carry it.</param>
/// <param name="Rfc">Where it is defined; 0 for a vendor's own.</param>
public sealed record AvpDefinition(
    AvpId Id, string Name, AvpFormat Format, bool IsMandatory, bool MayBeHidden, MessageSet Required, MessageSet Optional, int Rfc)
{
    /// <summary>
    /// False for AVPs that are only known by name, because nothing here acts on them: such an AVP with the M bit ends the session or
    /// tunnel like any unknown one (section 4.2).
    /// </summary>
    public bool IsRecognized { get; init; } = true;

    /// <summary>Several may stand in one message; otherwise the first wins.</summary>
    public bool MayRepeat { get; init; }
}
