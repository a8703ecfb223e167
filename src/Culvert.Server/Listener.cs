using Culvert.Core;
using Culvert.Linux;
using Culvert.Server.Configuration;

namespace Culvert.Server;

/// <summary>A UDP socket of a shard, with the batch of datagrams that are to leave through it.</summary>
internal sealed class Listener : IDisposable
{
    private const int BatchCapacity = 64;

    /// <summary>Octets collected before they are sent: small enough to be in the cache still when the kernel reads them.</summary>
    private const int BatchMemory = 4 << 16;

    /// <param name="address">Local address.</param>
    /// <param name="port">UDP port; 0 lets the system choose.</param>
    /// <param name="isShared">Each forwarding thread has a socket of its own on this address and port.</param>
    /// <param name="forwarding">What the kernel may join and cut.</param>
    /// <exception cref="LinuxException">The address or port cannot be had.</exception>
    public Listener(IpAddress address, ushort port, bool isShared, ForwardingSettings forwarding)
    {
        Socket = UdpSocket.Open(new UdpSocketOptions
        {
            Address = address,
            Port = port,
            ReusePort = isShared,
            ReceiveTrafficClass = true,
            ReceiveCoalesced = forwarding.Offload.JoinReceived && !(isShared && forwarding.Spread == Spread.Sessions),
        });
        IsShared = isShared;
        Outgoing = new SendBatch(Socket, new SendBatchOptions
        {
            Capacity = BatchCapacity,
            FrameSize = FrameSize,
            Memory = BatchMemory,
            Segments = forwarding.Offload.JoinSent,
            Joins = forwarding.Offload.JoinSent,
        });
    }

    /// <summary>Octets of the largest datagram, or run of datagrams, either way.</summary>
    public const int FrameSize = 1 << 16;

    public UdpSocket Socket { get; }

    public bool IsShared { get; }

    public SendBatch Outgoing { get; }

    /// <summary>Can datagrams for <paramref name="path"/> leave through this socket?</summary>
    public bool Serves(in UdpPath path) =>
        path.Peer.Address.Family == Socket.Family
        && (path.LocalPort == 0 || path.LocalPort == Socket.LocalPort)
        && (path.Local.IsNone || Socket.LocalAddress.IsUnspecified || path.Local == Socket.LocalAddress);

    public void Dispose()
    {
        Outgoing.Dispose();
        Socket.Dispose();
    }
}
