using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Which session an address leads to: the longest matching prefix of either family. It answers both "where does this packet go"
/// and "may this session send from that address" (RFC 2827).
/// </summary>
/// <remarks>One thread writes, every thread may read. A host route per subscriber is the common case and costs 8 octets in a pool that is full.</remarks>
public sealed class RouteTable
{
    /// <summary>Routes in all unless told otherwise: a table of 60,000 sessions with an address and two IPv6 prefixes each, and some.</summary>
    public const int DefaultLimit = 1 << 18;

    private readonly Dictionary<IpPrefix, Route> _routes = [];
    private readonly Dictionary<SessionKey, Route> _firstOfSession = [];
    private readonly int[] _ipv4OfLength = new int[33];
    private readonly IPv4Routes _ipv4 = new();
    private readonly IPv6Routes _ipv6 = new();

    /// <param name="limit">Most routes held at once.</param>
    public RouteTable(int limit = DefaultLimit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        Limit = limit;
    }

    public int Limit { get; }

    public int Count => _routes.Count;

    /// <summary>Leads a prefix to a session. False when another session has it, or at the limit; true again for the same session.</summary>
    public bool TryAdd(IpPrefix prefix, SessionKey session)
    {
        if (session.IsNone || prefix.Address.IsNone)
        {
            return false;
        }

        if (_routes.TryGetValue(prefix, out Route? known))
        {
            return known.Session == session;
        }

        if (_routes.Count >= Limit)
        {
            return false;
        }

        _ = _firstOfSession.TryGetValue(session, out Route? next);
        var route = new Route { Prefix = prefix, Session = session, Next = next };
        _firstOfSession[session] = route;
        _routes.Add(prefix, route);
        if (prefix.Address.IsIPv4)
        {
            _ipv4OfLength[prefix.Length]++;
            _ipv4.Add(prefix, session);
        }
        else
        {
            _ipv6.Add(prefix, session);
        }

        return true;
    }

    /// <summary>Takes a prefix away; false when it is not there.</summary>
    public bool Remove(IpPrefix prefix)
    {
        if (!_routes.TryGetValue(prefix, out Route? route))
        {
            return false;
        }

        Unchain(route);
        Forget(route);
        return true;
    }

    /// <summary>Takes all prefixes of a session away.</summary>
    public void RemoveAll(SessionKey session)
    {
        if (!_firstOfSession.Remove(session, out Route? route))
        {
            return;
        }

        for (; route is not null; route = route.Next)
        {
            Forget(route);
        }
    }

    /// <summary>The session that an address leads to, or none.</summary>
    public SessionKey Find(IpAddress address)
    {
        (ulong high, ulong low) = address.ToUInt128Parts();
        return address.Family switch
        {
            IpFamily.IPv4 => FindIPv4((uint)low),
            IpFamily.IPv6 => FindIPv6(high, low),
            _ => default,
        };
    }

    /// <param name="address">The address as the number its octets form in network order.</param>
    public SessionKey FindIPv4(uint address) => new(_ipv4.Find(address));

    public SessionKey FindIPv6(ulong high, ulong low) => new(_ipv6.Find(high, low));

    private void Forget(Route route)
    {
        _ = _routes.Remove(route.Prefix);
        if (route.Prefix.Address.IsIPv4)
        {
            _ipv4OfLength[route.Prefix.Length]--;
            _ipv4.Remove(route.Prefix, CoverOf(route.Prefix));
        }
        else
        {
            _ipv6.Remove(route.Prefix);
        }
    }

    // The next shorter prefix that takes over what a removed one leaves. Where all are host routes there is nothing to look for.
    private Route? CoverOf(IpPrefix prefix)
    {
        for (int length = prefix.Length - 1; length >= 0; length--)
        {
            if (_ipv4OfLength[length] > 0 && _routes.TryGetValue(new IpPrefix(prefix.Address, length), out Route? cover))
            {
                return cover;
            }
        }

        return null;
    }

    private void Unchain(Route route)
    {
        Route first = _firstOfSession[route.Session];
        if (first != route)
        {
            while (first.Next != route)
            {
                first = first.Next!;
            }

            first.Next = route.Next;
        }
        else if (route.Next is not null)
        {
            _firstOfSession[route.Session] = route.Next;
        }
        else
        {
            _ = _firstOfSession.Remove(route.Session);
        }
    }

    internal sealed class Route
    {
        public required IpPrefix Prefix { get; init; }

        public required SessionKey Session { get; init; }

        public Route? Next { get; set; }
    }
}
