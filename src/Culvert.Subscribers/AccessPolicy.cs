using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;
using Culvert.Subscribers.Policy;
using Culvert.Subscribers.Pools;

namespace Culvert.Subscribers;

/// <summary>
/// The operator's settings, indexed for use: which rule a peer falls under, who a user is, which pools there are. A reload replaces
/// the settings; pools that did not change stay, with the addresses that are out.
/// </summary>
internal sealed class AccessPolicy : IPeerPolicy
{
    // Tunnels outlive a reload; their rule is found by the settings that they were accepted with.
    private readonly ConditionalWeakTable<TunnelSettings, PeerRule> _ruleOf = new();
    private TunnelSettings[] _tunnelSettings = [];
    private Dictionary<string, User> _users = [];
    private Dictionary<string, Profile> _profiles = [];
    private Dictionary<string, AddressPool> _pools = [];
    private HashSet<IpAddress> _fixedAddresses = [];

    private readonly Action<PeerEndpoint, string> _onRefused;

    /// <param name="settings">What the operator decided.</param>
    /// <param name="onRefused">Told of every SCCRQ that no rule matches: where it came from, and the host name in it.</param>
    public AccessPolicy(NodeSettings settings, Action<PeerEndpoint, string> onRefused)
    {
        _onRefused = onRefused;
        Apply(settings);
    }

    public NodeSettings Settings { get; private set; } = null!;

    public IReadOnlyCollection<AddressPool> Pools => _pools.Values;

    /// <summary>Other settings from now on: all of them, or none when one throws.</summary>
    [MemberNotNull(nameof(_tunnelSettings))]
    public void Apply(NodeSettings settings)
    {
        // First what can fail. Settings and what is indexed from them must fit each other at any time.
        var users = settings.Users.ToDictionary(u => u.Name, StringComparer.Ordinal);
        var profiles = settings.Profiles.ToDictionary(p => p.Name, StringComparer.Ordinal);
        TunnelSettings[] tunnelSettings = [.. settings.Peers.Select(rule => EngineSettings.Of(settings.NodeName, rule))];
        Dictionary<string, AddressPool> pools = PoolsOf(settings);

        Settings = settings;
        _users = users;
        _profiles = profiles;
        _tunnelSettings = tunnelSettings;
        _pools = pools;
        for (int i = 0; i < _tunnelSettings.Length; i++)
        {
            _ruleOf.Add(_tunnelSettings[i], settings.Peers[i]);
        }

        ApplyFixedAddresses(settings);
    }

    public bool TryAccept(
        in TunnelRequest request, [NotNullWhen(true)] out TunnelSettings? settings, [NotNullWhen(false)] out Disconnect? refusal)
    {
        string hostName = request.HostNameText;
        for (int i = 0; i < Settings.Peers.Count; i++)
        {
            if (Settings.Peers[i].Matches(request.Path.Peer.Address, hostName))
            {
                settings = _tunnelSettings[i];
                refusal = null;
                return true;
            }
        }

        _onRefused(request.Path.Peer, SafeText.ToString(request.HostName));
        settings = null;
        refusal = Refusals.UnknownPeer;
        return false;
    }

    public PeerRule? RuleOf(Tunnel tunnel) => _ruleOf.TryGetValue(tunnel.Settings, out PeerRule? rule) ? rule : null;

    public bool TryFindUser(string name, [NotNullWhen(true)] out User? user) => _users.TryGetValue(name, out user);

    public Profile? FindProfile(string? name) => name is null
        ? Settings.Profiles.Count > 0 ? Settings.Profiles[0] : null
        : _profiles.GetValueOrDefault(name);

    public AddressPool? FindPool(string? name) => name is null ? null : _pools.GetValueOrDefault(name);

    /// <summary>The pool that <paramref name="address"/> lies in, or null.</summary>
    public AddressPool? PoolOf(IpAddress address) => _pools.Values.FirstOrDefault(p => p.Prefix.Contains(address));

    private Dictionary<string, AddressPool> PoolsOf(NodeSettings settings)
    {
        var pools = new Dictionary<string, AddressPool>(StringComparer.Ordinal);
        foreach (PoolSettings wanted in settings.Pools)
        {
            bool unchanged = _pools.TryGetValue(wanted.Name, out AddressPool? pool) && pool.Prefix == wanted.Ipv4 && pool.Gateway == wanted.Gateway;
            pools.Add(wanted.Name, unchanged ? pool! : new AddressPool(wanted.Name, wanted.Ipv4, wanted.Gateway));
        }

        return pools;
    }

    private void ApplyFixedAddresses(NodeSettings settings)
    {
        foreach (IpAddress free in _fixedAddresses.Except(settings.Users.Select(u => u.Ipv4).OfType<IpAddress>()))
        {
            PoolOf(free)?.Admit(free);
        }

        _fixedAddresses = [.. settings.Users.Select(u => u.Ipv4).OfType<IpAddress>()];
        foreach (User user in settings.Users)
        {
            if (user.Ipv4 is { } address)
            {
                PoolOf(address)?.Exclude(address);
            }
        }
    }
}
