using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp.Authentication;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>What a run without a violation was.</summary>
/// <param name="Hash">Over all packets and events: the same for the same seed.</param>
/// <param name="Packets">Datagrams sent.</param>
/// <param name="VirtualSeconds">How long it took on the virtual clock.</param>
/// <param name="HealedAfter">Virtual seconds from the end of the faults until both ends agreed in everything.</param>
public sealed record RunResult(ulong Seed, SimulationOptions Options, ulong Hash, long Packets, double VirtualSeconds, double HealedAfter);

/// <summary>
/// One seed: nodes that come up while the network and their owners do their worst; then the faults end, and everybody must agree;
/// then everything is closed, and nothing may be left.
/// </summary>
public sealed partial class SimulationRun
{
    private const string TunnelSecret = "tunnel-secret";

    /// <summary>
    /// Longest until two ends that can talk agree: an old session is noticed by its echoes (150 s), its tunnel by a HELLO (91 s), and
    /// whoever dials waits up to 75 s; one after the other, and once more for what went wrong meanwhile.
    /// </summary>
    private const double HealSeconds = 900;

    /// <summary>Longest until everything is forgotten after its end: StopCCN's full cycle, and the linger of section 5.7.</summary>
    private const double ForgetSeconds = 200;

    /// <summary>Steps between full checks; the cheap ones are made with every packet.</summary>
    private const int StepsBetweenChecks = 24;

    private readonly ulong _seed;
    private readonly SimulatedWorld _world;
    private readonly List<AccessEnd> _servers = [];
    private readonly List<LacEnd> _concentrators = [];
    private readonly List<(AccessEnd End, Dial Dial, AccessEnd Server)> _branches = [];
    private readonly Dictionary<PeerEndpoint, AccessEnd> _serverAt = [];
    private readonly List<User> _users = [];
    private readonly List<(CallEnd Opener, CallEnd Waiter)> _exchanges = [];
    private HostilePeer? _hostile;
    private LyingPeer? _liar;
    private int _steps;

    private SimulationRun(ulong seed, SimulationOptions options)
    {
        _seed = seed;
        Options = options;
        _world = new SimulatedWorld(seed, new LinkConditions
        {
            Loss = options.Loss,
            Duplication = options.Duplication,
            Reordering = options.Reordering,
            Delay = TimeSpan.FromMilliseconds(options.DelayMilliseconds),
            Jitter = TimeSpan.FromMilliseconds(options.JitterMilliseconds),
        })
        {
            Corruption = options.Corruption,
        };
        _world.AfterStep = CheckSometimes;
    }

    public SimulationOptions Options { get; }

    /// <summary>Runs one seed.</summary>
    /// <exception cref="InvariantViolatedException">With the seed, what it means, and the last packets in words.</exception>
    public static RunResult Execute(ulong seed, SimulationOptions? options = null, int keptPackets = PacketTrace.DefaultKept)
    {
        var run = new SimulationRun(seed, options ?? Draw(seed));
        run._world.Trace.Kept = keptPackets;
        try
        {
            return run.Execute();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Also what an engine threw: no content of a packet may make it.
            throw new InvariantViolatedException(
                $"seed {seed} at {run._world.Now}: {e.Message}\n{run.Options}\nRepeat it with --from {seed} --seeds 1 --packets 1000\nThe last packets:\n{run._world.Trace}", e);
        }
    }

    /// <summary>The mixture that belongs to a seed.</summary>
    public static SimulationOptions Draw(ulong seed)
    {
        var random = new SeededRandom(seed * 0x9E3779B9);
        double OneOf(params double[] values) => values[random.NextBelow(values.Length)];
        return new SimulationOptions
        {
            Servers = 1 + random.NextBelow(2),
            Concentrators = random.NextBelow(3),
            LinesEach = 1 + random.NextBelow(6),
            Branches = 1 + random.NextBelow(3),
            Loss = OneOf(0, 0, 0.02, 0.1, 0.3),
            Duplication = OneOf(0, 0, 0.05, 0.3),
            Reordering = OneOf(0, 0, 0.1, 0.5),
            Corruption = OneOf(0, 0, 0, 0.01, 0.1),
            JitterMilliseconds = OneOf(0, 5, 200),
            DelayMilliseconds = OneOf(1, 10, 150),
            Incidents = random.NextBelow(20),
            FaultSeconds = OneOf(30, 120, 300),
            HasHostilePeer = random.NextBelow(4) == 0,
            Misbehaviour = OneOf(0, 0, 0, 0.3),
            HasTightLimits = random.NextBelow(4) == 0,
            HasSecret = random.NextBelow(2) == 0,
            HidesAvps = random.NextBelow(2) == 0,
            Window = (int)OneOf(1, 4, 128, 128),
            Exchanges = random.NextBelow(3) == 0 ? 1 : 0,
            HasLiar = random.NextBelow(4) == 0,
        };
    }

    private RunResult Execute()
    {
        Timestamp start = _world.Now;
        Build();
        for (int i = 0; i < Options.Incidents; i++)
        {
            _world.After(_world.Random.NextBelow((int)(Options.FaultSeconds * 1000)) / 1000.0, Incident);
        }

        _world.Pass(Options.FaultSeconds);
        _world.EndFaults();
        foreach (SimulatedEnd? enemy in (ReadOnlySpan<SimulatedEnd?>)[_hostile, _liar])
        {
            enemy?.IsOff = true;
        }

        foreach ((CallEnd opener, CallEnd waiter) in _exchanges)
        {
            (opener.IsCalm, waiter.IsCalm) = (true, true);
            if (Options.Corruption > 0)
            {
                // A damaged message may be another good one, such as an ICCN that became a CDN. Where no PPP watches over a call nobody
                // can notice, so whoever runs such a line begins again.
                opener.BeginAgain(opener.Local(_world.Now));
                waiter.BeginAgain(waiter.Local(_world.Now));
                _world.SettleAll();
            }
        }

        Timestamp faultsEnded = _world.Now;
        double healedAfter = Heal(faultsEnded);
        SendData();
        CloseEverything();
        return new RunResult(_seed, Options, _world.Trace.Hash, _world.Trace.Packets, (_world.Now - start).TotalSeconds, healedAfter);
    }

    /// <summary>Waits until all ends agree, and stay so. Seconds from the end of the faults until they did.</summary>
    private double Heal(Timestamp faultsEnded)
    {
        // A damaged message with a number from the future lies in wait in a reorder buffer until its turn comes, after the faults.
        int relapses = Options.Corruption > 0 || Options.Misbehaviour > 0 ? 5 : 0;
        while (true)
        {
            bool isHealed = _world.RunUntil(() => _steps % 64 == 0 && FindQuarrel() is null, HealSeconds);
            Must(isHealed, $"the ends do not agree {HealSeconds} s after the last fault: {FindQuarrel()}");
            double healedAfter = (_world.Now - faultsEnded).TotalSeconds;
            _world.Pass(60);
            if (FindQuarrel() is not { } quarrel)
            {
                return healedAfter;
            }

            Must(relapses-- > 0, $"the ends agreed and then did not: {quarrel}");
        }
    }

    /// <summary>One for each user: a name that was damaged on its way must not let its sender in as somebody else.</summary>
    private static string PasswordOf(string user) => $"correct-horse-{user}";

    private static PeerEndpoint At(string network, int host) => new(IpAddress.Parse($"{network}.{host}"), 1701);

    private void Build()
    {
        for (int i = 0; i < Options.Concentrators * Options.LinesEach; i++)
        {
            bool isFixed = i % 5 == 4;
            _users.Add(new User
            {
                Name = $"line{i}",
                Password = PasswordOf($"line{i}"),
                Ipv4 = isFixed ? IpAddress.Parse($"100.64.0.{100 + i}") : null,
                Routes = i % 7 == 3 ? [IpPrefix.Parse($"198.18.{i}.0/24")] : [],
            });
        }

        for (int i = 0; i < Options.Branches; i++)
        {
            _users.Add(new User { Name = $"branch{i}", Password = PasswordOf($"branch{i}") });
        }

        for (int i = 0; i < Options.Servers; i++)
        {
            AccessEnd server = _world.Add(new AccessEnd($"lns{i}", At("192.0.2", i + 1), ServerSettings(0), _seed + (ulong)(i * 11)));
            server.IsRecording = false;
            _servers.Add(server);
            _serverAt.Add(server.At, server);
        }

        for (int i = 0; i < Options.Concentrators; i++)
        {
            BuildConcentrator(i);
        }

        for (int i = 0; i < Options.Branches; i++)
        {
            var settings = new NodeSettings { NodeName = $"branch{i}" };
            AccessEnd end = _world.Add(new AccessEnd(settings.NodeName, At("203.0.113", i + 1), settings, _seed + 5000 + (ulong)i));
            end.IsRecording = false;
            AccessEnd server = _servers[i % _servers.Count];
            _branches.Add((end, StartDial(end, i, server), server));
        }

        if (Options.HasHostilePeer)
        {
            _hostile = _world.Add(new HostilePeer("mallory", At("203.0.113", 200), _servers[0].At, _seed + 99));
            _world.Filter = packet =>
            {
                _hostile.Overhear(packet);
                return true;
            };
        }

        if (Options.HasLiar)
        {
            var settings = new TunnelSettings { HostName = "liar", Secret = Options.HasSecret ? System.Text.Encoding.ASCII.GetBytes(TunnelSecret) : null };
            _liar = _world.Add(new LyingPeer("liar", At("203.0.113", 201), _servers[0].At, _seed + 199, settings));
        }

        for (int i = 0; i < Options.Exchanges; i++)
        {
            BuildExchange(i);
        }

        if (Options.Misbehaviour > 0 && _concentrators.Count > 0)
        {
            _world.Misbehaviour = (_concentrators[^1].At.Address, Options.Misbehaviour);
        }
    }

    private void BuildConcentrator(int index)
    {
        var settings = new TunnelSettings
        {
            HostName = $"lac{index}",
            AcceptIncomingCalls = false,
            Secret = Options.HasSecret ? System.Text.Encoding.ASCII.GetBytes(TunnelSecret) : null,
            HideAvps = Options.HasSecret && Options.HidesAvps,
            Channel = ControlChannelSettings.Default with { ReceiveWindow = Options.Window },
        };
        PeerEndpoint server = _servers[index % _servers.Count].At;
        LacEnd lac = _world.Add(new LacEnd($"lac{index}", At("198.51.100", index + 1), server, _seed + 1000 + (ulong)index, settings));
        _concentrators.Add(lac);
        for (int line = 0; line < Options.LinesEach; line++)
        {
            string user = $"line{(index * Options.LinesEach) + line}";
            lac.PlaceCall(user, Options.IsSabotaged ? "wrong" : PasswordOf(user));
        }
    }

    /// <summary>Two endpoints with everything that the others leave out; what differs from run to run follows from the seed.</summary>
    private void BuildExchange(int index)
    {
        var draw = new SeededRandom(_seed + 31_337);
        var settings = new TunnelSettings
        {
            HostName = "exchange",
            Secret = Options.HasSecret ? System.Text.Encoding.ASCII.GetBytes(TunnelSecret) : null,
            HideAvps = Options.HasSecret && Options.HidesAvps,
            AcceptOutgoingCalls = true,
            Sequencing = draw.NextBelow(2) == 0 ? SequencingPolicy.OnRequest : SequencingPolicy.Required,
            OnRestart = (RestartDetection)draw.NextBelow(3),
            CallRate = draw.NextBelow(2) == 0 ? RateLimit.None : new RateLimit(1, 2),
            SessionPhb = draw.NextBelow(2) == 0 ? null : (ushort)0x2E00,
            Channel = ControlChannelSettings.Default with { ReceiveWindow = Options.Window },
        };
        EndpointLimits limits = EndpointLimits.Default with
        {
            MaxHalfOpenTunnels = 4,
            MaxHalfOpenSessions = 5,
            StartRatePerPeer = new RateLimit(1, 2),
            StartRate = new RateLimit(2, 4),
            CallRate = draw.NextBelow(2) == 0 ? RateLimit.None : new RateLimit(2, 2),
        };
        ushort shards = (ushort)(1 << draw.NextBelow(5));
        PeerEndpoint waiterAt = At("192.0.2", 100 + (2 * index));
        CallEnd waiter = _world.Add(new CallEnd(
            $"waiter{index}", waiterAt, null, _seed + 7000, settings with { HostName = "waiter" }, limits, new TunnelIdSpace(shards, (ushort)draw.NextBelow(shards))));
        CallEnd opener = _world.Add(new CallEnd(
            $"opener{index}", At("192.0.2", 101 + (2 * index)), waiterAt, _seed + 8000, settings with { HostName = "opener" }, limits,
            new TunnelIdSpace(shards, (ushort)draw.NextBelow(shards))));
        for (int call = 0; call < 6; call++)
        {
            (call % 2 == 0 ? opener : waiter).Want(isOutgoing: call % 3 == 0, isSequenced: call % 4 < 2);
        }

        _exchanges.Add((opener, waiter));
    }

    private Dial StartDial(AccessEnd end, int index, AccessEnd server)
    {
        Dial dial = end.Access.StartDial(new DialSettings
        {
            Name = $"dial{index}",
            Lns = [server.At.Address.ToString()],
            User = $"branch{index}",
            Password = PasswordOf($"branch{index}"),
            Secret = Options.HasSecret ? new Secret(TunnelSecret) : null,
            HideAvps = Options.HasSecret && Options.HidesAvps,
        });
        _world.Settle(end);
        return dial;
    }

    /// <param name="variant">A reload brings other pools: a larger one around the first, or another network.</param>
    private NodeSettings ServerSettings(int variant) => new()
    {
        NodeName = "lns",
        Peers = [new PeerRule { Name = "any", Secret = Options.HasSecret ? new Secret(TunnelSecret) : null, HideAvps = Options.HasSecret && Options.HidesAvps }],
        Profiles = [new Profile { Name = "default", Pool = "pool", Authentication = [(AuthenticationMethod)(_seed % 3)] }],
        Pools =
        [
            new PoolSettings
            {
                Name = "pool",
                Ipv4 = IpPrefix.Parse(variant switch { 0 => "100.64.0.0/24", 1 => "100.64.0.0/23", _ => "100.65.0.0/25" }),
                Gateway = IpAddress.Parse(variant == 2 ? "100.65.0.1" : "100.64.0.1"),
            },
        ],
        Users = _users,
        Limits = Options.HasTightLimits
            ? new NodeLimits { HalfOpenTunnels = 5, HalfOpenTunnelsPerPeer = 2, HalfOpenSessions = 2 }
            : new NodeLimits(),
    };

    private void CheckSometimes()
    {
        if (++_steps % StepsBetweenChecks == 0)
        {
            CheckAll();
        }
    }

    private void CheckAll()
    {
        foreach (SimulatedEnd end in _world.Ends.Where(e => !e.IsOff))
        {
            end.Check();
        }
    }

    /// <summary>In what two ends do not agree, or null when they do in everything and everything wanted is up.</summary>
    private string? FindQuarrel()
    {
        if (_world.Ends.FirstOrDefault(e => e.IsOff && e != _hostile && e != _liar) is { } away)
        {
            return $"{away.Name} is away";
        }

        foreach ((CallEnd opener, CallEnd waiter) in _exchanges)
        {
            if ((opener.FindQuarrel(waiter, Options.Corruption == 0) ?? waiter.FindQuarrel(opener, Options.Corruption == 0)) is { } quarrel)
            {
                return quarrel;
            }

            int calls = opener.WantedCount + waiter.WantedCount;
            if (opener.Endpoint.SessionCount != calls || waiter.Endpoint.SessionCount != calls)
            {
                return $"{opener.DescribeWhatIsHeld()}; {waiter.DescribeWhatIsHeld()}; {calls} calls are wanted";
            }
        }

        foreach (LacEnd lac in _concentrators)
        {
            foreach (LacLine line in lac.Lines)
            {
                if (line is not { IsUp: true, Session: { } session, Link: { } link })
                {
                    return $"{lac.Name}: the line of {line.User} is not up";
                }

                if (FindQuarrel($"{lac.Name}, line of {line.User}", session, link.LocalAddress, line.User) is { } quarrel)
                {
                    return quarrel;
                }
            }
        }

        foreach ((AccessEnd end, Dial dial, _) in _branches)
        {
            if (dial is not { State: DialState.Up, Subscriber: { IsUp: true } mine })
            {
                return $"{end.Name}: {dial} is {dial.State}";
            }

            if (FindQuarrel(end.Name, mine.Session, mine.LocalAddress, dial.Settings.User) is { } quarrel)
            {
                return quarrel;
            }
        }

        int sessions = _servers.Sum(s => s.Access.SessionCount);
        int wanted = _users.Count;
        return sessions == wanted ? null : $"the servers have {sessions} sessions, the others {wanted}";
    }

    private string? FindQuarrel(string who, Session session, IpAddress address, string user)
    {
        Tunnel tunnel = session.Tunnel;
        Subscriber? other = _serverAt[tunnel.Path.Peer].Subscribers.FirstOrDefault(
            s => s.Tunnel.LocalTunnelId == tunnel.PeerTunnelId && s.Session.LocalSessionId == session.PeerSessionId);
        if (other is not { IsUp: true })
        {
            return $"{who}: session {session} is up here, but at the server it is {(other is null ? "not there" : "not up")}";
        }

        return other.Tunnel.PeerTunnelId == tunnel.LocalTunnelId && other.Session.PeerSessionId == session.LocalSessionId
            && other.PeerAddress == address && other.UserName == user
            ? null
            : $"{who}: session {session} with {address} for {user} is {other.Session} with {other.PeerAddress} for '{other.UserName}' at the server";
    }

    /// <summary>Each user sends one packet of its own and one in another's name.</summary>
    private void SendData()
    {
        foreach (LacEnd lac in _concentrators)
        {
            foreach (LacLine line in lac.Lines)
            {
                IpAddress own = line.Link!.LocalAddress;
                lac.SendIp(_world, line, IpBuilder.Echo(own, IpAddress.Parse("192.0.2.250"), 1, 1, [1]));
                lac.SendIp(_world, line, IpBuilder.Echo(IpAddress.FromUInt32(own.ToUInt32() + 1), IpAddress.Parse("192.0.2.251"), 1, 1, [1]));
            }
        }

        int before = _servers.Sum(s => s.Delivered.Count);
        _world.Pass(2);
        int expected = _concentrators.Sum(l => l.Lines.Count);
        int delivered = _servers.Sum(s => s.Delivered.Count) - before;
        Must(delivered == expected, $"{delivered} packets were delivered, {expected} had a source of their own");
    }

    private void CloseEverything()
    {
        foreach (AccessEnd server in _servers.Where(_ => _seed % 2 == 0))
        {
            server.Access.CloseAll("the end", server.Local(_world.Now));
            _world.Settle(server);
        }

        foreach (LacEnd lac in _concentrators)
        {
            lac.CloseAll(lac.Local(_world.Now));
            _world.Settle(lac);
        }

        foreach ((AccessEnd end, _, _) in _branches)
        {
            end.Access.CloseAll("the end", end.Local(_world.Now));
            _world.Settle(end);
        }

        foreach ((CallEnd opener, CallEnd waiter) in _exchanges)
        {
            opener.CloseAll(opener.Local(_world.Now));
            waiter.CloseAll(waiter.Local(_world.Now));
            _world.Settle(opener);
            _world.Settle(waiter);
        }

        bool isClean = _world.RunUntil(
            () => _servers.TrueForAll(s => s.HoldsNothing) && _concentrators.TrueForAll(l => l.HoldsNothing) && _branches.TrueForAll(b => b.End.HoldsNothing)
                && _exchanges.TrueForAll(x => x.Opener.HoldsNothing && x.Waiter.HoldsNothing),
            ForgetSeconds);
        Must(
            isClean,
            $"something is left {ForgetSeconds} s after the end: {string.Join("; ", _servers.Select(s => s.DescribeWhatIsHeld()).Concat(_concentrators.Select(l => l.DescribeWhatIsHeld())).Concat(_branches.Select(b => b.End.DescribeWhatIsHeld())).Concat(_exchanges.SelectMany(x => new[] { x.Opener.DescribeWhatIsHeld(), x.Waiter.DescribeWhatIsHeld() })))}");
        CheckAll();
    }

    private static void Must(bool isTrue, string otherwise)
    {
        if (!isTrue)
        {
            throw new InvariantViolatedException(otherwise);
        }
    }
}
