using System.Runtime.InteropServices;

namespace Culvert.Linux.Interop;

// The kernel's structures as 64-bit Linux lays them out; the C names stand beside them.

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    internal const long NanosecondsPerSecond = 1_000_000_000;

    public long Seconds;
    public long Nanoseconds;

    internal static TimeSpec FromNanoseconds(long nanoseconds) => new()
    {
        Seconds = nanoseconds / NanosecondsPerSecond,
        Nanoseconds = nanoseconds % NanosecondsPerSecond,
    };
}

/// <summary>struct sched_attr, its first version.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SchedulingAttributes
{
    public uint Size;
    public uint Policy;
    public ulong Flags;
    public int Nice;
    public uint Priority;
    public ulong Runtime;
    public ulong Deadline;
    public ulong Period;
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public void* Base;
    public nuint Length;
}

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    public void* Name;
    public uint NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct mmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MultiMessageHeader
{
    public MessageHeader Message;
    public uint Length;
}

/// <summary>struct cmsghdr; its data follows, and the next one starts at a multiple of 8.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ControlHeader
{
    public nuint Length;
    public int Level;
    public int Type;
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollDescriptor
{
    public int Descriptor;
    public short Events;
    public short ReturnedEvents;
}

/// <summary>struct sock_extended_err; the offender's address follows it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ExtendedError
{
    public uint Errno;
    public byte Origin;
    public byte Type;
    public byte Code;
    public byte Pad;
    public uint Info;
    public uint Data;
}

/// <summary>struct sock_filter: one instruction of the kernel's classic packet filter. What cannot be loaded returns 0.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct FilterInstruction(ushort code, uint operand, byte jumpTrue = 0, byte jumpFalse = 0)
{
    /// <summary>Offsets from here on count from the IP header.</summary>
    internal const uint NetworkHeader = 0xFFF00000;

    internal const ushort LoadHalf = 0x28;
    internal const ushort LoadWord = 0x20;
    internal const ushort CopyToIndex = 0x07;
    internal const ushort AddIndex = 0x0C;
    internal const ushort Jump = 0x05;
    internal const ushort JumpIfSet = 0x45;
    internal const ushort Modulo = 0x94;
    internal const ushort Return = 0x06;
    internal const ushort ReturnA = 0x16;

    private readonly ushort _code = code;
    private readonly byte _jumpTrue = jumpTrue;
    private readonly byte _jumpFalse = jumpFalse;
    private readonly uint _operand = operand;
}

/// <summary>struct sock_fprog.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FilterProgram
{
    public ushort Count;
    public FilterInstruction* Instructions;
}

/// <summary>struct ifreq as TUNSETIFF reads and writes it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InterfaceRequest
{
    internal const int NameSize = 16;

    public fixed byte Name[NameSize];
    public short Flags;
    private fixed byte _rest[22];
}
