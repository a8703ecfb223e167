using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Longest-prefix match by direct index: the upper 16 bits, then 8, then 8. A shorter prefix is written into every slot that it
/// covers (RFC 1812 leaves the method open; this is controlled prefix expansion), so a lookup is at most three loads and never
/// goes back. A slot holds a session key in its low half and the prefix length plus one above; one 64-bit store changes it.
/// </summary>
internal sealed class IPv4Routes
{
    private const int RootBits = 16;
    private const int NodeBits = 8;

    // Nodes are unlinked, never reused: a reader inside one finishes on what it saw.
    private sealed class Node(int bits, ulong fill)
    {
        public readonly ulong[] Slots = Filled(1 << bits, fill);
        public Node?[]? Children;
        public int Routes;

        private static ulong[] Filled(int count, ulong value)
        {
            var slots = new ulong[count];
            slots.AsSpan().Fill(value);
            return slots;
        }
    }

    private Node? _root;

    public uint Find(uint address)
    {
        Node? node = Volatile.Read(ref _root);
        if (node is null)
        {
            return 0;
        }

        uint index = address >> RootBits;
        int shift = RootBits;
        while (Volatile.Read(ref node.Children) is { } children && Volatile.Read(ref children[index]) is { } child)
        {
            node = child;
            shift -= NodeBits;
            index = (address >> shift) & 0xFF;
        }

        return (uint)Volatile.Read(ref node.Slots[index]);
    }

    public void Add(IpPrefix prefix, SessionKey session)
    {
        _root ??= new Node(RootBits, 0);
        Node node = _root;
        uint address = prefix.Address.ToUInt32();
        for (int end = RootBits; ; end += NodeBits)
        {
            node.Routes++;
            if (prefix.Length <= end)
            {
                Overwrite(node, Range(prefix, end), Pack(session, prefix.Length), prefix.Length, exact: false);
                return;
            }

            uint index = IndexAt(address, end);
            Node?[] children = node.Children ?? new Node?[node.Slots.Length];
            Node? child = children[index];
            if (child is null)
            {
                child = new Node(NodeBits, node.Slots[index]);
                Volatile.Write(ref children[index], child);
            }

            Volatile.Write(ref node.Children, children);
            node = child;
        }
    }

    public void Remove(IpPrefix prefix, RouteTable.Route? cover)
    {
        Node node = _root!;
        uint address = prefix.Address.ToUInt32();
        ulong heir = cover is null ? 0 : Pack(cover.Session, cover.Prefix.Length);
        for (int end = RootBits; ; end += NodeBits)
        {
            node.Routes--;
            if (prefix.Length <= end)
            {
                Overwrite(node, Range(prefix, end), heir, prefix.Length, exact: true);
                return;
            }

            uint index = IndexAt(address, end);
            Node child = node.Children![index]!;
            if (child.Routes == 1)
            {
                // Its last route: the slot above holds the cover already.
                Volatile.Write(ref node.Children[index], null);
                return;
            }

            node = child;
        }
    }

    private static uint IndexAt(uint address, int end) => end == RootBits ? address >> RootBits : (address >> (32 - end)) & 0xFF;

    private static (int Start, int Count) Range(IpPrefix prefix, int end) =>
        ((int)IndexAt(prefix.Address.ToUInt32(), end), 1 << (end - Math.Max(prefix.Length, end == RootBits ? 0 : end - NodeBits)));

    private static ulong Pack(SessionKey session, int length) => ((ulong)(uint)(length + 1) << 32) | session.Value;

    private static int LengthOf(ulong slot) => (int)(slot >> 32) - 1;

    private static void Overwrite(Node node, (int Start, int Count) range, ulong value, int length, bool exact)
    {
        for (int i = range.Start; i < range.Start + range.Count; i++)
        {
            int held = LengthOf(node.Slots[i]);
            if (exact ? held == length : held <= length)
            {
                Volatile.Write(ref node.Slots[i], value);
            }

            if (node.Children?[i] is { } child)
            {
                Overwrite(child, (0, child.Slots.Length), value, length, exact);
            }
        }
    }
}
