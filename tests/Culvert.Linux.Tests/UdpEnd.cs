using Culvert.Core;

namespace Culvert.Linux.Tests;

/// <summary>A socket with its batches, and waits that end.</summary>
internal sealed class UdpEnd : IDisposable
{
    private readonly Poller _poller = new();

    public UdpEnd(UdpSocketOptions options, int batch = 64, int size = 2048)
    {
        Socket = UdpSocket.Open(options);
        Receive = new ReceiveBatch(batch, size);
        Send = new SendBatch(Socket, batch, size);
        _poller.Add(Socket.Descriptor, 1);
    }

    public UdpEnd(string address, ushort port = 0)
        : this(new UdpSocketOptions { Address = IpAddress.Parse(address), Port = port })
    {
    }

    public UdpSocket Socket { get; }

    public ReceiveBatch Receive { get; }

    public SendBatch Send { get; }

    public void Queue(ReadOnlySpan<byte> content, in UdpPath path)
    {
        Assert.True(Send.TryReserve(out Span<byte> frame));
        content.CopyTo(frame);
        Send.Commit(content.Length, path);
    }

    /// <summary>Waits up to two seconds for something to come and takes one batch.</summary>
    public int Await()
    {
        _ = _poller.Wait(MonotonicClock.Now + TimeSpan.FromSeconds(2));
        return Receive.Receive(Socket);
    }

    public bool AwaitError(out UdpError error)
    {
        Timestamp deadline = MonotonicClock.Now + TimeSpan.FromSeconds(2);
        while (MonotonicClock.Now < deadline)
        {
            if (_poller.Wait(deadline) > 0 && _poller.Ready(0).HasError)
            {
                return Socket.TryReadError(out error);
            }
        }

        error = default;
        return false;
    }

    public UdpPath To(string address, ushort port) => new(default, new PeerEndpoint(IpAddress.Parse(address), port));

    public void Dispose()
    {
        _poller.Dispose();
        Send.Dispose();
        Receive.Dispose();
        Socket.Dispose();
    }
}
