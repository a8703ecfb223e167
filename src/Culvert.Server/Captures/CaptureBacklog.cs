namespace Culvert.Server.Captures;

/// <summary>
/// The last control messages and PPP negotiation frames of all sessions, kept while a capture waits for one user: a user is known only
/// after the login, and the login is what one wants to see. Exists only with such a capture; all memory is taken at its start. When
/// logins come faster than it holds, the beginning of some is lost, and the file begins later in the login.
/// </summary>
internal sealed class CaptureBacklog
{
    /// <summary>A login takes about 25 frames: some 80 at once.</summary>
    public const int Slots = 2048;

    /// <summary>Octets; control messages and negotiation frames are far shorter, and longer ones are not kept.</summary>
    public const int SlotSize = 1024;

    private readonly byte[] _octets = new byte[Slots * SlotSize];
    private readonly TappedDatagram[] _abouts = new TappedDatagram[Slots];

    // 0 for a slot that is empty or has been taken.
    private readonly int[] _lengths = new int[Slots];
    private long _put;

    public delegate bool Choice(ReadOnlySpan<byte> datagram, in TappedDatagram about);

    public void Put(ReadOnlySpan<byte> datagram, in TappedDatagram about)
    {
        if (datagram.Length is > 0 and <= SlotSize)
        {
            int slot = (int)(_put++ % Slots);
            datagram.CopyTo(_octets.AsSpan(slot * SlotSize, SlotSize));
            _lengths[slot] = datagram.Length;
            _abouts[slot] = about;
        }
    }

    /// <summary>Offers each datagram, the oldest first, and forgets those that <paramref name="take"/> takes.</summary>
    public void TakeWhere(Choice take)
    {
        for (long i = Math.Max(0, _put - Slots); i < _put; i++)
        {
            int slot = (int)(i % Slots);
            if (_lengths[slot] > 0 && take(_octets.AsSpan(slot * SlotSize, _lengths[slot]), _abouts[slot]))
            {
                _lengths[slot] = 0;
            }
        }
    }
}
