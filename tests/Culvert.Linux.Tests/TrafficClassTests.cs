using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>DSCP and ECN of each datagram (IP_TOS and IPV6_TCLASS beside it), told again at the other end.</summary>
public class TrafficClassTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Each_datagram_has_its_own(string address)
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse(address), ReceiveTrafficClass = true });
            using var client = new UdpEnd(address);
            byte[] classes = [0, 0xC0, 0xB9, 0x02, 0x03, 0, 0xFF];
            foreach (byte trafficClass in classes)
            {
                Assert.True(client.Send.TryReserve(out Span<byte> frame));
                frame[0] = trafficClass;
                client.Send.Commit(1, new UdpPath(IpAddress.Parse(address), new PeerEndpoint(IpAddress.Parse(address), server.Socket.LocalPort)), trafficClass: trafficClass);
            }

            Assert.Equal(classes.Length, client.Send.Flush());
            Assert.Equal(classes.Length, server.Await());
            for (int i = 0; i < classes.Length; i++)
            {
                _ = server.Receive.Path(i, out byte told);
                Assert.Equal((classes[i], classes[i]), (server.Receive.Datagram(i)[0], told));
            }
        });
    }

    [Fact]
    public void A_socket_that_does_not_ask_is_not_told()
    {
        NetworkNamespace.Run(() =>
        {
            using var server = new UdpEnd("127.0.0.1");
            using var client = new UdpEnd("127.0.0.1");
            Assert.True(client.Send.TryReserve(out _));
            client.Send.Commit(1, client.To("127.0.0.1", server.Socket.LocalPort), trafficClass: 0xB8);
            Assert.Equal(1, client.Send.Flush());
            Assert.Equal(1, server.Await());
            _ = server.Receive.Path(0, out byte told);
            Assert.Equal(0, told);
        });
    }
}
