using Culvert.Core;
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

public sealed record ApiSettings
{
    public const string DefaultSocket = "/run/culvert/culvert.sock";

    /// <summary>Path of the Unix socket of the control API; null for no API.</summary>
    public string? Socket { get; init; } = DefaultSocket;
}
