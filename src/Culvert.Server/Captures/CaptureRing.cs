using Culvert.Core;

namespace Culvert.Server.Captures;

/// <summary>What the shard knows about a datagram that it has put into a <see cref="CaptureRing"/>.</summary>
/// <param name="LocalPort">Our UDP port; the path holds the rest.</param>
/// <param name="Comment">To be noted beside this packet; null for most.</param>
internal readonly record struct TappedDatagram(Timestamp At, UdpPath Path, ushort LocalPort, bool IsSent, string? Comment);

/// <summary>
/// Datagrams on their way from the shard to the one who writes them out: one thread puts in, one takes out, neither waits for the
/// other. All memory is taken at the start. When the ring is full datagrams are dropped and counted; the packet path never waits.
/// </summary>
internal sealed class CaptureRing(int slots, int slotSize)
{
    private readonly TappedDatagram[] _abouts = new TappedDatagram[slots];
    private readonly int[] _lengths = new int[slots];
    private readonly byte[] _octets = new byte[slots * slotSize];
    private long _put;
    private long _taken;
    private long _dropped;

    /// <summary>Datagrams that did not fit; read by any thread.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Datagrams put in; read by any thread.</summary>
    public long Accepted => Volatile.Read(ref _put);

    /// <summary>For the thread that puts in: whether the next one of usual size will be taken.</summary>
    public bool HasRoom => _put - Volatile.Read(ref _taken) < _lengths.Length;

    /// <summary>On the shard's thread. False when it was dropped.</summary>
    public bool TryPut(ReadOnlySpan<byte> datagram, in TappedDatagram about)
    {
        if (!HasRoom || datagram.Length > slotSize)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            return false;
        }

        int slot = (int)(_put % _lengths.Length);
        datagram.CopyTo(_octets.AsSpan(slot * slotSize, slotSize));
        _lengths[slot] = datagram.Length;
        _abouts[slot] = about;
        Volatile.Write(ref _put, _put + 1);
        return true;
    }

    /// <summary>On the taker's thread: the oldest datagram, valid until <see cref="Release"/>; false when there is none.</summary>
    public bool TryPeek(out TappedDatagram about, out ReadOnlySpan<byte> datagram)
    {
        if (_taken == Volatile.Read(ref _put))
        {
            about = default;
            datagram = default;
            return false;
        }

        int slot = (int)(_taken % _lengths.Length);
        about = _abouts[slot];
        datagram = _octets.AsSpan(slot * slotSize, _lengths[slot]);
        return true;
    }

    /// <summary>Gives the slot of the datagram last peeked at back to the shard.</summary>
    public void Release() => Volatile.Write(ref _taken, _taken + 1);
}
