namespace Culvert.Capture;

/// <summary>Block types of pcapng.</summary>
internal static class PcapNgBlock
{
    public const uint SectionHeader = 0x0A0D0D0A;
    public const uint InterfaceDescription = 1;

    /// <summary>What early writers used before <see cref="EnhancedPacket"/>.</summary>
    public const uint ObsoletePacket = 2;
    public const uint SimplePacket = 3;
    public const uint InterfaceStatistics = 5;
    public const uint EnhancedPacket = 6;
}

/// <summary>Option codes of pcapng; each block type has its own list, beside the first two.</summary>
internal static class PcapNgOption
{
    public const ushort End = 0;
    public const ushort Comment = 1;

    public const ushort SectionApplication = 4;

    public const ushort InterfaceName = 2;
    public const ushort InterfaceDescription = 3;
    public const ushort InterfaceTimeResolution = 9;
    public const ushort InterfaceTimeOffset = 14;

    public const ushort PacketFlags = 2;

    public const ushort StatisticsStart = 2;
    public const ushort StatisticsEnd = 3;
    public const ushort StatisticsReceived = 4;
    public const ushort StatisticsDropped = 5;
}
