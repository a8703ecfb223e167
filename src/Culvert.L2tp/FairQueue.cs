using Culvert.Core;

namespace Culvert.L2tp;

/// <summary>
/// Bounded queues of messages, one for each of 256 places among which peers are spread, served round robin; see
/// <see cref="ControlGate"/>. Round robin by messages is deficit round robin with a quantum of one.
/// </summary>
internal sealed class FairQueue(int perTurn, int eachPerTurn, int capacity)
{
    private const int Places = 256;
    private const int None = -1;

    private readonly Place[] _places = MakePlaces();
    private Slot[] _slots = [];
    private byte[] _octets = [];
    private int _firstFree = None;
    private int _firstActive = None;
    private int _lastActive = None;
    private int _used;
    private uint _turn;

    public int Waiting { get; private set; }

    public long Deferred { get; private set; }

    public long Dropped { get; private set; }

    public bool CanTake => Waiting > 0 && _used < perTurn;

    /// <summary>Adds up by peer address what waits.</summary>
    public void CountWaiting(IDictionary<IpAddress, int> byPeer)
    {
        foreach (ref Place place in _places.AsSpan())
        {
            int slot = place.First;
            for (int i = 0; i < place.Count; i++)
            {
                IpAddress peer = _slots[slot].Path.Peer.Address;
                byPeer[peer] = (byPeer.TryGetValue(peer, out int before) ? before : 0) + 1;
                slot = _slots[slot].Next;
            }
        }
    }

    public void BeginTurn()
    {
        _turn++;
        _used = 0;
    }

    /// <summary>True when the message is to be handled now; else it is kept or dropped.</summary>
    public bool TryAdmit(uint digest, in UdpPath path, ReadOnlySpan<byte> datagram)
    {
        int at = (int)(digest % Places);
        ref Place place = ref _places[at];
        if (place.Turn != _turn)
        {
            (place.Turn, place.Used) = (_turn, 0);
        }

        if (place.Count == 0 && place.Used < eachPerTurn && _used < perTurn)
        {
            place.Used++;
            _used++;
            return true;
        }

        Keep(at, path, datagram);
        return false;
    }

    /// <summary>Takes one message of the place whose turn it is.</summary>
    public bool TryTake(out UdpPath path, out ReadOnlySpan<byte> datagram)
    {
        if (!CanTake)
        {
            path = default;
            datagram = default;
            return false;
        }

        int at = _firstActive;
        _firstActive = _places[at].NextActive;
        _lastActive = _firstActive == None ? None : _lastActive;
        int slot = TakeFirst(at);
        if (_places[at].Count > 0)
        {
            Activate(at);
        }

        _used++;
        path = _slots[slot].Path;
        datagram = _octets.AsSpan(slot * ControlGate.MessageLimit, _slots[slot].Length);
        return true;
    }

    private void Keep(int at, in UdpPath path, ReadOnlySpan<byte> datagram)
    {
        Prepare();
        if (datagram.Length > ControlGate.MessageLimit || (_firstFree == None && !TryMakeRoom(at)))
        {
            Dropped++;
            return;
        }

        int slot = _firstFree;
        _firstFree = _slots[slot].Next;
        _slots[slot] = new() { Path = path, Length = datagram.Length, Next = None };
        datagram.CopyTo(_octets.AsSpan(slot * ControlGate.MessageLimit));
        ref Place place = ref _places[at];
        if (place.Count++ == 0)
        {
            place.First = slot;
            Activate(at);
        }
        else
        {
            _slots[place.Last].Next = slot;
        }

        place.Last = slot;
        Waiting++;
        Deferred++;
    }

    // Whoever has most waiting loses a message to who has less; the newcomer itself when it has most.
    private bool TryMakeRoom(int at)
    {
        int longest = at;
        for (int i = 0; i < Places; i++)
        {
            longest = _places[i].Count > _places[longest].Count ? i : longest;
        }

        // Not the only one: the place would have to leave the round.
        if (longest == at || _places[longest].Count < 2 || _places[longest].Count <= _places[at].Count + 1)
        {
            return false;
        }

        _ = TakeFirst(longest);
        Dropped++;
        return true;
    }

    // The slot is free at once, but nothing is written to it before the next call.
    private int TakeFirst(int at)
    {
        ref Place place = ref _places[at];
        int slot = place.First;
        place.First = _slots[slot].Next;
        place.Count--;
        _slots[slot].Next = _firstFree;
        _firstFree = slot;
        Waiting--;
        return slot;
    }

    private void Activate(int at)
    {
        _places[at].NextActive = None;
        if (_firstActive == None)
        {
            _firstActive = at;
        }
        else
        {
            _places[_lastActive].NextActive = at;
        }

        _lastActive = at;
    }

    // Nothing is taken until somebody sends too much.
    private void Prepare()
    {
        if (_slots.Length > 0)
        {
            return;
        }

        _slots = new Slot[capacity];
        _octets = new byte[capacity * ControlGate.MessageLimit];
        for (int i = capacity - 1; i >= 0; i--)
        {
            _slots[i].Next = _firstFree;
            _firstFree = i;
        }
    }

    private static Place[] MakePlaces()
    {
        var places = new Place[Places];
        Array.Fill(places, new() { First = None, Last = None, NextActive = None, Turn = uint.MaxValue });
        return places;
    }

    private struct Place
    {
        public int First;
        public int Last;
        public int Count;
        public int NextActive;
        public uint Turn;
        public int Used;
    }

    private struct Slot
    {
        public UdpPath Path;
        public int Length;
        public int Next;
    }
}
