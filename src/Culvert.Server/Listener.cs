using Culvert.Core;
using Culvert.Linux;

namespace Culvert.Server;

/// <summary>A UDP socket of a shard, with the batch of datagrams that are to leave through it.</summary>
internal sealed class Listener : IDisposable
{
    private const int BatchCapacity = 64;

    public Listener(IpAddress address, ushort port, int frameSize)
    {
        Socket = UdpSocket.Open(new UdpSocketOptions { Address = address, Port = port, ReceiveTrafficClass = true });
        Outgoing = new SendBatch(Socket, BatchCapacity, frameSize);
    }

    public UdpSocket Socket { get; }

    public SendBatch Outgoing { get; }

    /// <summary>Can datagrams for <paramref name="path"/> leave through this socket?</summary>
    public bool Serves(in UdpPath path) =>
        path.Peer.Address.Family == Socket.Family
        && (path.Local.IsNone || Socket.LocalAddress.IsUnspecified || path.Local == Socket.LocalAddress);

    public void Dispose()
    {
        Outgoing.Dispose();
        Socket.Dispose();
    }
}
