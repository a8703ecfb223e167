using System.Diagnostics;
using Culvert.Interop.Harness;

namespace Culvert.Interop.Checker;

/// <summary>Sends known packets in bursts and has each burst judged before the next: nothing may get lost on an idle way.</summary>
internal static class PacketExchange
{
    /// <summary>Below the queue of a TUN interface (500), and the octets that a socket buffers at the least.</summary>
    private const int BurstPackets = 150;
    private const int BurstOctets = 100_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <summary>Returns how many packets and octets crossed.</summary>
    public static (int Packets, long Octets) Run(PacketSocket from, PacketSocket to, PacketJudge judge, List<byte[]> packets)
    {
        for (int next = 0; next < packets.Count;)
        {
            int octets = 0;
            int first = next;
            for (; next < packets.Count && next - first < BurstPackets && (octets == 0 || octets + packets[next].Length <= BurstOctets); next++)
            {
                octets += packets[next].Length;
                judge.Expect(packets[next]);
                from.Send(packets[next]);
            }

            Await(to, judge);
        }

        return (packets.Count, packets.Sum(p => (long)p.Length));
    }

    private static void Await(PacketSocket to, PacketJudge judge)
    {
        var watch = Stopwatch.StartNew();
        while (judge.Outstanding > 0)
        {
            ReadOnlySpan<byte> packet = to.Receive(TimeSpan.FromMilliseconds(500));
            if (!packet.IsEmpty)
            {
                judge.Judge(packet);
            }
            else if (watch.Elapsed > Patience)
            {
                throw new InteropException($"{judge.Outstanding} packets did not arrive: {judge.Missing()}");
            }
        }
    }
}
