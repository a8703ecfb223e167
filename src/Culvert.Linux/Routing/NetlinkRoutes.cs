using Culvert.Core;
using Culvert.Linux.Routing;

namespace Culvert.Linux;

/// <summary>Routes, and the question which way a packet would go.</summary>
public sealed partial class Netlink
{
    private const byte ProtocolStatic = 4;
    private const byte ScopeUniverse = 0;
    private const byte ScopeLink = 253;
    private const byte ScopeNowhere = 255; // in a deletion: any
    private const byte KindLocal = 2;
    private const int MetricMtu = 2;

    private enum RouteAttribute
    {
        Destination = 1,
        OutgoingInterface = 4,
        Gateway = 5,
        Priority = 6,
        PreferredSource = 7,
        Metrics = 8,
        Table = 15,
        Mark = 16,
        Via = 18,
    }

    /// <summary>Adds a route; EEXIST when one to the same destination with the same metric stands in the table.</summary>
    public void AddRoute(in Route route) => ChangeRoute(NetlinkFlags.Create | NetlinkFlags.Exclusive, route, "add");

    /// <summary>Adds a route, in the place of one with the same destination and metric.</summary>
    public void ReplaceRoute(in Route route) => ChangeRoute(NetlinkFlags.Create | NetlinkFlags.Replace, route, "set");

    /// <summary>Deletes a route; false when there is none.</summary>
    public bool DeleteRoute(in Route route)
    {
        NetlinkWriter request = RouteRequest(NetlinkType.DeleteRoute, NetlinkFlags.None, route);
        Errno error = _socket.Execute(ref request, out string? words);
        return error switch
        {
            Errno.None => true,
            Errno.ESRCH or Errno.ENODEV => false,
            _ => throw new LinuxException(error, $"delete the route {Describe(route)}", words),
        };
    }

    /// <summary>
    /// Asks how this machine would send to <paramref name="destination"/>. Not having a way is no exception: <paramref name="error"/> is
    /// then ENETUNREACH, EHOSTUNREACH, EACCES (prohibited), EINVAL (blackhole) or the like.
    /// </summary>
    /// <param name="destination">Where to.</param>
    /// <param name="route">The answer.</param>
    /// <param name="error">Why there is no answer.</param>
    /// <param name="source">The address to send from, none to let the kernel choose; it must be one of this machine's.</param>
    /// <param name="mark">The mark that rules may look at.</param>
    public bool TryGetRoute(IpAddress destination, out RouteInfo route, out Errno error, IpAddress source = default, uint mark = 0)
    {
        const int SourceAttribute = 2;
        var request = new NetlinkWriter(_request, NetlinkType.GetRoute, NetlinkFlags.Acknowledge);
        request.Fixed(new RouteMessage
        {
            Family = FamilyOf(destination),
            DestinationLength = (byte)(destination.Size * 8),
            SourceLength = (byte)(source.Size * 8),
        });
        request.Attribute((int)RouteAttribute.Destination, destination);
        if (!source.IsNone)
        {
            request.Attribute(SourceAttribute, source);
        }

        if (mark != 0)
        {
            request.Attribute((int)RouteAttribute.Mark, mark);
        }

        if (destination.Scope != 0)
        {
            request.Attribute((int)RouteAttribute.OutgoingInterface, destination.Scope);
        }

        RouteInfo answer = default;
        error = _socket.Ask(ref request, (_, body) => answer = ParseRoute(body, source), out _);
        if (error == Errno.None && answer.Mtu == 0 && TryFindLink(answer.InterfaceIndex, out LinkInfo link))
        {
            answer = answer with { Mtu = link.Mtu };
        }

        route = answer;
        return error == Errno.None;
    }

    private void ChangeRoute(NetlinkFlags flags, in Route route, string verb)
    {
        NetlinkWriter request = RouteRequest(NetlinkType.NewRoute, flags, route);
        Errno error = _socket.Execute(ref request, out string? words);
        if (error != Errno.None)
        {
            throw new LinuxException(error, $"{verb} the route {Describe(route)}", words);
        }
    }

    private string Describe(in Route route) => route.InterfaceIndex == 0 ? $"{route}" : $"{route} ({NameOf(route.InterfaceIndex)})";

    private NetlinkWriter RouteRequest(NetlinkType type, NetlinkFlags flags, in Route route)
    {
        var request = new NetlinkWriter(_request, type, flags | NetlinkFlags.Acknowledge);
        bool isDeletion = type == NetlinkType.DeleteRoute;
        byte scope = route.Kind == RouteKind.Unicast && route.Gateway.IsNone ? ScopeLink : ScopeUniverse;
        request.Fixed(new RouteMessage
        {
            Family = FamilyOf(route.Destination.Address),
            DestinationLength = (byte)route.Destination.Length,
            Protocol = isDeletion ? (byte)0 : ProtocolStatic,
            Scope = isDeletion ? ScopeNowhere : scope,
            Kind = (byte)route.Kind,
        });
        // The octet in the message holds tables up to 255 only; this attribute holds all.
        request.Attribute((int)RouteAttribute.Table, (uint)route.Table);
        request.Attribute((int)RouteAttribute.Destination, route.Destination.Address);
        AddNextHop(ref request, route);
        if (!route.PreferredSource.IsNone)
        {
            request.Attribute((int)RouteAttribute.PreferredSource, route.PreferredSource);
        }

        if (route.Metric != 0)
        {
            request.Attribute((int)RouteAttribute.Priority, route.Metric);
        }

        if (route.Mtu != 0)
        {
            request.NestedAttribute((int)RouteAttribute.Metrics, MetricMtu, (uint)route.Mtu);
        }

        return request;
    }

    private static void AddNextHop(ref NetlinkWriter request, in Route route)
    {
        if (route.InterfaceIndex != 0)
        {
            request.Attribute((int)RouteAttribute.OutgoingInterface, (uint)route.InterfaceIndex);
        }

        if (route.Gateway.IsNone)
        {
            return;
        }

        if (route.Gateway.Family == route.Destination.Address.Family)
        {
            request.Attribute((int)RouteAttribute.Gateway, route.Gateway);
        }
        else
        {
            request.ViaAttribute((int)RouteAttribute.Via, FamilyOf(route.Gateway), route.Gateway);
        }
    }

    private static RouteInfo ParseRoute(ReadOnlySpan<byte> body, IpAddress askedSource)
    {
        if (!TrySplit(body, out RouteMessage message, out AttributeReader attributes))
        {
            return default;
        }

        var answer = new RouteInfo(askedSource, 0, default, 0, message.Kind == KindLocal);
        while (attributes.MoveNext())
        {
            answer = (RouteAttribute)attributes.Type switch
            {
                RouteAttribute.OutgoingInterface => answer with { InterfaceIndex = (int)attributes.Number },
                RouteAttribute.Gateway => answer with { Gateway = attributes.Address },
                RouteAttribute.Via when attributes.Value.Length is 6 or 18 =>
                    answer with { Gateway = IpAddress.FromBytes(attributes.Value[sizeof(ushort)..]) },
                RouteAttribute.PreferredSource => answer with { Source = attributes.Address },
                RouteAttribute.Metrics => answer with { Mtu = ParseMtu(attributes.Value) },
                _ => answer,
            };
        }

        return answer;
    }

    private static int ParseMtu(ReadOnlySpan<byte> metrics)
    {
        var attributes = new AttributeReader(metrics);
        while (attributes.MoveNext())
        {
            if (attributes.Type == MetricMtu)
            {
                return (int)attributes.Number;
            }
        }

        return 0;
    }
}
