using System.Runtime.CompilerServices;

namespace Culvert.Fuzz.Coverage;

/// <summary>
/// Which edges between basic blocks one input took, and how often. Instrumented code calls <see cref="Visit"/> at the start of every
/// block; targets call it for outcomes that deserve to be remembered, so that there is something to go by without instrumentation too.
/// One thread per load context: the fields are plain.
/// </summary>
public static class EdgeMap
{
    /// <summary>The product has some 20,000 blocks: few edges collide.</summary>
    public const int Size = 1 << 16;

    private static readonly byte[] Hits = new byte[Size];
    private static readonly int[] Touched = new int[Size];

    /// <summary>For each edge the buckets of counts that were ever seen.</summary>
    private static readonly byte[] Seen = new byte[Size];

    private static int _touched;
    private static int _previous;

    /// <summary>Edges ever seen.</summary>
    public static int EdgeCount { get; private set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Visit(int block)
    {
        int edge = (block ^ _previous) & (Size - 1);
        _previous = block >> 1;
        byte hits = Hits[edge];
        if (hits == 0)
        {
            Touched[_touched++] = edge;
        }

        if (hits < byte.MaxValue)
        {
            Hits[edge] = (byte)(hits + 1);
        }
    }

    /// <summary>An outcome: an event, a state, a verdict. Never taken for a block.</summary>
    public static void Note(int kind, int value) => Visit((int)((uint)HashCode(kind, value) >> 8));

    /// <summary>Before an input.</summary>
    public static void Begin()
    {
        for (int i = 0; i < _touched; i++)
        {
            Hits[Touched[i]] = 0;
        }

        _touched = 0;
        _previous = 0;
    }

    /// <summary>After an input: true when it did something that none did before it.</summary>
    public static bool TakeNews()
    {
        bool isNew = false;
        for (int i = 0; i < _touched; i++)
        {
            int edge = Touched[i];
            byte bucket = BucketOf(Hits[edge]);
            byte seen = Seen[edge];
            if ((seen & bucket) == 0)
            {
                EdgeCount += seen == 0 ? 1 : 0;
                Seen[edge] = (byte)(seen | bucket);
                isNew = true;
            }
        }

        return isNew;
    }

    /// <summary>What the last input did: pairs of edge and bucket as one number each.</summary>
    public static int[] Snapshot()
    {
        int[] taken = new int[_touched];
        for (int i = 0; i < _touched; i++)
        {
            taken[i] = (Touched[i] << 8) | BucketOf(Hits[Touched[i]]);
        }

        return taken;
    }

    /// <summary>Forgets everything: for another target.</summary>
    public static void Clear()
    {
        Begin();
        Array.Clear(Seen);
        EdgeCount = 0;
    }

    // Once, twice, three times, a few, many: a loop that runs 40 times instead of 41 is no news.
    private static byte BucketOf(byte hits) => hits switch
    {
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };

    private static int HashCode(int kind, int value) => unchecked(((kind * 0x01000193) ^ value) * (int)0x9E3779B1);
}
