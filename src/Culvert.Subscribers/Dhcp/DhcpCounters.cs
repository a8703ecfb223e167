namespace Culvert.Subscribers.Dhcp;

/// <summary>What became of what subscribers sent to a DHCP server.</summary>
public enum DhcpOutcome : byte
{
    /// <summary>A DHCPINFORM was answered in full.</summary>
    Answered,

    /// <summary>A DHCPINFORM was answered, but not everything that is configured found room.</summary>
    AnsweredInPart,

    /// <summary>A DHCPDISCOVER, DHCPREQUEST or the like, or plain BOOTP: addresses are given by IPCP.</summary>
    OtherMessage,

    /// <summary>Not a DHCP message by RFC 2131 and RFC 2132, or a checksum is wrong.</summary>
    Malformed,

    /// <summary>The client says that it has another address than its session, or sends from another one.</summary>
    WrongAddress,

    /// <summary>It comes through a relay: somebody's client behind the subscriber.</summary>
    Relayed,

    /// <summary>More messages from one session than <see cref="DhcpResponder.Pace"/> lets through.</summary>
    RateExceeded,

    /// <summary>No answer could be sent: no address of our own in this session, its packets too small, or too many answers waiting.</summary>
    Unanswered,
}

/// <summary>How often each <see cref="DhcpOutcome"/> was.</summary>
public sealed class DhcpCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<DhcpOutcome>().Length];

    public long this[DhcpOutcome outcome] => _counts[(int)outcome];

    internal void Count(DhcpOutcome outcome) => _counts[(int)outcome]++;
}
