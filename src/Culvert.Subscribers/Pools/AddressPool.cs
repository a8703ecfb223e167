using Culvert.Core;

namespace Culvert.Subscribers.Pools;

/// <summary>
/// Hands out the IPv4 addresses of one prefix. An address is never out twice; a user gets the address it had before while that is
/// still free; otherwise a fresh address, then the one that has been free the longest, so that returning users find theirs.
/// Every operation is O(1). Memory grows with the addresses ever used, not with the size of the prefix.
/// </summary>
public sealed class AddressPool
{
    /// <summary>Shortest prefix: 2^20 addresses, about 30 MB when all have been used. Larger pools are written as several.</summary>
    public const int ShortestPrefixLength = 12;

    private const int None = -1;

    private readonly uint _first;
    private readonly int _size;
    private readonly List<Slot> _slots = [];
    private readonly Dictionary<string, int> _lastOffsetOfUser = new(StringComparer.Ordinal);
    private readonly HashSet<int> _excluded = [];
    private int _oldestFree = None;
    private int _newestFree = None;

    /// <param name="name">For messages and tables.</param>
    /// <param name="prefix">An IPv4 prefix of length 12 to 32.</param>
    /// <param name="gateway">Our own address towards the subscribers; never handed out.</param>
    public AddressPool(string name, IpPrefix prefix, IpAddress gateway)
    {
        if (!prefix.Address.IsIPv4 || prefix.Length < ShortestPrefixLength)
        {
            throw new ArgumentOutOfRangeException(nameof(prefix), prefix, $"A pool is an IPv4 prefix of length {ShortestPrefixLength} to 32.");
        }

        Name = name;
        Prefix = prefix;
        Gateway = gateway;
        _first = prefix.Address.ToUInt32();
        _size = 1 << (32 - prefix.Length);
        if (IsOfTheSubnet(0))
        {
            _excluded.Add(0);
            _excluded.Add(_size - 1);
        }

        Exclude(gateway);
    }

    public string Name { get; }

    public IpPrefix Prefix { get; }

    public IpAddress Gateway { get; }

    /// <summary>Addresses handed out now.</summary>
    public int InUse { get; private set; }

    /// <summary>Addresses that can be handed out at once.</summary>
    public int Capacity => _size - _excluded.Count;

    /// <summary>Requests refused because every address was out, since the start.</summary>
    public long Exhausted { get; private set; }

    /// <summary>Keeps an address (a gateway, a user's fixed address) from being handed out to whoever comes.</summary>
    public void Exclude(IpAddress address)
    {
        if (TryOffset(address, out int offset) && _excluded.Add(offset) && offset < _slots.Count && _slots[offset].State == SlotState.Free)
        {
            Unlink(offset);
        }
    }

    /// <summary>Lets an excluded address be handed out again: it is no user's own any more. The gateway and the like stay excluded.</summary>
    public void Admit(IpAddress address)
    {
        if (address == Gateway || !TryOffset(address, out int offset) || IsOfTheSubnet(offset) || !_excluded.Remove(offset))
        {
            return;
        }

        if (offset < _slots.Count && _slots[offset].State == SlotState.Fresh)
        {
            AppendFree(offset);
        }
    }

    /// <summary>Takes an address for <paramref name="user"/>; false when none is left.</summary>
    public bool TryTake(string user, out IpAddress address)
    {
        if (TryReturnToUser(user, out int offset) || TryFresh(out offset) || TryOldestFree(out offset))
        {
            Assign(offset, user);
            address = At(offset);
            return true;
        }

        Exhausted++;
        address = default;
        return false;
    }

    /// <summary>Takes exactly <paramref name="address"/>, also an excluded one (a fixed address); false when it is out or not of this pool.</summary>
    public bool TryTakeExactly(IpAddress address, string user)
    {
        if (!TryOffset(address, out int offset) || address == Gateway)
        {
            return false;
        }

        GrowTo(offset);
        if (_slots[offset].State == SlotState.Out)
        {
            return false;
        }

        if (_slots[offset].State == SlotState.Free)
        {
            Unlink(offset);
        }

        Assign(offset, user);
        return true;
    }

    /// <summary>Gives an address back. One that is not out is ignored.</summary>
    public void Release(IpAddress address)
    {
        if (!TryOffset(address, out int offset) || offset >= _slots.Count || _slots[offset].State != SlotState.Out)
        {
            return;
        }

        InUse--;
        if (_excluded.Contains(offset))
        {
            _slots[offset] = _slots[offset] with { State = SlotState.Fresh };
        }
        else
        {
            AppendFree(offset);
        }
    }

    /// <summary>Hosts take the first and the last address of a subnet for network and broadcast and refuse to talk to them.</summary>
    private bool IsOfTheSubnet(int offset) => Prefix.Length <= 30 && (offset == 0 || offset == _size - 1);

    private bool TryReturnToUser(string user, out int offset)
    {
        if (!_lastOffsetOfUser.TryGetValue(user, out offset) || _slots[offset].State != SlotState.Free)
        {
            return false;
        }

        Unlink(offset);
        return true;
    }

    private bool TryFresh(out int offset)
    {
        while (_slots.Count < _size)
        {
            offset = _slots.Count;
            _slots.Add(default);
            if (!_excluded.Contains(offset))
            {
                return true;
            }
        }

        offset = None;
        return false;
    }

    private bool TryOldestFree(out int offset)
    {
        offset = _oldestFree;
        if (offset == None)
        {
            return false;
        }

        Unlink(offset);
        return true;
    }

    private void Assign(int offset, string user)
    {
        string? previous = _slots[offset].LastUser;
        if (previous is not null && previous != user && _lastOffsetOfUser.TryGetValue(previous, out int theirs) && theirs == offset)
        {
            _lastOffsetOfUser.Remove(previous);
        }

        _slots[offset] = new Slot(SlotState.Out, user, None, None);
        _lastOffsetOfUser[user] = offset;
        InUse++;
    }

    /// <summary>Makes slots up to and including <paramref name="offset"/>; those skipped join the free list so that they are not lost.</summary>
    private void GrowTo(int offset)
    {
        while (_slots.Count <= offset)
        {
            int skipped = _slots.Count;
            _slots.Add(default);
            if (skipped != offset && !_excluded.Contains(skipped))
            {
                AppendFree(skipped);
            }
        }
    }

    private void AppendFree(int offset)
    {
        _slots[offset] = _slots[offset] with { State = SlotState.Free, Older = _newestFree, Newer = None };
        if (_newestFree != None)
        {
            _slots[_newestFree] = _slots[_newestFree] with { Newer = offset };
        }
        else
        {
            _oldestFree = offset;
        }

        _newestFree = offset;
    }

    private void Unlink(int offset)
    {
        Slot slot = _slots[offset];
        if (slot.Older != None)
        {
            _slots[slot.Older] = _slots[slot.Older] with { Newer = slot.Newer };
        }
        else
        {
            _oldestFree = slot.Newer;
        }

        if (slot.Newer != None)
        {
            _slots[slot.Newer] = _slots[slot.Newer] with { Older = slot.Older };
        }
        else
        {
            _newestFree = slot.Older;
        }

        _slots[offset] = slot with { State = SlotState.Fresh, Older = None, Newer = None };
    }

    private bool TryOffset(IpAddress address, out int offset)
    {
        offset = Prefix.Contains(address) ? (int)(address.ToUInt32() - _first) : None;
        return offset != None;
    }

    private IpAddress At(int offset) => IpAddress.FromUInt32(_first + (uint)offset);

    private enum SlotState : byte
    {
        /// <summary>Not out and not in the free list: never used, or excluded.</summary>
        Fresh,
        Free,
        Out,
    }

    private readonly record struct Slot(SlotState State, string? LastUser, int Older, int Newer);
}
