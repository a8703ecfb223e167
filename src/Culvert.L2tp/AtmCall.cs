namespace Culvert.L2tp;

/// <summary>What RFC 3301 adds to a call over ATM. For logs; nothing here depends on it.</summary>
public sealed record AtmCall
{
    /// <summary>Service Name; null when not said.</summary>
    public string? ServiceName { get; init; }

    /// <summary>Service Category, bit S: real time; null when not said.</summary>
    public bool? IsRealTime { get; init; }

    /// <summary>Calling Sub-Address: an NSAP address in 40 hexadecimal digits; null when not said.</summary>
    public string? CallingSubAddress { get; init; }

    /// <summary>VPI in the upper half (12 bits), VCI in the lower; null when not said.</summary>
    public uint? VpiVci { get; init; }
}
