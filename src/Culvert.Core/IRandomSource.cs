using System.Buffers.Binary;
using System.Numerics;

namespace Culvert.Core;

/// <summary>Where an engine's randomness comes from: the operating system in a node, a seed in a simulation.</summary>
public interface IRandomSource
{
    /// <summary>Fills <paramref name="destination"/> with random octets.</summary>
    void Fill(Span<byte> destination);
}

public static class RandomSourceExtensions
{
    public static ushort NextUInt16(this IRandomSource random)
    {
        Span<byte> octets = stackalloc byte[2];
        random.Fill(octets);
        return BinaryPrimitives.ReadUInt16BigEndian(octets);
    }

    public static uint NextUInt32(this IRandomSource random)
    {
        Span<byte> octets = stackalloc byte[4];
        random.Fill(octets);
        return BinaryPrimitives.ReadUInt32BigEndian(octets);
    }

    /// <summary>A number from 0 to <paramref name="limit"/> - 1, without bias that matters (limit far below 2^32).</summary>
    public static int NextBelow(this IRandomSource random, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        return (int)(((ulong)random.NextUInt32() * (uint)limit) >> 32);
    }
}

/// <summary>A repeatable source (xoshiro256**, seeded by splitmix64). For tests and simulation only: its output can be predicted.</summary>
public sealed class SeededRandom : IRandomSource
{
    private ulong _a, _b, _c, _d;

    public SeededRandom(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    public void Fill(Span<byte> destination)
    {
        Span<byte> octets = stackalloc byte[8];
        while (!destination.IsEmpty)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(octets, Next());
            int take = Math.Min(8, destination.Length);
            octets[..take].CopyTo(destination);
            destination = destination[take..];
        }
    }

    private ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
