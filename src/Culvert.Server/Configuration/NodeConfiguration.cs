using Culvert.Core;
using Culvert.Linux;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration;

/// <summary>A whole configuration file as values: the policy, and what only a running node needs (sockets, interface, API).</summary>
public sealed record NodeConfiguration
{
    public required NodeSettings Settings { get; init; }

    /// <summary>Where tunnels are accepted: local address and UDP port.</summary>
    public IReadOnlyList<ListenAddress> Listen { get; init; } = [];

    public InterfaceSettings Interface { get; init; } = new();

    public ApiSettings Api { get; init; } = new();

    public ForwardingSettings Forwarding { get; init; } = new();
}

public readonly record struct ListenAddress(IpAddress Address, ushort Port)
{
    public override string ToString() => Address.IsIPv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}

/// <summary>The TUN device that all subscribers of an LNS share.</summary>
public sealed record InterfaceSettings
{
    public string Name { get; init; } = "culvert0";

    /// <summary>Octets; null ("auto") is 1500, and packets too large for a session's path are answered with ICMP.</summary>
    public int? Mtu { get; init; }
}

/// <summary>What decides which thread gets a data message.</summary>
public enum Spread : byte
{
    /// <summary>
    /// Where it comes from: whatever one peer sends stays in order, also where the kernel joins datagrams of several sessions.
    /// </summary>
    Peers,

    /// <summary>
    /// Its Session ID: one large peer uses all threads. The kernel then joins no datagrams, because it would mix sessions that belong to
    /// different threads.
    /// </summary>
    Sessions,
}

/// <summary>How packets are moved.</summary>
public sealed record ForwardingSettings
{
    /// <summary>Most threads that make sense to anybody: one for each processor is the rule.</summary>
    public const int MostThreads = 64;

    public OffloadSettings Offload { get; init; } = new();

    /// <summary>Threads that forward; null is one for each processor that the node may use.</summary>
    public int? Threads { get; init; }

    public Spread Spread { get; init; }

    /// <summary>How long a thread goes on looking for packets before it sleeps; null: as the traffic suggests (<see cref="Server.BusyPoll"/>).</summary>
    public TimeSpan? BusyPoll { get; init; }
}

/// <summary>
/// What is left to the kernel, or taken from it, in pieces larger than packets. Whatever the kernel does not know is done without;
/// turning something off serves to find out where a fault lies.
/// </summary>
public sealed record OffloadSettings
{
    public static OffloadSettings None { get; } = new() { Tun = TunOffloads.None, JoinTunCalls = false, JoinSent = false, JoinReceived = false };

    /// <summary>What the TUN interfaces exchange beside finished packets.</summary>
    public TunOffloads Tun { get; init; } = TunOffloads.All;

    /// <summary>Several packets are exchanged with a TUN interface by one call (io_uring).</summary>
    public bool JoinTunCalls { get; init; } = true;

    /// <summary>Datagrams of one path and size leave as one (UDP_SEGMENT).</summary>
    public bool JoinSent { get; init; } = true;

    /// <summary>Datagrams of one path and size are received as one (UDP_GRO).</summary>
    public bool JoinReceived { get; init; } = true;
}

public sealed record ApiSettings
{
    public const string DefaultSocket = "/run/culvert/culvert.sock";

    /// <summary>Path of the Unix socket of the control API; null for no API.</summary>
    public string? Socket { get; init; } = DefaultSocket;
}
