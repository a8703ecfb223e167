using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Culvert.Interop.Harness;

namespace Culvert.Interop.Checker;

/// <summary>Where something is sent from and to.</summary>
internal sealed record Direction(string FromNamespace, string FromAddress, string ToNamespace, string ToAddress);

/// <summary>Known octets through the hosts' own TCP and UDP, with what their kernels make of it: unfinished checksums, runs of segments.</summary>
internal static class StreamExchange
{
    private const int Port = 7000;
    private const int UdpLevel = 17, UdpSegment = 103, IpLevel = 0, MtuDiscover = 10, TcpLevel = 6, TcpMaximumSegment = 2, SocketLevel = 1, ReceiveBufferForce = 33;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>A stream that arrives whole.</summary>
    /// <param name="direction">Where.</param>
    /// <param name="octets">How many.</param>
    /// <param name="maximumSegment">0: what the stack chooses.</param>
    /// <param name="write">Octets per write; each is pushed at once.</param>
    public static async Task TcpAsync(Direction direction, int octets, int maximumSegment, int write)
    {
        using Socket listener = NamespaceSockets.Open(direction.ToNamespace, () => New(SocketType.Stream, ProtocolType.Tcp));
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Parse(direction.ToAddress), Port));
        listener.Listen();
        using Socket sender = NamespaceSockets.Open(direction.FromNamespace, () => New(SocketType.Stream, ProtocolType.Tcp));
        sender.NoDelay = true;
        if (maximumSegment > 0)
        {
            sender.SetRawSocketOption(TcpLevel, TcpMaximumSegment, BitConverter.GetBytes(maximumSegment));
        }

        using var expiry = new CancellationTokenSource(Limit);
        await sender.ConnectAsync(new IPEndPoint(IPAddress.Parse(direction.ToAddress), Port), expiry.Token);
        using Socket receiver = await listener.AcceptAsync(expiry.Token);
        byte[] sent = RandomNumberGenerator.GetBytes(octets);
        Task<byte[]> reading = ReadAsync(receiver, expiry.Token);
        for (int at = 0; at < sent.Length; at += write)
        {
            for (int done = at; done < Math.Min(at + write, sent.Length);)
            {
                done += await sender.SendAsync(sent.AsMemory(done, Math.Min(at + write, sent.Length) - done), expiry.Token);
            }
        }

        sender.Shutdown(SocketShutdown.Send);
        if (!(await reading).AsSpan().SequenceEqual(sent))
        {
            throw new InteropException($"a stream of {octets} octets from {direction.FromAddress} with segments of {maximumSegment} arrived damaged");
        }
    }

    /// <summary>Datagrams of one size, handed to the kernel as runs (UDP_SEGMENT); the last of each run is shorter.</summary>
    /// <returns>Datagrams, and their octets with IP and UDP headers.</returns>
    public static (int Packets, long Octets) UdpRuns(Direction direction, int size, int runs)
    {
        using Socket receiver = NamespaceSockets.Open(direction.ToNamespace, () => Bound(direction.ToAddress));
        using Socket sender = NamespaceSockets.Open(direction.FromNamespace, () => New(SocketType.Dgram, ProtocolType.Udp));
        sender.SetRawSocketOption(UdpLevel, UdpSegment, BitConverter.GetBytes(size));
        int perRun = Math.Min(60, 65_000 / size);
        byte[] run = new byte[((perRun - 1) * size) + Math.Max(1, size / 2)];
        byte[] buffer = new byte[1 << 16];
        long octets = 0;
        for (int i = 0; i < runs; i++)
        {
            RandomNumberGenerator.Fill(run);
            octets += sender.SendTo(run, new IPEndPoint(IPAddress.Parse(direction.ToAddress), Port)) + (perRun * 28);
            for (int at = 0; at < run.Length; at += size)
            {
                Expect(receiver, run.AsSpan(at, Math.Min(size, run.Length - at)), buffer);
            }
        }

        return (runs * perRun, octets);
    }

    /// <summary>One run to an address that leads nowhere; returns of how many datagrams.</summary>
    public static int UdpRunToNobody(string fromNamespace, string toAddress)
    {
        const int Size = 100, Count = 33;
        using Socket sender = NamespaceSockets.Open(fromNamespace, () => New(SocketType.Dgram, ProtocolType.Udp));
        sender.SetRawSocketOption(UdpLevel, UdpSegment, BitConverter.GetBytes(Size));
        _ = sender.SendTo(new byte[Size * Count], new IPEndPoint(IPAddress.Parse(toAddress), Port));
        return Count;
    }

    /// <summary>Single datagrams that may be cut on the way and are put together by the receiver's kernel.</summary>
    public static void UdpSizes(Direction direction, IEnumerable<int> sizes)
    {
        using Socket receiver = NamespaceSockets.Open(direction.ToNamespace, () => Bound(direction.ToAddress));
        using Socket sender = NamespaceSockets.Open(direction.FromNamespace, () => New(SocketType.Dgram, ProtocolType.Udp));
        sender.SetRawSocketOption(IpLevel, MtuDiscover, BitConverter.GetBytes(0));
        byte[] buffer = new byte[1 << 16];
        foreach (int size in sizes)
        {
            byte[] datagram = RandomNumberGenerator.GetBytes(size);
            _ = sender.SendTo(datagram, new IPEndPoint(IPAddress.Parse(direction.ToAddress), Port));
            Expect(receiver, datagram, buffer);
        }
    }

    private static void Expect(Socket receiver, ReadOnlySpan<byte> datagram, byte[] buffer)
    {
        if (!receiver.Poll(Limit / 6, SelectMode.SelectRead))
        {
            throw new InteropException($"a datagram of {datagram.Length} octets did not arrive at {receiver.LocalEndPoint}");
        }

        int length = receiver.Receive(buffer);
        if (!buffer.AsSpan(0, length).SequenceEqual(datagram))
        {
            throw new InteropException($"of a datagram of {datagram.Length} octets {length} arrived at {receiver.LocalEndPoint}, or others");
        }
    }

    private static async Task<byte[]> ReadAsync(Socket socket, CancellationToken cancel)
    {
        var received = new MemoryStream();
        byte[] buffer = new byte[1 << 17];
        for (int count; (count = await socket.ReceiveAsync(buffer, cancel)) > 0;)
        {
            received.Write(buffer, 0, count);
        }

        return received.ToArray();
    }

    private static Socket New(SocketType type, ProtocolType protocol) => new(AddressFamily.InterNetwork, type, protocol);

    private static Socket Bound(string address)
    {
        Socket socket = New(SocketType.Dgram, ProtocolType.Udp);
        socket.SetRawSocketOption(SocketLevel, ReceiveBufferForce, BitConverter.GetBytes(16 << 20));
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), Port));
        return socket;
    }
}
