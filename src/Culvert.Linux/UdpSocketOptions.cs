using Culvert.Core;

namespace Culvert.Linux;

/// <summary>How a socket treats the path MTU (IP_MTU_DISCOVER; the numbers are the kernel's).</summary>
public enum PathMtuDiscovery
{
    /// <summary>Never sets "don't fragment"; routers may cut datagrams.</summary>
    Never = 0,

    /// <summary>Sets "don't fragment" on what fits the known path MTU; cuts larger datagrams here. Nothing is lost: the default.</summary>
    Want = 1,

    /// <summary>Always sets "don't fragment" and refuses larger datagrams with EMSGSIZE.</summary>
    Always = 2,

    /// <summary>Always sets "don't fragment" and ignores the known path MTU, to probe.</summary>
    Probe = 3,
}

/// <summary>How to open a <see cref="UdpSocket"/>.</summary>
public sealed record UdpSocketOptions
{
    /// <summary>An address of this machine, or 0.0.0.0 or :: for all of them. An IPv6 socket takes IPv6 only.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>0: the kernel chooses one (see <see cref="UdpSocket.LocalPort"/>).</summary>
    public ushort Port { get; init; }

    public bool ReuseAddress { get; init; }

    /// <summary>Several sockets of this user share the port, and the kernel spreads peers over them: one socket per shard.</summary>
    public bool ReusePort { get; init; }

    /// <summary>
    /// Octets wanted. At 200,000 datagrams a second 4 MiB outlast a pause of some 10 ms (the kernel counts about twice their size).
    /// Above net.core.rmem_max only with CAP_NET_ADMIN; see <see cref="UdpSocket.ReceiveBufferSize"/> for what was granted.
    /// </summary>
    public int ReceiveBufferSize { get; init; } = 4 << 20;

    /// <summary>Octets wanted, as for receiving.</summary>
    public int SendBufferSize { get; init; } = 4 << 20;

    public PathMtuDiscovery PathMtuDiscovery { get; init; } = PathMtuDiscovery.Want;

    /// <summary>Tells each datagram's mark in <see cref="PeerEndpoint.Mark"/> (SO_RCVMARK, Linux 5.19): IPsec behind a NAT.</summary>
    public bool ReceiveMark { get; init; }

    /// <summary>Tells DSCP and ECN of each datagram's packet (IP_RECVTOS, IPV6_RECVTCLASS).</summary>
    public bool ReceiveTrafficClass { get; init; }

    /// <summary>Lets the kernel join datagrams of a flow (UDP_GRO, <see cref="ReceiveBatch.SegmentSize"/>). Needs 64 KiB buffers.</summary>
    public bool ReceiveCoalesced { get; init; }
}
