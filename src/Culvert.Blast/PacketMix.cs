using System.Globalization;

namespace Culvert.Blast;

/// <summary>Sizes of inner IP packets, in octets, and in which proportion they come: a fixed round, the same for every session.</summary>
public sealed class PacketMix
{
    /// <summary>Packets in one round: enough for any sensible proportion.</summary>
    private const int LongestRound = 1000;

    private readonly int[] _round;

    private PacketMix(string name, IReadOnlyList<(int Size, int Weight)> parts)
    {
        Name = name;
        _round = Interleave(parts);
        Largest = _round.Max();
        AverageSize = _round.Average();
    }

    /// <summary>
    /// The usual Internet mix, 7 to 4 to 1; the largest is what fits into a datagram of 1500 octets with all the headers around it.
    /// </summary>
    public static PacketMix Imix { get; } = new("imix", [(64, 7), (576, 4), (1450, 1)]);

    public string Name { get; }

    public int Largest { get; }

    public double AverageSize { get; }

    /// <summary>Packets in one round.</summary>
    public int Length => _round.Length;

    /// <summary>The size at a position counted from 0 without end.</summary>
    public int SizeAt(uint position) => _round[position % (uint)_round.Length];

    /// <summary>Reads "imix", a size such as "576", or "64:7,576:4,1450:1" (size and weight).</summary>
    public static bool TryParse(string text, out PacketMix mix)
    {
        mix = Imix;
        if (text.Equals("imix", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var parts = new List<(int Size, int Weight)>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] pair = part.Split(':');
            int weight = 1;
            if (pair.Length > 2 || !TryNumber(pair[0], out int size) || (pair.Length == 2 && !TryNumber(pair[1], out weight)) ||
                size is < StampedPacket.MinimumSize or > StampedPacket.MaximumSize || weight < 1)
            {
                return false;
            }

            parts.Add((size, weight));
        }

        if (parts.Sum(p => (long)p.Weight) > LongestRound)
        {
            return false;
        }

        mix = new PacketMix(text, parts);
        return true;
    }

    public override string ToString() => Name;

    // Each next packet is of the size that lags furthest behind its share, so that a round has no bursts of one size.
    private static int[] Interleave(IReadOnlyList<(int Size, int Weight)> parts)
    {
        int total = parts.Sum(p => p.Weight);
        int[] round = new int[total];
        int[] credits = new int[parts.Count];
        for (int i = 0; i < total; i++)
        {
            int next = 0;
            for (int p = 0; p < parts.Count; p++)
            {
                credits[p] += parts[p].Weight;
                next = credits[p] > credits[next] ? p : next;
            }

            credits[next] -= total;
            round[i] = parts[next].Size;
        }

        return round;
    }

    private static bool TryNumber(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
