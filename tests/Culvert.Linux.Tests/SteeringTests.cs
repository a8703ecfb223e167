using Culvert.Core;

namespace Culvert.Linux.Tests;

public class SteeringTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void A_peer_stays_with_one_socket_whatever_its_sessions_and_peers_are_spread(string address)
    {
        NetworkNamespace.Run(() =>
        {
            UdpEnd[] servers = new UdpEnd[3];
            for (int i = 0; i < servers.Length; i++)
            {
                servers[i] = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse(address), Port = 1701, ReusePort = true });
            }

            Assert.True(servers[0].Socket.TrySteerByPeer(servers.Length));
            int[] peers = new int[servers.Length];
            for (int peer = 0; peer < 30; peer++)
            {
                using var client = new UdpEnd(address);
                for (byte session = 1; session <= 4; session++)
                {
                    client.Queue([0, 2, 0, 1, 0, session], client.To(address, 1701));
                }

                Assert.Equal(4, client.Send.Flush());
                int[] counts = [.. servers.Select(s => s.Receive.Receive(s.Socket))];
                Assert.Equal(4, counts.Max());
                Assert.Equal(4, counts.Sum());
                peers[Array.IndexOf(counts, 4)]++;

                client.Queue([0xC8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0], client.To(address, 1701));
                Assert.Equal(1, client.Send.Flush());
                Assert.Equal(1, servers[0].Receive.Receive(servers[0].Socket));
            }

            Assert.All(peers, count => Assert.InRange(count, 1, 29));
            Array.ForEach(servers, s => s.Dispose());
        });
    }

    // RFC 2661 section 3.1: flags and version, Length (if L), Tunnel ID, Session ID.
    [Theory]
    [InlineData("C802 000C 0001 0003 0000 0000", 0)] // control, whatever its IDs
    [InlineData("0002 0001 0003", 0)]
    [InlineData("0002 0001 0004", 1)]
    [InlineData("0002 0001 0005", 2)]
    [InlineData("4002 0008 0001 0005", 2)]
    [InlineData("4002 0005 0001 0007", 1)]
    [InlineData("0802 0001 0005 0000 0000", 2)]
    [InlineData("0002", 0)]
    [InlineData("00", 0)]
    public void A_datagram_reaches_the_socket_of_its_session_and_control_the_first(string hex, int expected)
    {
        NetworkNamespace.Run(() =>
        {
            UdpEnd[] servers = new UdpEnd[3];
            ushort port = 1701;
            for (int i = 0; i < servers.Length; i++)
            {
                servers[i] = new UdpEnd(new UdpSocketOptions { Address = IpAddress.Parse("127.0.0.1"), Port = port, ReusePort = true });
            }

            Assert.True(servers[0].Socket.TrySteerBySession(servers.Length));
            byte[] datagram = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

            // From several ports: without the filter the kernel would spread them.
            for (int i = 0; i < 8; i++)
            {
                using var client = new UdpEnd("127.0.0.1");
                client.Queue(datagram, client.To("127.0.0.1", port));
                Assert.Equal(1, client.Send.Flush());
            }

            Assert.Equal(8, servers[expected].Await());
            Assert.All(servers.Where((_, i) => i != expected), s => Assert.Equal(0, s.Receive.Receive(s.Socket)));
            Array.ForEach(servers, s => s.Dispose());
        });
    }
}
