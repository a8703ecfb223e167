using System.Numerics;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Longest-prefix match for IPv6: one hash table for each prefix length in use, asked from the longest to the shortest. Operators
/// use two or three lengths (/64 links, /56 delegations, a few hosts), so a lookup costs as many probes.
/// </summary>
internal sealed class IPv6Routes
{
    private Level[] _levels = [];

    public uint Find(ulong high, ulong low)
    {
        foreach (Level level in Volatile.Read(ref _levels))
        {
            uint key = level.Find(high, low);
            if (key != 0)
            {
                return key;
            }
        }

        return 0;
    }

    public void Add(IpPrefix prefix, SessionKey session)
    {
        Level? level = Array.Find(_levels, l => l.Length == prefix.Length);
        if (level is null)
        {
            level = new Level(prefix.Length);
            Level[] levels = [.. _levels, level];
            Array.Sort(levels, (a, b) => b.Length.CompareTo(a.Length));
            Volatile.Write(ref _levels, levels);
        }

        (ulong high, ulong low) = prefix.Address.ToUInt128Parts();
        level.Add(high, low, session.Value);
    }

    public void Remove(IpPrefix prefix)
    {
        Level level = Array.Find(_levels, l => l.Length == prefix.Length)!;
        (ulong high, ulong low) = prefix.Address.ToUInt128Parts();
        level.Remove(high, low);
        if (level.Count == 0)
        {
            Volatile.Write(ref _levels, Array.FindAll(_levels, l => l != level));
        }
    }

    // Chains of nodes that are published whole and unlinked without being changed: a reader inside a chain always finds its end.
    private sealed class Node(ulong high, ulong low, uint key, Node? next)
    {
        public readonly ulong High = high;
        public readonly ulong Low = low;
        public readonly uint Key = key;
        public Node? Next = next;
    }

    private sealed class Level(int length)
    {
        private const int InitialBuckets = 16;

        private readonly ulong _maskHigh = length >= 64 ? ulong.MaxValue : length == 0 ? 0 : ulong.MaxValue << (64 - length);
        private readonly ulong _maskLow = length <= 64 ? 0 : ulong.MaxValue << (128 - length);
        private Node?[] _buckets = new Node?[InitialBuckets];

        public int Length => length;

        public int Count { get; private set; }

        public uint Find(ulong high, ulong low)
        {
            high &= _maskHigh;
            low &= _maskLow;
            Node?[] buckets = Volatile.Read(ref _buckets);
            Node? node = Volatile.Read(ref buckets[Bucket(high, low, buckets.Length)]);
            while (node is not null && (node.High != high || node.Low != low))
            {
                node = Volatile.Read(ref node.Next);
            }

            return node?.Key ?? 0;
        }

        public void Add(ulong high, ulong low, uint key)
        {
            if (Count >= _buckets.Length)
            {
                Grow();
            }

            ref Node? bucket = ref _buckets[Bucket(high, low, _buckets.Length)];
            Volatile.Write(ref bucket, new Node(high, low, key, bucket));
            Count++;
        }

        public void Remove(ulong high, ulong low)
        {
            ref Node? link = ref _buckets[Bucket(high, low, _buckets.Length)];
            while (link!.High != high || link.Low != low)
            {
                link = ref link.Next;
            }

            Volatile.Write(ref link, link.Next);
            Count--;
        }

        // Subscriber prefixes are consecutive numbers: multiply, so that their low bits reach the index.
        private static int Bucket(ulong high, ulong low, int buckets)
        {
            ulong hash = (high ^ BitOperations.RotateLeft(low, 29)) * 0x9E3779B97F4A7C15;
            hash = (hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93;
            return (int)(hash >> 33) & (buckets - 1);
        }

        private void Grow()
        {
            var grown = new Node?[_buckets.Length * 2];
            foreach (Node? first in _buckets)
            {
                for (Node? node = first; node is not null; node = node.Next)
                {
                    ref Node? bucket = ref grown[Bucket(node.High, node.Low, grown.Length)];
                    bucket = new Node(node.High, node.Low, node.Key, bucket);
                }
            }

            Volatile.Write(ref _buckets, grown);
        }
    }
}
