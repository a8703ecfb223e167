using System.Text;
using Culvert.L2tp.Wire;
using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

public sealed class AllocationTests
{
    private const int Rounds = 20_000;

    private static readonly byte[] Secret = Encoding.ASCII.GetBytes(GoldenPackets.Secret);
    private static readonly byte[] Scratch = new byte[1500];

    [Fact]
    public void Reading_headers_and_AVPs_allocates_nothing()
    {
        byte[][] packets = [.. GoldenPackets.All.Values];
        long seen = 0;
        Assert.Equal(0, Allocation.Of(() => seen = ReadAll(packets, Rounds)));
        Assert.True(seen > Rounds);
    }

    private static long ReadAll(byte[][] packets, int rounds)
    {
        long seen = 0;
        for (int round = 0; round < rounds; round++)
        {
            foreach (byte[] packet in packets)
            {
                if (!L2tpHeader.TryRead(packet, out L2tpHeader header) || !header.IsControl)
                {
                    continue;
                }

                ReadOnlySpan<byte> body = packet.AsSpan(header.PayloadStart..header.PayloadEnd);
                foreach (Avp avp in new AvpReader(body))
                {
                    seen += avp.Value.Length + (avp.IsMandatory ? 1 : 0);
                }

                seen += ControlMessage.TryRead(body, Secret, Scratch, out ControlMessage message) ? message.AvpCount : 0;
                seen += message.TryFindMissing(out _) ? 1 : 0;
                seen += message.TryGetUInt16(AvpType.AssignedTunnelId, out ushort id) ? id : 0;
            }
        }

        return seen;
    }

    [Fact]
    public void Writing_a_message_allocates_nothing()
    {
        byte[] buffer = new byte[1500];
        var random = new Core.SeededRandom(1);
        long written = 0;
        Assert.Equal(0, Allocation.Of(() => written = WriteAll(buffer, random, Rounds)));
        Assert.True(written > Rounds);
    }

    private static long WriteAll(byte[] buffer, Core.SeededRandom random, int rounds)
    {
        long octets = 0;
        for (int round = 0; round < rounds; round++)
        {
            var writer = new ControlMessageWriter(buffer, MessageType.Iccn, 7);
            writer.EnableHiding(Secret, random);
            writer.WriteUInt32(AvpType.TxConnectSpeed, 100_000_000);
            writer.WriteUInt32(AvpType.FramingType, 1);
            writer.WriteText(AvpType.ProxyAuthenName, "alice", hide: true);
            octets += writer.TryFinish(out int length) ? length : 0;
        }

        return octets;
    }
}
