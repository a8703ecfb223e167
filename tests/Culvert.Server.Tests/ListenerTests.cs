using System.Net;
using System.Net.Sockets;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Server.Captures;
using Culvert.Server.Configuration;

namespace Culvert.Server.Tests;

/// <summary>RFC 2661 section 8.1: an answer goes out from the port to which the question came.</summary>
public sealed class ListenerTests
{
    private static readonly IpAddress Loopback = IpAddress.Parse("127.0.0.1");

    [Fact]
    public void Of_two_listeners_on_one_address_the_one_that_was_asked_answers()
    {
        using Listener first = Open();
        using Listener second = Open();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 5000 };
        client.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var routes = new RouteTable();
        var sessions = new SessionTable(new SeededRandom(1), routes);
        var control = new Recorder();
        using var data = new DataPath([first, second], new Forwarder(sessions, routes), control, null, new TapSet(), joinTunCalls: false);

        byte[] message = [0xC8, 0x02, 0x00, 0x0C, 0x12, 0x34, 0, 0, 0, 1, 0, 2];
        foreach (Listener asked in (Listener[])[second, first])
        {
            client.SendTo(message, new IPEndPoint(IPAddress.Loopback, asked.Socket.LocalPort));
            control.Path = default;
            for (int i = 0; i < 1000 && control.Path == default; i++)
            {
                data.Turn(Timestamp.Zero);
            }

            UdpPath path = control.Path;
            Assert.Equal((Loopback, asked.Socket.LocalPort), (path.Local, path.LocalPort));
            Assert.Equal(asked == first, first.Serves(path));
            Assert.Equal(asked == second, second.Serves(path));

            var frames = new OutgoingFrames([first, second], message, new TapSet(), Timestamp.Zero);
            Assert.True(frames.TryAddInPlace(0, message.Length, path, 0, default));
            data.Flush();
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            Assert.Equal(message.Length, client.ReceiveFrom(new byte[100], ref from));
            Assert.Equal(asked.Socket.LocalPort, ((IPEndPoint)from).Port);
        }
    }

    [Fact]
    public void A_path_that_we_open_takes_any_port_and_another_address_none()
    {
        using Listener listener = Open();
        var peer = new PeerEndpoint(IpAddress.Parse("192.0.2.7"), 1701);
        Assert.True(listener.Serves(new UdpPath(default, peer)));
        Assert.False(listener.Serves(new UdpPath(IpAddress.Parse("127.0.0.2"), peer)));
        Assert.False(listener.Serves(new UdpPath(default, new PeerEndpoint(IpAddress.Parse("2001:db8::7"), 1701))));
    }

    private static Listener Open() => new(Loopback, 0, isShared: false, new ForwardingSettings());

    private sealed class Recorder : IControlPath
    {
        public UdpPath Path { get; set; }

        public void ReceiveControl(in UdpPath path, Span<byte> datagram, Timestamp now) => Path = path;

        public void ReceivePpp(SessionKey session, Span<byte> frame, Timestamp now) => Assert.Fail("no PPP was sent");

        public void ReceiveLinkScope(SessionKey session, ReadOnlySpan<byte> packet, Timestamp now) => Assert.Fail("no IP was sent");

        public void SequencingChanged(SessionKey session, bool isSequenced, ushort ns) => Assert.Fail("no data was sent");
    }
}
