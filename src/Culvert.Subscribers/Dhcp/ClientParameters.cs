using System.Text;
using Culvert.Core;

namespace Culvert.Subscribers.Dhcp;

/// <summary>What the clients of a profile are told in answer to DHCPINFORM, with the octets that are the same for all of them.</summary>
public sealed class ClientParameters
{
    /// <summary>
    /// Routes in one option: with 9 octets at most for each, and what else is told, they fit the 576 octets that every client takes
    /// (RFC 2131 section 2).
    /// </summary>
    public const int MostRoutes = 24;

    /// <summary>Octets of all suffixes in one option, as DNS writes them (RFC 1035 section 3.1).</summary>
    public const int MostSuffixOctets = 255;

    private readonly IpPrefix[] _routes;

    /// <param name="dns">DNS servers, those that IPCP tells.</param>
    /// <param name="suffixes">Domain names without a dot at the end; the first is the client's own domain.</param>
    /// <param name="routes">IPv4 networks that lead into the tunnel.</param>
    public ClientParameters(IReadOnlyList<IpAddress> dns, IReadOnlyList<string> suffixes, IReadOnlyList<IpPrefix> routes)
    {
        _routes = [.. routes];
        Dns = [.. dns.Where(a => a.IsIPv4).SelectMany(OctetsOf)];
        Domain = suffixes.Count > 0 ? Encoding.ASCII.GetBytes(suffixes[0]) : [];

        // One suffix is the domain already; a list of one would say nothing more.
        Search = suffixes.Count > 1 ? [.. suffixes.SelectMany(EncodeName)] : [];
        RoutesLength = routes.Sum(r => 1 + SignificantOctets(r) + 4);
    }

    internal byte[] Dns { get; }

    /// <summary>As text; empty for none.</summary>
    internal byte[] Domain { get; }

    /// <summary>Names in the format of RFC 1035 section 3.1; empty for none.</summary>
    internal byte[] Search { get; }

    internal int RoutesLength { get; }

    /// <summary>A name in the format of RFC 1035 section 3.1: each label behind its length, and an empty one.</summary>
    public static byte[] EncodeName(string name)
    {
        var octets = new List<byte>(name.Length + 2);
        foreach (string label in name.Split('.'))
        {
            octets.Add((byte)label.Length);
            octets.AddRange(Encoding.ASCII.GetBytes(label));
        }

        octets.Add(0);
        return [.. octets];
    }

    /// <summary>
    /// RFC 3442: for each route the prefix length, as many octets of the network as that has, and the router, which is our end of the link.
    /// </summary>
    internal void WriteRoutes(ref WireWriter writer, IpAddress router)
    {
        Span<byte> address = stackalloc byte[4];
        foreach (IpPrefix route in _routes)
        {
            writer.WriteByte((byte)route.Length);
            route.Address.WriteTo(address);
            writer.WriteBytes(address[..SignificantOctets(route)]);
            writer.WriteUInt32(router.ToUInt32());
        }
    }

    private static int SignificantOctets(IpPrefix route) => (route.Length + 7) / 8;

    private static byte[] OctetsOf(IpAddress address)
    {
        byte[] octets = new byte[4];
        address.WriteTo(octets);
        return octets;
    }
}
