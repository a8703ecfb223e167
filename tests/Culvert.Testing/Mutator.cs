using System.Buffers.Binary;
using Culvert.Core;

namespace Culvert.Testing;

/// <summary>
/// Turns good packets into bad ones, repeatably: bit flips, interesting octets and 16-bit values, cuts, insertions, copies within
/// the packet, splices of two packets, wrong lengths. One packet suffers one to four of them.
/// </summary>
public sealed class Mutator(ulong seed)
{
    /// <summary>Longest result, octets: a UDP payload cannot be longer.</summary>
    public const int MaximumLength = 65_507;

    private static readonly byte[] InterestingOctets = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x7F, 0x80, 0xC0, 0xC8, 0xFE, 0xFF];
    private static readonly ushort[] InterestingWords =
        [0, 1, 2, 4, 5, 6, 7, 8, 12, 0x3F, 0x3FF, 0x7FFF, 0x8000, 0x8006, 0xC021, 0xC023, 0xC223, 0x8021, 0xFF03, 0xFFFE, 0xFFFF];

    private readonly SeededRandom _random = new(seed);

    /// <summary>Every proper prefix of <paramref name="packet"/>, the empty one first.</summary>
    public static IEnumerable<byte[]> Truncations(byte[] packet)
    {
        for (int length = 0; length < packet.Length; length++)
        {
            yield return packet[..length];
        }
    }

    /// <summary>A damaged copy of <paramref name="packet"/>; by chance (rarely) equal to it.</summary>
    /// <param name="packet">A good packet.</param>
    /// <param name="other">Another one, for splices; the same one when absent.</param>
    public byte[] Mutate(ReadOnlySpan<byte> packet, ReadOnlySpan<byte> other = default)
    {
        byte[] result = packet.ToArray();
        byte[] donor = other.IsEmpty ? result : other.ToArray();
        for (int rounds = 1 + _random.NextBelow(4); rounds > 0; rounds--)
        {
            result = MutateOnce(result, donor);
        }

        return result.Length > MaximumLength ? result[..MaximumLength] : result;
    }

    /// <summary><paramref name="count"/> damaged packets, each from one of <paramref name="packets"/>.</summary>
    public IEnumerable<byte[]> Mutations(IReadOnlyList<byte[]> packets, int count)
    {
        for (int i = 0; i < count; i++)
        {
            yield return Mutate(packets[i % packets.Count], packets[_random.NextBelow(packets.Count)]);
        }
    }

    private byte[] MutateOnce(byte[] packet, byte[] donor)
    {
        if (packet.Length == 0)
        {
            return Insert(packet);
        }

        int at = _random.NextBelow(packet.Length);
        switch (_random.NextBelow(11))
        {
            case 0 or 1:
                packet[at] ^= (byte)(1 << _random.NextBelow(8));
                return packet;
            case 2:
                packet[at] = InterestingOctets[_random.NextBelow(InterestingOctets.Length)];
                return packet;
            case 3:
                packet[at] = (byte)_random.NextBelow(256);
                return packet;
            case 4:
                SetWord(packet, InterestingWords[_random.NextBelow(InterestingWords.Length)]);
                return packet;
            case 5:
                return packet[..at];
            case 6:
                return Insert(packet);
            case 7:
                return [.. packet.AsSpan(0, at), .. donor.AsSpan(_random.NextBelow(donor.Length + 1))];
            case 8:
                return Remove(packet, at);
            case 9:
                CopyWithin(packet, at);
                return packet;
            default:
                AttackLength(packet);
                return packet;
        }
    }

    private byte[] Insert(byte[] packet)
    {
        int at = _random.NextBelow(packet.Length + 1);
        byte[] inserted = new byte[1 + _random.NextBelow(_random.NextBelow(16) == 0 ? 1500 : 32)];
        _random.Fill(inserted);
        return [.. packet.AsSpan(0, at), .. inserted, .. packet.AsSpan(at)];
    }

    private byte[] Remove(byte[] packet, int at)
    {
        int length = 1 + _random.NextBelow(Math.Min(16, packet.Length - at));
        return [.. packet.AsSpan(0, at), .. packet.AsSpan(at + length)];
    }

    private void CopyWithin(byte[] packet, int from)
    {
        int to = _random.NextBelow(packet.Length);
        int length = Math.Min(1 + _random.NextBelow(16), packet.Length - Math.Max(from, to));
        packet.AsSpan(from, length).CopyTo(packet.AsSpan(to, length));
    }

    /// <summary>Finds a field that looks like a length (16 bits, or the low ten of an AVP's) and moves it a little past the truth.</summary>
    private void AttackLength(byte[] packet)
    {
        int start = _random.NextBelow(packet.Length);
        for (int i = start; i + 1 < packet.Length; i++)
        {
            ushort word = BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(i));
            int length = word & 0x3FF;
            if (length is > 0 && length <= packet.Length)
            {
                int wrong = length + _random.NextBelow(17) - 8;
                BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(i), (ushort)((word & 0xFC00) | (wrong & 0x3FF)));
                return;
            }
        }

        SetWord(packet, (ushort)packet.Length);
    }

    private void SetWord(byte[] packet, ushort value)
    {
        if (packet.Length >= 2)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(_random.NextBelow(packet.Length - 1)), value);
        }
    }
}
