using Culvert.Core;

namespace Culvert.Subscribers;

/// <summary>What the operating system knows of the way to a peer.</summary>
public interface IPathMtu
{
    /// <summary>The largest IP packet, in octets, that reaches <paramref name="peer"/> whole, as far as is known now.</summary>
    int To(IpAddress peer);
}
