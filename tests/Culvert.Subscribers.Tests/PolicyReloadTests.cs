using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.Subscribers.Policy;

namespace Culvert.Subscribers.Tests;

/// <summary>Settings that cannot be applied leave those before in force, whole.</summary>
public sealed class PolicyReloadTests
{
    [Theory]
    [InlineData('x', 256)]
    [InlineData('ä', 128)]
    public void Settings_that_throw_change_nothing(char letter, int count)
    {
        NodeSettings before = NodePair.LnsSettings();
        var policy = new AccessPolicy(before, (_, _) => { });
        NodeSettings after = before with
        {
            NodeName = new string(letter, count), // too long for an engine, which the configuration should have found
            Peers = [new PeerRule { Name = "other", HostName = "other" }, new PeerRule { Name = "any" }],
            Users = [],
        };
        Assert.Throws<ArgumentException>(() => policy.Apply(after));

        Assert.Same(before, policy.Settings);
        Assert.True(policy.TryFindUser("alice", out _));
        var request = new TunnelRequest(new UdpPath(default, NodePair.ClientAt), Encoding.UTF8.GetBytes("lac"), default);
        Assert.True(policy.TryAccept(request, out TunnelSettings? settings, out _));
        Assert.Equal("lns.example.net", settings.HostName);
    }
}
