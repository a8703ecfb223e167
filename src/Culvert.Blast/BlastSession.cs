using System.Runtime.InteropServices;
using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Blast;

/// <summary>Where a session stands.</summary>
internal enum BlastSessionState : byte
{
    /// <summary>Not asked for, or (answerer) free.</summary>
    Idle,

    /// <summary>In its tunnel's queue of calls to place.</summary>
    Queued,

    /// <summary>Refused or broken off; its deadline is the next attempt.</summary>
    Waiting,

    /// <summary>ICRQ sent or, as answerer, ICRP sent.</summary>
    Calling,

    /// <summary>PPP has begun.</summary>
    Negotiating,

    Up,

    /// <summary>No attempt is left.</summary>
    Failed,
}

/// <summary>What two PPP ends have told each other so far.</summary>
[Flags]
internal enum PppMarks : byte
{
    None = 0,
    LcpAckReceived = 1,
    LcpAckSent = 2,
    IpcpAckReceived = 4,
    IpcpAckSent = 8,

    /// <summary>LCP agreed that there is authentication.</summary>
    Authenticates = 16,

    /// <summary>The peer rejected our Magic Number or would not take our MRU: they are left out.</summary>
    NoMagic = 32,
    NoMru = 64,
}

/// <summary>
/// One session with its PPP end, everything included: about 90 octets in an array of them. Text, templates and settings are shared,
/// what can be computed from the index is not kept.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct BlastSession
{
    public const int None = -1;

    /// <summary>When the attempt that is under way, or led to what is up, began.</summary>
    public Timestamp StartedAt;

    /// <summary>Which of the 64 sequence numbers before <see cref="NextExpected"/> have arrived.</summary>
    public ulong Arrived;

    /// <summary>Packets sent: the next sequence number.</summary>
    public uint Sent;

    /// <summary>One more than the largest sequence number that has arrived.</summary>
    public uint NextExpected;

    public uint Magic;

    /// <summary>The address of the client end, as a number; 0 until there is one.</summary>
    public uint Address;

    /// <summary>Next in its tunnel's queue, or in the list of free sessions.</summary>
    public int Next;

    /// <summary>Place in the list of sessions that are up.</summary>
    public int UpPosition;

    public int Tunnel;
    public ushort LocalSessionId;
    public ushort PeerSessionId;

    /// <summary>Counts lives, so that each has a Session ID of its own.</summary>
    public ushort Generation;

    public byte LcpIdentifier;
    public byte IpcpIdentifier;
    public byte Restarts;
    public byte Attempts;
    public PppPhase Phase;
    public PppMarks Marks;
    public AuthenticationMethod Method;
    public BlastSessionState State;

    public readonly bool Has(PppMarks marks) => (Marks & marks) == marks;

    /// <summary>True from the first control message of an attempt until it is up or has ended.</summary>
    public readonly bool IsBeingSetUp => State is BlastSessionState.Calling or BlastSessionState.Negotiating;
}
