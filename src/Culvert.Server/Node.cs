using System.Net;
using System.Net.Sockets;
using Culvert.Core;
using Culvert.Dataplane;
using Culvert.Linux;
using Culvert.Server.Configuration;
using Culvert.Server.Control;
using Culvert.Subscribers;
using Culvert.Subscribers.Policy;
using Microsoft.Extensions.Logging;

namespace Culvert.Server;

/// <summary>A running node: opens what the configuration names, runs the shard, does in the operating system what the shard asks for.</summary>
public sealed class Node : IAsyncDisposable
{
    private static readonly TimeSpan BetweenPosts = TimeSpan.FromMilliseconds(100);

    private readonly Netlink _netlink = new();
    private readonly NodeLog _log;
    private readonly Func<NodeConfiguration> _reload;
    private readonly Action<NodeEvent>? _observer;
    private readonly List<DialInterface> _dialInterfaces = [];
    private readonly List<Listener> _listeners = [];
    private readonly List<Listener> _helperListeners = [];
    private readonly int _threads;
    private NodeConfiguration _configuration;
    private LnsInterface? _lnsInterface;
    private Shard? _shard;
    private ControlApi? _api;
    private bool _hasToldOffloads;

    private Node(NodeConfiguration configuration, ILoggerFactory loggers, Func<NodeConfiguration> reload, Action<NodeEvent>? observer)
    {
        _observer = observer;
        _configuration = configuration;
        _threads = configuration.Listen.Count == 0 ? 1 : Math.Min(configuration.Forwarding.Threads ?? Environment.ProcessorCount, ForwardingSettings.MostThreads);
        _reload = reload;
        _log = new NodeLog(loggers.CreateLogger("culvert"));
    }

    /// <summary>Ends when the node does; faulted when it ended by an error of ours.</summary>
    public Task Ended => _shard?.Ended ?? Task.CompletedTask;

    /// <summary>Starts a node; on return it accepts tunnels.</summary>
    /// <param name="configuration">Free of errors.</param>
    /// <param name="loggers">Where log lines go.</param>
    /// <param name="reload">Reads the configuration again; throws <see cref="NodeException"/> when it has errors.</param>
    /// <param name="observer">Called on the shard's thread for every event, after it was logged and acted on. Must return at once.</param>
    /// <exception cref="NodeException">Something is missing or taken; the message says what to do.</exception>
    public static async Task<Node> Start(
        NodeConfiguration configuration, ILoggerFactory loggers, Func<NodeConfiguration> reload, Action<NodeEvent>? observer = null)
    {
        var node = new Node(configuration, loggers, reload, observer);
        try
        {
            node.Open();
            if (configuration.Api.Socket is { } socket)
            {
                node._api = await ControlApi.Start(socket, new NodeControl(node, node._shard!), loggers);
            }

            node._shard!.Start();
            return node;
        }
        catch (Exception e) when (e is LinuxException or NodeException)
        {
            await node.DisposeAsync();
            throw e as NodeException ?? new NodeException(e.Message, e);
        }
    }

    /// <summary>Tells every peer, waits for their answers a bounded time, and ends.</summary>
    public async Task Stop()
    {
        if (_shard is { IsStarted: true, Ended.IsCompleted: false } shard)
        {
            shard.RequestStop("the node is shutting down");
            try
            {
                await shard.Ended;
            }
            catch (Exception e)
            {
                _log.Broken(e);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        if (_api is not null)
        {
            await _api.DisposeAsync();
        }

        _shard?.Dispose();
        _dialInterfaces.ForEach(i => i.Dispose());
        _lnsInterface?.Dispose();
        _helperListeners.ForEach(l => l.Dispose());
        _listeners.ForEach(l => l.Dispose());
        _netlink.Dispose();
    }

    internal string InterfaceNameOf(Subscriber subscriber) =>
        _dialInterfaces.Find(i => i.Dial.Subscriber == subscriber)?.Tun.Name ?? _lnsInterface?.Tun.Name ?? "";

    /// <summary>On the shard's thread. Says what changed, and what will only change when the node starts again.</summary>
    internal ReloadAnswer Reload(NodeConfiguration next)
    {
        NodeConfiguration before = _configuration;
        var answer = new ReloadAnswer(ConfigurationChanges.Describe(before, next), ConfigurationChanges.Sections(before, next));
        _shard!.Access.Apply(next.Settings);
        _lnsInterface?.Apply(next.Settings.Pools, Served());
        foreach (DialInterface gone in _dialInterfaces.FindAll(i => !next.Settings.Dial.Contains(i.Dial.Settings)))
        {
            _shard.Access.StopDial(gone.Dial, "removed from the configuration", MonotonicClock.Now);
            _shard.RemoveTun(gone.Tun);
            _dialInterfaces.Remove(gone);
            gone.Dispose();
        }

        foreach (DialSettings added in next.Settings.Dial.Where(d => _dialInterfaces.TrueForAll(i => i.Dial.Settings != d)))
        {
            StartDial(added);
        }

        // What needs a restart keeps its running value, so that the next reload compares with what is in force.
        _configuration = next with
        {
            Listen = before.Listen,
            Interface = before.Interface,
            Api = before.Api,
            Forwarding = before.Forwarding,
            Settings = next.Settings with { Limits = before.Settings.Limits.TakeOver(next.Settings.Limits) },
        };
        return answer;
    }

    internal Task<NodeConfiguration> ReadConfigurationAgain() => Task.Run(_reload);

    private void Open()
    {
        IRandomSource random = new SystemRandomSource();
        var routes = new RouteTable();
        var sessions = new SessionTable(random, routes);
        IpAddress gateway = _configuration.Settings.Pools.Count > 0 ? _configuration.Settings.Pools[0].Gateway : default;
        var forwarder = new Forwarder(sessions, routes, new ForwarderOptions { IcmpSourceIPv4 = gateway });
        var paths = new PathMtu(_netlink);
        var access = new AccessNode(_configuration.Settings, sessions, routes, paths, random);
        int largestPacket = Math.Max(_configuration.Interface.Mtu ?? LnsInterface.UsualMtu, LnsInterface.UsualMtu);
        OpenListeners();
        _shard = new Shard([.. _listeners], forwarder, access, paths, _configuration.Forwarding, largestPacket, OnEvent);
        if (_configuration.Listen.Count > 0)
        {
            _lnsInterface = new LnsInterface(_configuration.Interface, _configuration.Forwarding, _threads, _netlink);
            _lnsInterface.Apply(_configuration.Settings.Pools, []);
            _shard.AddTun(_lnsInterface.Tun, null);
            TellWhatIsMissing(_lnsInterface.Tun);
            if (!InterfaceSwitches.TryAcceptLocal(_lnsInterface.Tun.Name, out string problem))
            {
                _log.Warning(problem);
            }

            KeepIPv6Off(_lnsInterface.Tun.Name);
            WarnWhereNothingIsForwarded();
            AddHelpers(sessions, routes, new ForwarderOptions { IcmpSourceIPv4 = gateway, IsPrimary = false });
        }

        foreach (DialSettings dial in _configuration.Settings.Dial)
        {
            StartDial(dial);
        }
    }

    /// <summary>The threads beside the shard: each with sockets and a queue of its own.</summary>
    private void AddHelpers(SessionTable sessions, RouteTable routes, ForwarderOptions options)
    {
        Shard shard = _shard!;

        // A thread without a queue could not deliver what its sockets receive.
        int threads = _lnsInterface!.Queues.Count + 1;
        if (threads < _threads)
        {
            _log.Information($"the interface {_lnsInterface.Tun.Name} was there before and has one queue; one thread forwards");
        }

        for (int i = 1; i < threads; i++)
        {
            Listener[] listeners = [.. _listeners.Where(l => l.IsShared).Select(l => new Listener(
                l.Socket.LocalAddress, l.Socket.LocalPort, isShared: true, _configuration.Forwarding))];
            _helperListeners.AddRange(listeners);
            shard.Add(new ForwardingThread(
                listeners,
                _lnsInterface.Queues[i - 1],
                new Forwarder(sessions, routes, options),
                shard.Taps,
                shard.Mailbox,
                shard.PathReports,
                _configuration.Forwarding,
                $"forward{i}"));
        }

        // The shard's sockets were bound first, which makes theirs the control messages.
        foreach (Listener listener in threads > 1 ? _listeners.Where(l => l.IsShared) : [])
        {
            bool isSteered = _configuration.Forwarding.Spread == Spread.Sessions
                ? listener.Socket.TrySteerBySession(threads)
                : listener.Socket.TrySteerByPeer(threads);
            if (!isSteered)
            {
                _log.Information("the kernel cannot be told which thread gets what; it spreads peers over the threads");
            }
        }
    }

    private void OpenListeners()
    {
        foreach (ListenAddress listen in _configuration.Listen)
        {
            OpenListener(listen.Address, listen.Port, isOptional: listen.Address is { IsIPv6: true, IsUnspecified: true });
        }

        // To dial, any port will do where we do not listen.
        foreach (string any in _configuration.Settings.Dial.Count > 0 ? ["0.0.0.0", "::"] : Array.Empty<string>())
        {
            IpAddress address = IpAddress.Parse(any);
            if (_listeners.TrueForAll(l => l.Socket.Family != address.Family))
            {
                OpenListener(address, 0, isOptional: address.IsIPv6);
            }
        }
    }

    /// <param name="isOptional">The machine may have no IPv6 at all.</param>
    private void OpenListener(IpAddress address, ushort port, bool isOptional)
    {
        try
        {
            // Sockets that share a port do not see that another node has it.
            bool isShared = port != 0 && _threads > 1;
            if (isShared)
            {
                new Listener(address, port, isShared: false, _configuration.Forwarding).Dispose();
            }

            _listeners.Add(new Listener(address, port, isShared, _configuration.Forwarding));
        }
        catch (LinuxException e) when (isOptional && e.Error == Errno.EAFNOSUPPORT)
        {
            _log.Information("IPv6 is off on this machine; tunnels over IPv4 only");
        }
    }

    private void StartDial(DialSettings settings)
    {
        var device = new DialInterface(settings, _shard!.Access.StartDial, _configuration.Forwarding.Offload.Tun, _netlink);
        KeepIPv6Off(device.Tun.Name);
        TellWhatIsMissing(device.Tun);
        _dialInterfaces.Add(device);
        _shard.AddTun(device.Tun, device.Dial);
    }

    /// <summary>Once for a node: what the kernel refuses is the same for all interfaces and sockets.</summary>
    private void TellWhatIsMissing(TunDevice tun)
    {
        OffloadSettings wanted = _configuration.Forwarding.Offload;
        var granted = new OffloadSettings
        {
            Tun = tun.Offloads,
            JoinTunCalls = _shard!.JoinsTunCalls,
            JoinSent = _listeners.TrueForAll(l => l.Socket.CanSegment),
            JoinReceived = _listeners.TrueForAll(l => l.Socket.IsCoalescing || (l.IsShared && _configuration.Forwarding.Spread == Spread.Sessions)),
        };
        if (!_hasToldOffloads && OffloadNotes.Describe(wanted, granted) is { } missing)
        {
            _log.Information(missing);
        }

        _hasToldOffloads = true;
    }

    private void KeepIPv6Off(string interfaceName)
    {
        if (!InterfaceSwitches.TryDisableIPv6(interfaceName, out string problem))
        {
            _log.Warning(problem);
        }
    }

    private void OnEvent(NodeEvent e)
    {
        _log.Write(e, MonotonicClock.Now);
        try
        {
            Act(e);
        }
        catch (LinuxException failure)
        {
            _log.Warning($"{(object?)e.Subscriber ?? e.Dial}: {failure.Message}");
        }

        _observer?.Invoke(e);
    }

    private void Act(in NodeEvent e)
    {
        switch (e.Kind)
        {
            case NodeEventKind.SessionUp or NodeEventKind.RoutesReturned:
                _lnsInterface?.AddRoutes(e.Subscriber!);
                break;
            case NodeEventKind.SessionDown when e.Subscriber!.Routes.Count > 0 || !e.Subscriber.PeerAddress.IsNone:
                RemoveRoutes(e.Subscriber);
                break;
            case NodeEventKind.DialResolve:
                _ = Resolve(e.Dial!);
                break;
            case NodeEventKind.DialUp:
                InterfaceOf(e.Dial!)?.Up(e.Subscriber!);
                break;
            case NodeEventKind.DialMtuChanged:
                InterfaceOf(e.Dial!)?.SetMtu(e.Subscriber!.Mtu);
                break;
            case NodeEventKind.DialDown:
                InterfaceOf(e.Dial!)?.Down();
                break;
        }
    }

    /// <summary>The subscribers that share an interface.</summary>
    private List<LnsInterface.Served> Served()
    {
        var all = new List<Subscriber>();
        _ = _shard!.Access.PageOfSubscribers(0, int.MaxValue, all);
        return [.. all.Where(s => s.IsUp && !s.PeerAddress.IsNone && IsServed(s)).Select(s => new LnsInterface.Served(s.PeerAddress, s.Routes))];
    }

    private bool IsServed(Subscriber subscriber) => _dialInterfaces.TrueForAll(i => i.Dial.Subscriber != subscriber);

    private void RemoveRoutes(Subscriber subscriber)
    {
        if (IsServed(subscriber))
        {
            _lnsInterface?.RemoveRoutes(subscriber);
        }
    }

    private DialInterface? InterfaceOf(Dial dial) => _dialInterfaces.Find(i => i.Dial == dial);

    /// <summary>Looks up all hosts of a dial, away from the shard, and tells it what came out.</summary>
    private async Task Resolve(Dial dial)
    {
        var candidates = new List<PeerEndpoint>();
        var problems = new List<string>();
        foreach (string lns in dial.Settings.Lns)
        {
            if (!HostPort.TryParse(lns, ConfigurationFile.DefaultPort, out string host, out ushort port))
            {
                problems.Add($"'{lns}' is no host name or address");
                continue;
            }

            try
            {
                IPAddress[] addresses = await Dns.GetHostAddressesAsync(host);
                candidates.AddRange(addresses.Select(a => new PeerEndpoint(IpAddress.From(a), port)).Where(HasSocketFor));
            }
            catch (Exception e) when (e is SocketException or ArgumentException)
            {
                problems.Add($"{host}: {e.Message}");
            }
        }

        string problem = problems.Count > 0 ? string.Join("; ", problems) : "no address of a family that this machine can send to";
        Shard shard = _shard!;
        while (!shard.Mailbox.TryPost(() => shard.Access.ResolveDial(dial, candidates, problem, MonotonicClock.Now)) && !shard.Ended.IsCompleted)
        {
            // Too busy; nobody else would tell the dial.
            await Task.Delay(BetweenPosts);
        }
    }

    private bool HasSocketFor(PeerEndpoint peer) => _listeners.Exists(l => l.Socket.Family == peer.Address.Family);

    private void WarnWhereNothingIsForwarded()
    {
        const string Switch = "/proc/sys/net/ipv4/ip_forward";
        if (File.Exists(Switch) && File.ReadAllText(Switch).Trim() == "0")
        {
            _log.Warning("this machine does not forward IPv4, so subscribers reach only this machine; to change it: sysctl -w net.ipv4.ip_forward=1");
        }
    }
}
