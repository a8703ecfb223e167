using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>The one's complement sum of IP, TCP, UDP and ICMP (RFC 1071), and its repair after a change (RFC 1624).</summary>
public static class InternetChecksum
{
    /// <summary>The checksum to store over <paramref name="data"/>, whose own checksum field holds zero; over sound data it is 0.</summary>
    /// <param name="data">Octets, an odd last one counts as if followed by zero.</param>
    /// <param name="partial">A sum of what comes before, from <see cref="Sum"/> or <see cref="PseudoHeader"/>.</param>
    public static ushort Compute(ReadOnlySpan<byte> data, ushort partial = 0) => (ushort)~Fold((ulong)Sum(data) + partial);

    /// <summary>The one's complement sum of the 16-bit words of <paramref name="data"/>, not inverted.</summary>
    public static ushort Sum(ReadOnlySpan<byte> data)
    {
        ulong sum = 0;

        // The sum does not care about the order of octets as long as it is turned at the end (RFC 1071 section 2 B), nor about the
        // width of the words: 32-bit words are gathered in 64-bit lanes, which no packet can overflow.
        if (data.Length >= Vector<byte>.Count * 2)
        {
            ReadOnlySpan<Vector<ulong>> vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(data);
            Vector<ulong> low = Vector<ulong>.Zero;
            Vector<ulong> high = Vector<ulong>.Zero;
            var mask = new Vector<ulong>(uint.MaxValue);
            foreach (Vector<ulong> vector in vectors)
            {
                low += vector & mask;
                high += Vector.ShiftRightLogical(vector, 32);
            }

            sum = Vector.Sum(low) + Vector.Sum(high);
            data = data[(vectors.Length * Vector<byte>.Count)..];
        }

        foreach (uint word in MemoryMarshal.Cast<byte, uint>(data))
        {
            sum += word;
        }

        return Finish(sum, data[(data.Length & ~3)..]);
    }

    /// <summary>The one's complement sum of two such sums.</summary>
    public static ushort Add(ushort first, ushort second)
    {
        int sum = first + second;
        return (ushort)(sum + (sum >> 16));
    }

    /// <summary>Repairs a stored checksum after a 16-bit word that it covers has changed (RFC 1624 equation 3).</summary>
    public static ushort Update(ushort checksum, ushort before, ushort after) =>
        (ushort)~Fold((ulong)(ushort)~checksum + (ushort)~before + after);

    /// <summary>The sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1).</summary>
    public static ushort PseudoHeader(IpAddress source, IpAddress destination, byte protocol, int length)
    {
        Span<byte> addresses = stackalloc byte[32];
        int size = source.Size;
        source.WriteTo(addresses);
        destination.WriteTo(addresses[size..]);
        return Fold((ulong)Sum(addresses[..(size * 2)]) + protocol + (uint)length);
    }

    private static ushort Finish(ulong sum, ReadOnlySpan<byte> tail)
    {
        if (tail.Length >= 2)
        {
            sum += MemoryMarshal.Read<ushort>(tail);
        }

        if ((tail.Length & 1) != 0)
        {
            sum += BitConverter.IsLittleEndian ? tail[^1] : (uint)tail[^1] << 8;
        }

        ushort folded = Fold(sum);
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(folded) : folded;
    }

    private static ushort Fold(ulong sum)
    {
        sum = (sum >> 32) + (uint)sum;
        sum = (sum >> 32) + (uint)sum;
        sum = (sum >> 16) + (ushort)sum;
        sum = (sum >> 16) + (ushort)sum;
        return (ushort)((sum >> 16) + (ushort)sum);
    }
}
