namespace Culvert.Linux.Interop;

/// <summary>Numbers of the kernel's interface (asm-generic: x86-64 and arm64 agree on all of them).</summary>
internal static class Constants
{
    internal const int ClockMonotonic = 1;

    internal const int OpenReadWrite = 0x2;
    internal const int OpenNonBlocking = 0x800;
    internal const int OpenCloseOnExec = 0x80000;

    internal const int FamilyIPv4 = 2;
    internal const int FamilyIPv6 = 10;
    internal const int FamilyNetlink = 16;
    internal const int SocketDatagram = 2;
    internal const int SocketRaw = 3;

    internal const int LevelSocket = 1;
    internal const int LevelIPv4 = 0;
    internal const int LevelIPv6 = 41;
    internal const int LevelUdp = 17;
    internal const int LevelNetlink = 270;

    internal const int ReuseAddress = 2;
    internal const int SendBuffer = 7;
    internal const int ReceiveBuffer = 8;
    internal const int ReusePort = 15;
    internal const int ReceiveTimeout = 20;
    internal const int SendBufferForce = 32;
    internal const int ReceiveBufferForce = 33;
    internal const int Mark = 36;
    internal const int MemoryInfo = 55;
    internal const int ReceiveMark = 75;
    internal const int AttachReusePortFilter = 51;

    internal const int IPv4Tos = 1;
    internal const int IPv4PacketInfo = 8;
    internal const int IPv4MtuDiscover = 10;
    internal const int IPv4ReceiveErrors = 11;
    internal const int IPv4ReceiveTos = 13;
    internal const int IPv6MtuDiscover = 23;
    internal const int IPv6ReceiveErrors = 25;
    internal const int IPv6Only = 26;
    internal const int IPv6ReceivePacketInfo = 49;
    internal const int IPv6PacketInfo = 50;
    internal const int IPv6ReceiveTrafficClass = 66;
    internal const int IPv6TrafficClass = 67;
    internal const int UdpSegment = 103;
    internal const int UdpCoalesce = 104;

    internal const int MessageDoNotWait = 0x40;
    internal const int MessageTruncated = 0x20;
    internal const int MessageErrorQueue = 0x2000;
    internal const int MessageNoSignal = 0x4000;

    internal const short PollOut = 4;
    internal const short PollNotOpen = 0x20;

    internal const int AdviseHugePage = 14;
    internal const int ProtectReadWrite = 0x3;
    internal const int MapShared = 0x1;
    internal const int MapPopulate = 0x8000;

    internal const uint SchedulingOther = 0;

    internal const int EpollAdd = 1;
    internal const int EpollDelete = 2;
    internal const int EpollModify = 3;

    internal const uint TunSetInterface = 0x400454CA;
    internal const short TunMode = 0x1;
    internal const short TunMultiQueue = 0x100;
    internal const short TunNoPacketInfo = 0x1000;
    internal const short TunOffloadHeader = 0x4000;
    internal const uint TunSetOffload = 0x400454D0;
    internal const uint TunSetOffloadHeaderSize = 0x400454D8;
}
