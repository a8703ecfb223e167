using Culvert.Core;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>
/// A bounded ring of entries of 20 octets each, which grows to its capacity as it fills. An established session has 3 of them: 84
/// octets and the 24 of this. Times count from <paramref name="start"/>.
/// </summary>
internal struct HistoryRing(Timestamp start)
{
    /// <summary>Entries of a tunnel: its set-up, and the calls of the last moments.</summary>
    public const int TunnelCapacity = 32;

    /// <summary>Entries of a session: its whole life, when nothing unusual happens.</summary>
    public const int SessionCapacity = 8;

    // What a call has when it is established.
    private const int InitialCapacity = 3;
    private const long NanosecondsPerMillisecond = 1_000_000;

    private Packed[] _entries = [];
    private long _written;

    public readonly int Count => (int)Math.Min(_written, _entries?.Length ?? 0);

    public readonly long Dropped => _written - Count;

    public readonly HistoryEntry this[int index] => Unpack(_entries[(int)((Dropped + index) % _entries.Length)]);

    public void Add(in HistoryEntry entry, int capacity)
    {
        if (_written == _entries.Length && _entries.Length < capacity)
        {
            Array.Resize(ref _entries, Math.Min(capacity, Math.Max(InitialCapacity, 2 * _entries.Length)));
        }

        _entries[_written++ % _entries.Length] = Pack(entry);
    }

    /// <summary>The state is now another: said with the message that brought it about, if that came at the same moment.</summary>
    public void NoteState(byte state, ushort localSessionId, Timestamp now, int capacity)
    {
        if (_written > 0)
        {
            ref Packed last = ref _entries[(_written - 1) % _entries.Length];
            if (last.State == state && last.LocalSessionId == localSessionId)
            {
                return;
            }

            if (last.LocalSessionId == localSessionId && Milliseconds(now) == last.Milliseconds)
            {
                last.State = state;
                return;
            }
        }

        Add(new(now, HistoryKind.State, 0, localSessionId, 0, 0, 0, 0, ErrorCode.None, state), capacity);
    }

    private readonly long Milliseconds(Timestamp at) => Math.Max(0, (at.Nanoseconds - start.Nanoseconds) / NanosecondsPerMillisecond);

    private readonly Packed Pack(in HistoryEntry entry)
    {
        long milliseconds = Milliseconds(entry.At);
        return new()
        {
            TimeLow = (uint)milliseconds,
            TimeHigh = (byte)(milliseconds >> 32),
            Kind = entry.Kind,
            Message = (byte)entry.Message,
            State = entry.State,
            LocalSessionId = entry.LocalSessionId,
            Ns = entry.Ns,
            Nr = entry.Nr,
            Length = entry.Length,
            Result = (byte)Math.Min(entry.Result, byte.MaxValue),
            Error = (byte)Math.Min((int)entry.Error, byte.MaxValue),
        };
    }

    private readonly HistoryEntry Unpack(in Packed entry) => new(
        start + TimeSpan.FromMilliseconds(entry.Milliseconds), entry.Kind, (MessageType)entry.Message, entry.LocalSessionId, entry.Ns,
        entry.Nr, entry.Length, entry.Result, (ErrorCode)entry.Error, entry.State);

    private struct Packed
    {
        public uint TimeLow;
        public ushort LocalSessionId;
        public ushort Ns;
        public ushort Nr;
        public ushort Length;
        public byte TimeHigh;
        public HistoryKind Kind;
        public byte Message;
        public byte State;
        public byte Result;
        public byte Error;

        public readonly long Milliseconds => ((long)TimeHigh << 32) | TimeLow;
    }
}
