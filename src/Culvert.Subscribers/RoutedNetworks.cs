using Culvert.Core;

namespace Culvert.Subscribers;

/// <summary>
/// Which sessions lay claim to the networks behind users. The newest has them, because the others are dead as a rule; when it ends and
/// another is still there, that one gets them back. Only networks that are written in users' <c>routes</c> are kept here.
/// </summary>
internal sealed class RoutedNetworks
{
    private readonly Dictionary<IpPrefix, List<Subscriber>> _claims = [];

    /// <summary>The session came up: it is the newest for its networks.</summary>
    public void Add(Subscriber subscriber)
    {
        foreach (IpPrefix prefix in subscriber.Routes)
        {
            if (!_claims.TryGetValue(prefix, out List<Subscriber>? claims))
            {
                _claims.Add(prefix, claims = []);
            }

            claims.Remove(subscriber);
            claims.Add(subscriber);
        }
    }

    /// <summary>The session is down; gives back to whom the networks go that were its own.</summary>
    public IReadOnlyList<(IpPrefix Prefix, Subscriber Heir)> Remove(Subscriber subscriber)
    {
        var heirs = new List<(IpPrefix, Subscriber)>();
        foreach (IpPrefix prefix in subscriber.Routes)
        {
            if (!_claims.TryGetValue(prefix, out List<Subscriber>? claims))
            {
                continue;
            }

            bool had = claims.Count > 0 && claims[^1] == subscriber;
            claims.Remove(subscriber);
            if (claims.Count == 0)
            {
                _claims.Remove(prefix);
            }
            else if (had)
            {
                heirs.Add((prefix, claims[^1]));
            }
        }

        return heirs;
    }

    public Subscriber? HolderOf(IpPrefix prefix) => _claims.TryGetValue(prefix, out List<Subscriber>? claims) ? claims[^1] : null;
}
