using System.Net;
using System.Net.Sockets;

namespace Culvert.Interop.Harness;

/// <summary>
/// A router between a client and a server that shuffles data messages and marks what passes: the kernel here knows no netem. The
/// client talks to the relay, the server sees the relay.
/// </summary>
internal sealed class UdpRelay : IDisposable
{
    private const int HoldEvery = 5;
    private const int CongestionExperienced = 3;

    private readonly Socket _front;
    private readonly Socket _back;
    private readonly IPEndPoint _server;
    private readonly CancellationTokenSource _stop = new();
    private EndPoint? _client;

    private UdpRelay(Socket front, Socket back, IPEndPoint server)
    {
        _front = front;
        _back = back;
        _server = server;
    }

    /// <summary>Data messages that were overtaken.</summary>
    public int Held { get; private set; }

    /// <summary>From now on every fifth data message is held until two more have passed, and all are marked "congestion experienced".</summary>
    public bool Disturbs { get; private set; }

    public static UdpRelay Start(string inNamespace, string address, int port, int serverPort)
    {
        var relay = new UdpRelay(Open(inNamespace, address, port), Open(inNamespace, address, 0), new IPEndPoint(IPAddress.Parse(address), serverPort));
        _ = relay.PassAsync(relay._front, relay._back, from => relay._client = from, () => relay._server);
        _ = relay.PassAsync(relay._back, relay._front, _ => { }, () => relay._client);
        return relay;
    }

    public void Disturb()
    {
        _front.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.TypeOfService, CongestionExperienced);
        _back.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.TypeOfService, CongestionExperienced);
        Disturbs = true;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _front.Dispose();
        _back.Dispose();
        _stop.Dispose();
    }

    private static Socket Open(string inNamespace, string address, int port) => NamespaceSockets.Open(inNamespace, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        return socket;
    });

    private async Task PassAsync(Socket from, Socket to, Action<EndPoint> heard, Func<EndPoint?> where)
    {
        byte[] buffer = new byte[1 << 16];
        byte[]? held = null;
        int data = 0;
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await from.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                heard(received.RemoteEndPoint);
                bool isData = (buffer[0] & 0x80) == 0;
                data += isData ? 1 : 0;
                if (Disturbs && isData && held is null && data % HoldEvery == 0)
                {
                    held = buffer[..received.ReceivedBytes];
                    Held++;
                    continue;
                }

                await to.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), SocketFlags.None, where()!, _stop.Token);
                if (held is not null && data % HoldEvery == 2)
                {
                    await to.SendToAsync(held, SocketFlags.None, where()!, _stop.Token);
                    held = null;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The scenario is over.
            return;
        }
    }
}
