using Culvert.Core;
using Culvert.Linux.Routing;

namespace Culvert.Linux.Tests;

public class NetlinkMessageTests
{
    [Fact]
    public void Broken_answers_end_the_walk()
    {
        var random = new SeededRandom(2);
        byte[] buffer = new byte[200];
        for (int round = 0; round < 20_000; round++)
        {
            random.Fill(buffer);
            buffer[1] = buffer[2] = buffer[3] = 0; // a length that may fit
            int length = random.NextBelow(buffer.Length + 1);
            int messages = 0;
            int octets = 0;
            var reader = new NetlinkReader(buffer.AsSpan(0, length));
            while (reader.MoveNext())
            {
                messages++;
                var attributes = new AttributeReader(reader.Body);
                while (attributes.MoveNext())
                {
                    octets += attributes.Value.Length + attributes.Text.Length + (int)(attributes.Number & 1) + attributes.Address.Size;
                }
            }

            Assert.InRange(messages, 0, buffer.Length / NetlinkWriter.HeaderSize);
            Assert.InRange(octets, 0, 6 * buffer.Length);
        }
    }

    [Fact]
    public void A_request_has_the_layout_of_the_kernel()
    {
        var writer = new NetlinkWriter(new byte[64], NetlinkType.NewLink, NetlinkFlags.Acknowledge);
        writer.Fixed(new LinkMessage { Index = 7, Flags = 1, Change = 1 });
        writer.Attribute(3, "ab");
        byte[] message = writer.Finish(0x01020304).ToArray();
        byte[] expected =
        [
            40, 0, 0, 0, 16, 0, 5, 0, 4, 3, 2, 1, 0, 0, 0, 0, // nlmsghdr
            0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // ifinfomsg
            7, 0, 3, 0, (byte)'a', (byte)'b', 0, 0, // IFLA_IFNAME
        ];
        Assert.Equal(expected, message);
    }
}
