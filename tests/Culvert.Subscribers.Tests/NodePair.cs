using Culvert.Core;
using Culvert.Ppp.Authentication;
using Culvert.Simulation;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Subscribers.Tests;

/// <summary>An LNS and a node that dials it, with everything a shard has but sockets, on one virtual clock.</summary>
internal sealed class NodePair
{
    public const string Password = "correct-horse";

    public static readonly PeerEndpoint LnsAt = new(IpAddress.Parse("192.0.2.1"), 1701);
    public static readonly PeerEndpoint ClientAt = new(IpAddress.Parse("198.51.100.7"), 1701);

    public NodePair(NodeSettings? lns = null, ulong seed = 1, LinkConditions? conditions = null)
    {
        World = new SimulatedWorld(seed, conditions);
        Lns = World.Add(new AccessEnd("lns", LnsAt, lns ?? LnsSettings(), seed));
        Client = World.Add(new AccessEnd("client", ClientAt, new NodeSettings { NodeName = "client" }, seed + 100));
        World.AfterStep = () =>
        {
            foreach (SimulatedEnd end in World.Ends)
            {
                end.Check();
            }
        };
    }

    public SimulatedWorld World { get; }

    public AccessEnd Lns { get; }

    public AccessEnd Client { get; }

    public Timestamp Now => World.Now;

    public static NodeSettings LnsSettings(params User[] users) => new()
    {
        NodeName = "lns.example.net",
        Peers = [new PeerRule { Name = "any", Profile = "default" }],
        Profiles = [new Profile { Name = "default", Pool = "pool", Authentication = [AuthenticationMethod.MsChapV2, AuthenticationMethod.ChapMd5], Dns = [IpAddress.Parse("192.0.2.53")] }],
        Pools = [PoolOf("pool", "100.64.0.0/24", "100.64.0.1")],
        Users = users.Length > 0 ? users : [UserOf("alice"), UserOf("bob"), UserOf("carol")],
    };

    public static PoolSettings PoolOf(string name, string prefix, string gateway) =>
        new() { Name = name, Ipv4 = IpPrefix.Parse(prefix), Gateway = IpAddress.Parse(gateway) };

    public static User UserOf(string name, string? address = null, params string[] routes) => new()
    {
        Name = name,
        Password = Password,
        Ipv4 = address is null ? null : IpAddress.Parse(address),
        Routes = [.. routes.Select(IpPrefix.Parse)],
    };

    public static DialSettings DialOf(string user = "alice", string password = Password) =>
        new() { Name = $"to-lns-as-{user}", Lns = ["192.0.2.1"], User = user, Password = password, Redial = false };

    /// <summary>The LNS's settings with its only profile changed.</summary>
    public static NodeSettings WithProfile(Func<Profile, Profile> change, params User[] users)
    {
        NodeSettings settings = LnsSettings(users);
        return settings with { Profiles = [change(settings.Profiles[0])] };
    }

    public Dial Dial(DialSettings? settings = null, AccessEnd? from = null)
    {
        AccessEnd end = from ?? Client;
        Dial dial = end.Access.StartDial(settings ?? DialOf());
        World.Settle(end);
        return dial;
    }

    /// <summary>Dials and waits until both ends are up.</summary>
    public Dial Connect(DialSettings? settings = null, double seconds = 60, AccessEnd? from = null)
    {
        Dial dial = Dial(settings, from);
        Assert.True(World.RunUntil(() => IsUp(dial), seconds), $"{dial} did not come up\n{World.Trace}");
        return dial;
    }

    /// <summary>Both ends of a dialled connection forward.</summary>
    public bool IsUp(Dial dial) => dial.State == DialState.Up && AtLns(dial) is { IsUp: true };

    /// <summary>The LNS's end of a dialled connection.</summary>
    public Subscriber? AtLns(Dial dial) => dial.Subscriber is { } mine
        ? Lns.Subscribers.FirstOrDefault(s => s.Session.LocalSessionId == mine.Session.PeerSessionId && s.Tunnel.LocalTunnelId == mine.Tunnel.PeerTunnelId)
        : null;

    /// <summary>Another node that dials.</summary>
    public AccessEnd AddClient(string name, string address) =>
        World.Add(new AccessEnd(name, new PeerEndpoint(IpAddress.Parse(address), 1701), new NodeSettings { NodeName = name }, (ulong)name.Length * 77));

    public void Stop(AccessEnd end, Dial dial, string reason)
    {
        end.Access.StopDial(dial, reason, Now);
        World.Settle(end);
    }

    /// <summary>Nothing is left at either end after the time that RFC 2661 section 5.7 grants for repetitions, and each told one end of everything.</summary>
    public void ExpectEverythingFreed(double seconds = 100)
    {
        Assert.True(
            World.RunUntil(() => Lns.HoldsNothing && Client.HoldsNothing, seconds),
            $"{Lns.DescribeWhatIsHeld()}\n{Client.DescribeWhatIsHeld()}\n{World.Trace}");
        foreach (AccessEnd end in new[] { Lns, Client })
        {
            Assert.Equal(end.Told(NodeEventKind.TunnelUp).Count(), end.Told(NodeEventKind.TunnelDown).Count(e => e.Tunnel!.EstablishedAt != Timestamp.Never));
            Assert.True(end.Told(NodeEventKind.SessionDown).Count() >= end.Told(NodeEventKind.SessionUp).Select(e => e.Subscriber).Distinct().Count());
        }
    }

    public static string ReasonOf(AccessEnd end, NodeEventKind kind) => Assert.Single(end.Told(kind)).Text;
}
