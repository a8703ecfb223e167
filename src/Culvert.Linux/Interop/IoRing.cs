using System.Runtime.InteropServices;

namespace Culvert.Linux.Interop;

/// <summary>What an <see cref="IoRing"/> carries out (the numbers are the kernel's).</summary>
internal enum IoOperation : byte
{
    /// <summary>writev: address and number of <see cref="IoVector"/>s.</summary>
    WriteGathered = 2,

    /// <summary>read: address and octets of a buffer.</summary>
    Read = 22,
}

/// <summary>
/// Operations on descriptors that the kernel carries out with one call, in their order, none of which waits (io_uring). Belongs to one thread.
/// </summary>
internal sealed unsafe class IoRing : IDisposable
{
    // Linux 5.12: by then it has both operations, TUN devices know reads that do not wait, and the ring is not locked memory.
    private const uint NeededFeatures = SingleMapping | NativeWorkers;
    private const uint SingleMapping = 1 << 0;
    private const uint NativeWorkers = 1 << 9;
    private const int NoWait = 0x8;
    private const nint WaitForCompletions = 1;
    private const nint EntriesMapping = 0x10000000;

    // The kernel says EAGAIN when it has no memory for a request just now.
    private const int MaximumAttempts = 3;

    private readonly Descriptor _ring;
    private readonly byte* _memory;
    private readonly nuint _memorySize;
    private readonly Entry* _entries;
    private readonly nuint _entriesSize;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly Completion* _completions;
    private readonly uint _submissionMask;
    private readonly uint _completionMask;
    private uint _count;

    private IoRing(Descriptor ring, in Parameters parameters)
    {
        _ring = ring;
        RingOffsets submission = parameters.Submission;
        RingOffsets completion = parameters.Completion;
        nuint forSubmission = submission.Array + (parameters.SubmissionEntries * sizeof(uint));
        nuint forCompletion = completion.Completions + (parameters.CompletionEntries * (nuint)sizeof(Completion));
        _memorySize = Math.Max(forSubmission, forCompletion);
        _entriesSize = parameters.SubmissionEntries * (nuint)sizeof(Entry);
        _memory = Map(ring, _memorySize, 0);
        try
        {
            _entries = (Entry*)Map(ring, _entriesSize, EntriesMapping);
        }
        catch
        {
            _ = Libc.Unmap(_memory, _memorySize);
            throw;
        }

        _submissionHead = (uint*)(_memory + submission.Head);
        _submissionTail = (uint*)(_memory + submission.Tail);
        _submissionMask = *(uint*)(_memory + submission.Mask);
        _completionHead = (uint*)(_memory + completion.Head);
        _completionTail = (uint*)(_memory + completion.Tail);
        _completionMask = *(uint*)(_memory + completion.Mask);
        _completions = (Completion*)(_memory + completion.Completions);
        Capacity = (int)parameters.SubmissionEntries;

        // Which entry stands at which place of the queue: always the one of the same number.
        uint* array = (uint*)(_memory + submission.Array);
        for (uint i = 0; i < parameters.SubmissionEntries; i++)
        {
            array[i] = i;
        }
    }

    /// <summary>Operations that one <see cref="Submit"/> carries out at most.</summary>
    internal int Capacity { get; }

    /// <summary>Null, and why, where the kernel has no io_uring, too old a one, or does not allow it.</summary>
    /// <param name="capacity">Operations at once; a power of two.</param>
    /// <param name="error">ENOSYS: not there, or too old; EPERM: forbidden (kernel.io_uring_disabled, or a container's filter).</param>
    internal static IoRing? TryOpen(int capacity, out Errno error)
    {
        Parameters parameters = default;
        nint opened = Libc.SetUpRing(Libc.SetUpRingNumber, capacity, &parameters);
        if (opened < 0)
        {
            error = Libc.LastError;
            return null;
        }

        Descriptor ring = Descriptor.Own((int)opened, "open an io_uring");
        if ((parameters.Features & NeededFeatures) != NeededFeatures)
        {
            ring.Dispose();
            error = Errno.ENOSYS;
            return null;
        }

        try
        {
            error = Errno.None;
            return new IoRing(ring, parameters);
        }
        catch (LinuxException refused)
        {
            ring.Dispose();
            error = refused.Error;
            return null;
        }
    }

    /// <summary>Queues an operation; what it points to must stay as it is until <see cref="Submit"/>.</summary>
    internal void Add(IoOperation operation, int descriptor, void* address, int count)
    {
        if (_count == (uint)Capacity)
        {
            throw new InvalidOperationException("The ring is full.");
        }

        Entry* entry = &_entries[(*_submissionTail + _count) & _submissionMask];
        *entry = new Entry
        {
            Operation = operation,
            Descriptor = descriptor,
            Address = address,
            Count = (uint)count,
            Flags = NoWait,
            Number = _count++,
        };
    }

    /// <summary>Carries out what was queued, in order, before it returns.</summary>
    /// <param name="results">What each operation returned, by its place; an error as a negative number.</param>
    internal void Submit(Span<int> results)
    {
        uint left = _count, pending = _count;
        results = results[..(int)_count];
        results.Fill(-(int)Errno.EAGAIN);
        _count = 0;
        Volatile.Write(ref *_submissionTail, *_submissionTail + left);
        for (int attempts = 0; pending > 0;)
        {
            int taken = (int)Libc.EnterRing(Libc.EnterRingNumber, _ring.Number, (nint)left, (nint)pending, WaitForCompletions, null, 0);
            if (taken > 0)
            {
                left -= (uint)taken;
            }

            uint completed = Collect(results);
            pending -= completed;
            if (taken <= 0 && completed == 0 && ++attempts == MaximumAttempts)
            {
                // What the kernel did not take is not done, and is not to be done later.
                *_submissionTail = Volatile.Read(ref *_submissionHead);
                pending -= left;
                left = 0;
                attempts = 0;
            }
        }
    }

    public void Dispose()
    {
        if (!_ring.IsClosed)
        {
            _ = Libc.Unmap(_entries, _entriesSize);
            _ = Libc.Unmap(_memory, _memorySize);
            _ring.Dispose();
        }
    }

    private static byte* Map(Descriptor ring, nuint size, nint offset)
    {
        void* memory = Libc.Map(null, size, Constants.ProtectReadWrite, Constants.MapShared | Constants.MapPopulate, ring.Number, offset);
        return (nint)memory != -1 ? (byte*)memory : throw new LinuxException(Libc.LastError, "map an io_uring");
    }

    private uint Collect(Span<int> results)
    {
        uint head = *_completionHead;
        uint tail = Volatile.Read(ref *_completionTail);
        for (uint i = head; i != tail; i++)
        {
            ref readonly Completion done = ref _completions[i & _completionMask];
            results[(int)done.Number] = done.Result;
        }

        Volatile.Write(ref *_completionHead, tail);
        return tail - head;
    }

    /// <summary>struct io_uring_sqe.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Entry
    {
        public IoOperation Operation;
        private readonly byte _entryFlags;
        private readonly ushort _priority;
        public int Descriptor;
        private readonly ulong _offset;
        public void* Address;
        public uint Count;
        public int Flags;
        public ulong Number;
    }

    /// <summary>struct io_uring_cqe.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Completion
    {
        public ulong Number;
        public int Result;
        private readonly uint _flags;
    }

    /// <summary>struct io_sqring_offsets and struct io_cqring_offsets, which differ from the fifth number on.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct RingOffsets
    {
        [FieldOffset(0)]
        public uint Head;

        [FieldOffset(4)]
        public uint Tail;

        [FieldOffset(8)]
        public uint Mask;

        /// <summary>Of the completions.</summary>
        [FieldOffset(20)]
        public uint Completions;

        /// <summary>Of the submissions.</summary>
        [FieldOffset(24)]
        public uint Array;
    }

    /// <summary>struct io_uring_params.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 120)]
    private struct Parameters
    {
        [FieldOffset(0)]
        public uint SubmissionEntries;

        [FieldOffset(4)]
        public uint CompletionEntries;

        [FieldOffset(20)]
        public uint Features;

        [FieldOffset(40)]
        public RingOffsets Submission;

        [FieldOffset(80)]
        public RingOffsets Completion;
    }
}
