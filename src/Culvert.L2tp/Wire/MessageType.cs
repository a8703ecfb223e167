namespace Culvert.L2tp.Wire;

/// <summary>Values of the Message Type AVP: RFC 2661 section 3.2, and those that later RFCs added.</summary>
public enum MessageType : ushort
{
    /// <summary>Start-Control-Connection-Request.</summary>
    Sccrq = 1,

    /// <summary>Start-Control-Connection-Reply.</summary>
    Sccrp = 2,

    /// <summary>Start-Control-Connection-Connected.</summary>
    Scccn = 3,

    /// <summary>Stop-Control-Connection-Notification.</summary>
    StopCcn = 4,

    Hello = 6,

    /// <summary>Outgoing-Call-Request.</summary>
    Ocrq = 7,

    /// <summary>Outgoing-Call-Reply.</summary>
    Ocrp = 8,

    /// <summary>Outgoing-Call-Connected.</summary>
    Occn = 9,

    /// <summary>Incoming-Call-Request.</summary>
    Icrq = 10,

    /// <summary>Incoming-Call-Reply.</summary>
    Icrp = 11,

    /// <summary>Incoming-Call-Connected.</summary>
    Iccn = 12,

    /// <summary>Call-Disconnect-Notify.</summary>
    Cdn = 14,

    /// <summary>WAN-Error-Notify.</summary>
    Wen = 15,

    /// <summary>Set-Link-Info.</summary>
    Sli = 16,

    /// <summary>Modem-Status (RFC 3573).</summary>
    Mdmst = 17,

    /// <summary>Service Relay Request (RFC 3817).</summary>
    Srrq = 18,

    /// <summary>Service Relay Reply (RFC 3817).</summary>
    Srrp = 19,

    /// <summary>Explicit-Acknowledgement (RFC 3931; L2TPv3 only).</summary>
    Ack = 20,

    /// <summary>Failover Session Query (RFC 4951).</summary>
    Fsq = 21,

    /// <summary>Failover Session Response (RFC 4951).</summary>
    Fsr = 22,

    /// <summary>Multicast-Session-Request (RFC 4045).</summary>
    Msrq = 23,

    /// <summary>Multicast-Session-Response (RFC 4045).</summary>
    Msrp = 24,

    /// <summary>Multicast-Session-Establishment (RFC 4045).</summary>
    Mse = 25,

    /// <summary>Multicast-Session-Information (RFC 4045).</summary>
    Msi = 26,

    /// <summary>Multicast-Session-End-Notify (RFC 4045).</summary>
    Msen = 27,

    /// <summary>Connect-Speed-Update-Notification (RFC 5515).</summary>
    Csun = 28,

    /// <summary>Connect-Speed-Update-Request (RFC 5515).</summary>
    Csurq = 29,
}

public static class MessageTypeNames
{
    private static readonly string?[] Names = Build();

    /// <summary>True for every value that an RFC defines, whether or not this program acts on it.</summary>
    public static bool IsDefined(this MessageType type) => (int)type < Names.Length && Names[(int)type] is not null;

    /// <summary>The RFC's short name such as "SCCRQ", or "message type 99".</summary>
    public static string Name(this MessageType type) => IsDefined(type) ? Names[(int)type]! : $"message type {(ushort)type}";

    /// <summary>True for the messages of section 6.1 to 6.5, which concern the tunnel and not one session.</summary>
    public static bool ConcernsTunnel(this MessageType type) => type is MessageType.Sccrq or MessageType.Sccrp or MessageType.Scccn
        or MessageType.StopCcn or MessageType.Hello or MessageType.Srrq or MessageType.Srrp or MessageType.Fsq or MessageType.Fsr
        or MessageType.Csun or MessageType.Csurq;

    private static string?[] Build()
    {
        MessageType[] all = Enum.GetValues<MessageType>();
        var names = new string?[(int)all[^1] + 1];
        foreach (MessageType type in all)
        {
            names[(int)type] = type == MessageType.StopCcn ? "StopCCN" : type.ToString().ToUpperInvariant();
        }

        return names;
    }
}

/// <summary>Messages of a set, as the table of AVPs says where an AVP belongs.</summary>
/// <param name="Bits">One bit per message type below 64.</param>
public readonly record struct MessageSet(ulong Bits)
{
    public static MessageSet None => default;

    /// <summary>Every message, known or not.</summary>
    public static MessageSet All => new(ulong.MaxValue);

    public static MessageSet Of(params ReadOnlySpan<MessageType> types)
    {
        ulong bits = 0;
        foreach (MessageType type in types)
        {
            bits |= 1UL << (int)type;
        }

        return new(bits);
    }

    public bool Contains(MessageType type) => (int)type < 64 ? (Bits >> (int)type & 1) != 0 : Bits == ulong.MaxValue;
}
