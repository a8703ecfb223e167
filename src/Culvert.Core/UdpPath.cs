namespace Culvert.Core;

/// <summary>
/// A peer as the network shows it. <paramref name="Mark"/> tells several IPsec clients behind one NAT apart (0 without IPsec).
/// </summary>
public readonly record struct PeerEndpoint(IpAddress Address, ushort Port, uint Mark = 0)
{
    public override string ToString()
    {
        string host = Address.IsIPv6 ? $"[{Address}]" : Address.ToString();
        return Mark == 0 ? $"{host}:{Port}" : $"{host}:{Port}%{Mark}";
    }
}

/// <summary>
/// Where a datagram came from and which of our addresses it came to: an answer takes the same path back (some peers accept
/// nothing else). <paramref name="Local"/> is "none" until the first datagram of a path that we open ourselves arrives.
/// </summary>
public readonly record struct UdpPath(IpAddress Local, PeerEndpoint Peer)
{
    /// <summary>Which of our ports the datagram came to, where several are open on one address; 0 for whichever comes first.</summary>
    public ushort LocalPort { get; init; }

    public override string ToString() => Local.IsNone ? Peer.ToString() : $"{Peer} at {Local}";
}
